"""What likelihoods that are densities share: the smallest standard deviation, and what to say of discrete values."""

from __future__ import annotations

import torch
from torch import Tensor

from vrnn.likelihoods.base import Likelihood
from vrnn.nn import inverse_positive, positive


class Density(Likelihood):
    """A likelihood of real values, with standard deviations softplus(raw) + min_std.

    Args:
      min_std: smallest standard deviation, in units of x; the paper's code has 1e-4. It is what bounds the density
        on values that repeat exactly.
      sigma_bias: raw standard deviation that the emission starts with, the paper's code has 0.6; None: that of std 1.

    Raises:
      ValueError: min_std not positive.
    """

    def __init__(self, min_std: float, sigma_bias: float | None):
        if not min_std > 0.0:
            raise ValueError(f"min_std must be positive, got {min_std}: a density with no smallest std has no ceiling")
        self.min_std = min_std
        self.sigma_bias = sigma_bias

    def std(self, raw: Tensor) -> Tensor:
        """Standard deviations, from raw values of the same shape."""
        return positive(raw, self.min_std)

    def raw(self, std: Tensor) -> Tensor:
        """Raw values that give these standard deviations."""
        return inverse_positive(std, self.min_std)

    def initial_raw(self, size: int) -> Tensor:
        """Raw standard deviations to start with [size]."""
        return self.raw(torch.ones(size)) if self.sigma_bias is None else torch.full((size,), self.sigma_bias)

    def check(self, x: Tensor) -> None:
        if not bool(x.isfinite().all()):
            raise ValueError(f"a {self.label} needs finite values, but x holds NaN or infinity")

    def caution(self, x: Tensor) -> str | None:
        """Over a value that comes again and again, a density has no ceiling."""
        first = x[:10_000]
        share = float((first == first.mode(0).values).double().mean(0).max())
        if share < 0.05:
            return None
        return (
            f"a {self.label} density over discrete values ({share:.0%} of one dimension of x are one number) is "
            f"bounded by min_std={self.min_std} alone; its figures say little and compare with nothing"
        )
