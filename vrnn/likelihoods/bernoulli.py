"""Bernoulli likelihood, for binary observations."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vrnn import distributions
from vrnn.likelihoods.base import Likelihood, moments
from vrnn.nn import require_at_least


class Bernoulli(Likelihood):
    """p(x) = prod_d p_d^x_d (1 - p_d)^(1 - x_d), the parameters being logits [..., D].

    Args:
      x_dim: D, the number of binary values per step.

    Raises:
      ValueError: x_dim below 1.
    """

    label = "Bernoulli"
    reference = "Bernoulli"
    discrete = True
    takes_missing = True

    def __init__(self, x_dim: int):
        require_at_least(1, x_dim=x_dim)
        self.x_dim = self.param_dim = x_dim

    def __call__(self, params: Tensor) -> distributions.Bernoulli:
        return distributions.Bernoulli(params)

    def dims_of_params(self) -> Sequence[int]:
        return range(self.x_dim)

    def initial_params(self) -> Tensor:
        return torch.zeros(self.x_dim)

    def fit(self, x: Tensor) -> Tensor:
        return moments(x)[0].clamp(1e-4, 1.0 - 1e-4).logit()

    def check(self, x: Tensor) -> None:
        low, high = float(x.min()), float(x.max())
        if not (low >= 0.0 and high <= 1.0):  # NaN included
            raise ValueError(
                f"a Bernoulli likelihood needs values in [0, 1], but x ranges from {low:.4g} to {high:.4g}; "
                "choose a density instead: likelihood=gaussian"
            )
