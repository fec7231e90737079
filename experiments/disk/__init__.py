"""Files that a run leaves: written whole or not at all, owned, removed only where they are ours, checked when read."""
