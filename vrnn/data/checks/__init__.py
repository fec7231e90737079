"""Whether data are finite, fit for a likelihood, and the same as before."""
