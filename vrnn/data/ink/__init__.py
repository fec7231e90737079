"""Pen strokes: points to offsets, and the files that hold them."""
