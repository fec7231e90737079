"""Categorical likelihood, for symbols and for values on a grid such as sound of 8 bits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from vrnn.distributions import choose, sum_observed
from vrnn.likelihoods.base import Likelihood
from vrnn.nn import require_at_least


class IndependentCategorical(NamedTuple):
    """D independent variables that take one of L values each.

    Attributes:
      log_probs: normalised log probability of each value [..., D, L].
      values: in ascending order, equally spaced [L].
    """

    log_probs: Tensor
    values: Tensor

    @property
    def mean(self) -> Tensor:
        return self.log_probs.exp() @ self.values

    def log_prob(self, x: Tensor, observed: Tensor | None = None) -> Tensor:
        nats = self.log_probs.gather(-1, numbers(x, self.values)[..., None]).squeeze(-1)  # [..., D]
        return nats.sum(-1) if observed is None else sum_observed(nats, observed)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        return self.values[choose(self.log_probs, generator)]


class Categorical(Likelihood):
    """p(x) = prod_d softmax(logits_d)[number of x_d]; the parameters are D blocks of L logits [..., D L].

    It supposes no order of the values, as in WaveNet (van den Oord et al. 2016, arXiv 1609.03499, section 2.2): they
    are sound of 8 bits, linear or after companding, or symbols.

    Args:
      x_dim: D.
      levels: L, values that x_d can take.
      low: the lowest of them; with `high` the grid low, low + (high - low) / (L - 1), ..., high.
      high: the highest; symbols 0 to L - 1 have low=0 and high=L-1.

    Raises:
      ValueError: x_dim below 1, levels below 2, or a grid that has no width.
    """

    label = reference = "categorical"
    discrete = True
    takes_missing = True

    def __init__(self, x_dim: int, levels: int | None = 256, low: float = -1.0, high: float = 1.0):
        require_at_least(1, x_dim=x_dim)
        if levels is None:
            raise ValueError("levels must be given: quantise the data, for instance quantize=256")
        require_at_least(2, levels=levels)
        if not low < high:  # NaN included
            raise ValueError(f"low must be below high, got low={low} and high={high}")
        self.x_dim = x_dim
        self.levels = levels
        self.low = low
        self.high = high
        self.param_dim = x_dim * levels

    def __call__(self, params: Tensor) -> IndependentCategorical:
        logits = params.unflatten(-1, (self.x_dim, self.levels))
        return IndependentCategorical(logits.log_softmax(-1), self.values(params))

    def values(self, like: Tensor) -> Tensor:
        """All that x_d can be [L], in the type and on the device of a tensor."""
        return torch.linspace(self.low, self.high, self.levels, dtype=like.dtype, device=like.device)

    def dims_of_params(self) -> Sequence[int]:
        return [d for d in range(self.x_dim) for _ in range(self.levels)]

    def initial_params(self) -> Tensor:
        """All values alike."""
        return torch.zeros(self.param_dim)

    def fit(self, x: Tensor) -> Tensor:
        """The log of each value's share of its dimension, each value seen 1 / L times more, so that none has 0."""
        found = numbers(x.nan_to_num(self.low), self.values(x)) + self.levels * torch.arange(
            self.x_dim, device=x.device
        )
        counts = torch.bincount(found[~x.isnan()], minlength=self.param_dim).view(self.x_dim, -1).to(x)
        shares = (counts + 1.0 / self.levels) / (counts.sum(1, keepdim=True) + 1.0)
        return shares.log().flatten()

    def check(self, x: Tensor) -> None:
        """Raises ValueError unless x lies on the grid."""
        points = (x - self.low) * ((self.levels - 1) / (self.high - self.low))
        off = (points - points.round()).abs().max()
        inside = bool((points > -0.5).all()) and bool((points < self.levels - 0.5).all())  # NaN is in no range
        if not inside or float(off) > 1e-3 * max(1.0, self.levels / 4096):
            raise ValueError(
                f"a categorical likelihood needs values on a grid of levels = {self.levels} points from low = "
                f"{self.low:g} to high = {self.high:g}, but x ranges from {float(x.min()):.4g} to {float(x.max()):.4g} "
                f"and is {float(off):.2g} points off; quantise the data (data=audio data.quantize={self.levels}), say "
                "which symbols there are (likelihood.low=0 likelihood.high=...), or choose likelihood=gaussian"
            )


def numbers(x: Tensor, values: Tensor) -> Tensor:
    """The number of the nearest value [..., D], 0 to L - 1, from x [..., D] and equally spaced values [L]."""
    last = len(values) - 1
    points = (x - values[0]) * (last / (values[-1] - values[0]))
    return points.round().long().clamp(0, last)
