"""Variational recurrent neural networks (Chung et al. 2015, arXiv 1506.02216): the library behind the experiments."""

__version__ = "0.3.0"
