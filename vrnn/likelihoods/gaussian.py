"""Gaussian likelihood with a diagonal covariance, for real-valued observations."""

from __future__ import annotations

import torch
from torch import Tensor

from vrnn.distributions import DiagonalNormal
from vrnn.likelihoods.base import Likelihood
from vrnn.nn import inverse_positive, positive, require_at_least


class Gaussian(Likelihood):
    """p(x) = N(x; mean, diag(std^2)), std = softplus(raw) + min_std; the parameters are [mean, raw], [..., 2 D].

    Args:
      x_dim: D.
      min_std: smallest standard deviation, in units of x; the paper's code has 1e-4. It is what bounds the density
        on values that repeat exactly.

    Raises:
      ValueError: x_dim below 1, or min_std not positive.
    """

    label = "Gaussian"

    def __init__(self, x_dim: int, min_std: float = 1e-4):
        require_at_least(1, x_dim=x_dim)
        if not min_std > 0.0:
            raise ValueError(f"min_std must be positive, got {min_std}: a density with no smallest std has no ceiling")
        self.x_dim = x_dim
        self.param_dim = 2 * x_dim
        self.min_std = min_std

    def __call__(self, params: Tensor) -> DiagonalNormal:
        mean, raw = params.chunk(2, -1)
        return DiagonalNormal(mean, positive(raw, self.min_std))

    def initial_params(self) -> Tensor:
        """Mean 0 and std 1: standardised data."""
        return self._params(torch.zeros(self.x_dim), torch.ones(self.x_dim))

    def fit(self, x: Tensor) -> Tensor:
        return self._params(x.mean(0), x.std(0, correction=0))

    def check(self, x: Tensor) -> None:
        if not bool(x.isfinite().all()):
            raise ValueError("a Gaussian likelihood needs finite values, but x holds NaN or infinity")

    def caution(self, x: Tensor) -> str | None:
        """Over a value that comes again and again, a density has no ceiling."""
        first = x[:10_000]
        share = float((first == first.mode(0).values).double().mean(0).max())
        if share < 0.05:
            return None
        return (
            f"a Gaussian density over discrete values ({share:.0%} of one dimension of x are one number) is bounded "
            f"by likelihood.min_std={self.min_std} alone; its figures say little and compare with nothing"
        )

    def _params(self, mean: Tensor, std: Tensor) -> Tensor:
        return torch.cat([mean, inverse_positive(std, self.min_std)])
