"""Tables of numbers in a user's files: how they are written, which columns count, how sequences are cut from them."""
