"""Images: the files that hold them."""
