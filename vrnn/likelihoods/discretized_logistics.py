"""Discretized mixture of logistics, for quantised values (Salimans et al. 2017, PixelCNN++, arXiv 1701.05517)."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from vrnn.distributions import DiscretizedLogisticMixture
from vrnn.likelihoods.base import Likelihood, moments
from vrnn.nn import inverse_positive, positive, require_at_least


class DiscretizedLogistics(Likelihood):
    """Each of the D values of a step has a mixture of M logistics of its own, integrated over the bins of a grid.

    The parameters [..., 3 M D] are, in this order: weight logits, means, raw scales (through softplus, plus
    min_scale), each D blocks of M.

    Args:
      x_dim: D.
      levels: L, points of the grid; x is one of -1, -1 + 2/(L-1), ..., 1.
      num_components: M.
      min_scale: smallest scale, in bins. Nothing is gained below: the bin's probability is then 1 already.

    Raises:
      ValueError: x_dim or num_components below 1, levels below 2, or min_scale not positive.
    """

    label = "discretized mixture of logistics"
    reference = "logistics by mean and variance"
    discrete = True
    takes_missing = True

    def __init__(self, x_dim: int, levels: int | None = 256, num_components: int = 5, min_scale: float = 0.05):
        require_at_least(1, x_dim=x_dim, num_components=num_components)
        if levels is None:
            raise ValueError("levels must be given: quantise the data, for instance quantize=256")
        require_at_least(2, levels=levels)
        if not min_scale > 0.0:
            raise ValueError(f"min_scale must be positive, got {min_scale}")
        self.x_dim = x_dim
        self.levels = levels
        self.num_components = num_components
        self.param_dim = 3 * num_components * x_dim
        self.min_scale = min_scale * 2.0 / (levels - 1)

    def __call__(self, params: Tensor) -> DiscretizedLogisticMixture:
        logits, loc, raw = (part.unflatten(-1, (self.x_dim, -1)) for part in params.chunk(3, -1))
        return DiscretizedLogisticMixture(logits.log_softmax(-1), loc, positive(raw, self.min_scale), self.levels)

    def dims_of_params(self) -> Sequence[int]:
        return [d for d in range(self.x_dim) for _ in range(self.num_components)] * 3

    def initial_params(self) -> Tensor:
        """Equal weights, and components side by side over the middle of the grid."""
        width = torch.full((self.x_dim,), 0.3)
        return self._params(torch.zeros(self.x_dim), width, width / self.num_components)

    def fit(self, x: Tensor) -> Tensor:
        """All components equal: a logistic with the mean and the variance of each dimension."""
        mean, std = moments(x)
        return self._params(mean, torch.zeros_like(std), std * (3.0**0.5 / torch.pi))

    def check(self, x: Tensor) -> None:
        """Raises ValueError unless x lies on the grid."""
        points = (x + 1.0) * (0.5 * (self.levels - 1))
        off = (points - points.round()).abs().max()
        inside = bool((x >= -1.0 - 1e-6).all()) and bool((x <= 1.0 + 1e-6).all())  # NaN is in no range
        if not inside or float(off) > 1e-3 * max(1.0, self.levels / 4096):
            raise ValueError(
                f"a discretized mixture of logistics needs values on a grid of levels = {self.levels} points from -1 "
                f"to 1, but x ranges from {float(x.min()):.4g} to {float(x.max()):.4g} and is {float(off):.2g} bins "
                f"off; quantise the data (data=audio data.quantize={self.levels}), or choose likelihood=gaussian"
            )

    def _params(self, mean: Tensor, spread: Tensor, scale: Tensor) -> Tensor:
        m = self.num_components
        offsets = torch.linspace(-1.0, 1.0, m) if m > 1 else torch.zeros(1)
        loc = mean[:, None] + spread[:, None] * offsets  # [D, M]
        scale = scale.clamp_min(2.0 * self.min_scale)
        raw = inverse_positive(scale, self.min_scale)[:, None].expand(-1, m)
        return torch.cat([torch.zeros(m * self.x_dim), loc.flatten(), raw.flatten()])
