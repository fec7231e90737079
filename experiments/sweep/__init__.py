"""Many jobs of one command: which they are, which are left, and who watches them."""
