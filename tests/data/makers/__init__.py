"""For each dataset that reads files, a module of its name whose `make(root)` writes a few small ones.

`OVERRIDES` in it are further keys that make the dataset small, or let it take files that were made up.
"""
