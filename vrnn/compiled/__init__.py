"""Programs of products and element-wise operations on a CPU, compiled by numba; nothing here knows a model."""
