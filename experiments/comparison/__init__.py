"""Rows of models by seeds: which jobs a comparison needs, and which finished runs make one."""
