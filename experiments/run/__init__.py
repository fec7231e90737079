"""One run: its directory, and everything that happens between its config and its result."""
