"""Datasets: one function in one file each, returning `Splits`."""
