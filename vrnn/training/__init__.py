"""Training and evaluation of any sequence model under any objective on any data."""
