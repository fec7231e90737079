"""Gaussian likelihood with a diagonal covariance, for real-valued observations."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vrnn.distributions import DiagonalNormal
from vrnn.likelihoods.base import moments
from vrnn.likelihoods.density import Density
from vrnn.nn import require_at_least


class Gaussian(Density):
    """p(x) = N(x; mean, diag(std^2)), std = softplus(raw) + min_std; the parameters are [mean, raw], [..., 2 D].

    Args:
      x_dim: D.
      min_std: smallest standard deviation, in units of x.
      sigma_bias: raw standard deviation that the emission starts with; None: that of std 1.

    Raises:
      ValueError: x_dim below 1, or min_std not positive.
    """

    label = reference = "Gaussian"
    takes_missing = True

    def __init__(self, x_dim: int, min_std: float = 1e-4, sigma_bias: float | None = None):
        super().__init__(min_std, sigma_bias)
        require_at_least(1, x_dim=x_dim)
        self.x_dim = x_dim
        self.param_dim = 2 * x_dim

    def __call__(self, params: Tensor) -> DiagonalNormal:
        mean, raw = params.chunk(2, -1)
        return DiagonalNormal(mean, self.std(raw))

    def dims_of_params(self) -> Sequence[int]:
        return [*range(self.x_dim)] * 2

    def initial_params(self) -> Tensor:
        """Mean 0, for standardised data."""
        return torch.cat([torch.zeros(self.x_dim), self.initial_raw(self.x_dim)])

    def fit(self, x: Tensor) -> Tensor:
        mean, std = moments(x)
        return torch.cat([mean, self.raw(std)])
