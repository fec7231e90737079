"""Files that data come from: what is said where there are none, lists of them, and how they are divided."""
