"""Mixture of Gaussians over the whole frame, the paper's emission for speech (Chung et al. 2015, section 4)."""

from __future__ import annotations

import torch
from torch import Tensor

from vrnn.distributions import Mixture
from vrnn.likelihoods.base import moments
from vrnn.likelihoods.density import Density
from vrnn.nn import require_at_least


class GMM(Density):
    """p(x) = sum_m weight_m N(x; mean_m, diag(std_m^2)): one set of M weights for the D values of a step together.

    The parameters [..., M (1 + 2 D)] are, in this order: weight logits M, means M D, raw standard deviations M D
    (through softplus, plus min_std).

    Args:
      x_dim: D.
      num_components: M; the paper has 20.
      min_std: smallest standard deviation, in units of x.
      sigma_bias: raw standard deviation that the emission starts with; None: that of std 1.

    Raises:
      ValueError: x_dim or num_components below 1, or min_std not positive.
    """

    label = "mixture of Gaussians"
    reference = "Gaussian"
    takes_missing = True

    def __init__(self, x_dim: int, num_components: int = 20, min_std: float = 1e-4, sigma_bias: float | None = None):
        super().__init__(min_std, sigma_bias)
        require_at_least(1, x_dim=x_dim, num_components=num_components)
        self.x_dim = x_dim
        self.num_components = num_components
        self.param_dim = num_components * (1 + 2 * x_dim)

    def __call__(self, params: Tensor) -> Mixture:
        m, d = self.num_components, self.x_dim
        logits, loc, raw = params.split([m, m * d, m * d], -1)
        return Mixture(logits.log_softmax(-1), loc.unflatten(-1, (m, d)), self.std(raw).unflatten(-1, (m, d)))

    def initial_params(self) -> Tensor:
        """Equal weights and means 0; the emission's random weights tell the components apart."""
        return self._params(torch.zeros(self.x_dim), self.initial_raw(self.x_dim))

    def fit(self, x: Tensor) -> Tensor:
        """All components equal: one Gaussian."""
        mean, std = moments(x)
        return self._params(mean, self.raw(std))

    def _params(self, mean: Tensor, raw: Tensor) -> Tensor:
        m = self.num_components
        return torch.cat([torch.zeros(m), mean.repeat(m), raw.repeat(m)])
