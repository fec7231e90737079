"""Bivariate mixture with a pen, for online handwriting (Graves 2013, arXiv 1308.0850, section 4.1)."""

from __future__ import annotations

import torch
from torch import Tensor

from vrnn.distributions import BivariateMixture
from vrnn.likelihoods.density import Density
from vrnn.nn import require_at_least

# Graves's tanh reaches 1 in floating point, where the density has no ceiling; so the correlation stops short of it.
MAX_CORRELATION = 0.995


class BivariateGMM(Density):
    """A mixture of correlated normals over (dx, dy) and a Bernoulli pen.

    The parameters [..., 6 M + 1] are, in this order: weight logits M, means 2 M, raw standard deviations 2 M (through
    softplus, plus min_std), raw correlations M (through a scaled tanh), pen logit 1.

    Args:
      x_dim: must be 3: (dx, dy, pen-up).
      num_components: M; the paper has 20.
      min_std: smallest standard deviation of an offset, in units of x.
      sigma_bias: raw standard deviation that the emission starts with; None: that of std 1.

    Raises:
      ValueError: x_dim is not 3, num_components below 1, or min_std not positive.
    """

    label = "bivariate mixture + pen"
    reference = "bivariate Gaussian + pen"

    def __init__(self, x_dim: int, num_components: int = 20, min_std: float = 1e-4, sigma_bias: float | None = None):
        if x_dim != 3:
            raise ValueError(
                f"a bivariate mixture with a pen needs x_dim = 3 (dx, dy, pen-up), but these data have x_dim = {x_dim};"
                " choose another: likelihood=gaussian, or likelihood=bernoulli for binary data"
            )
        require_at_least(1, num_components=num_components)
        super().__init__(min_std, sigma_bias)
        self.x_dim = x_dim
        self.num_components = num_components
        self.param_dim = 6 * num_components + 1

    def __call__(self, params: Tensor) -> BivariateMixture:
        m = self.num_components
        logits, loc, raw, correlation, pen = params.split([m, 2 * m, 2 * m, m, 1], -1)
        return BivariateMixture(
            logits.log_softmax(-1),
            loc.unflatten(-1, (m, 2)),
            self.std(raw).unflatten(-1, (m, 2)),
            MAX_CORRELATION * correlation.tanh(),
            pen.squeeze(-1),
        )

    def initial_params(self) -> Tensor:
        """Equal weights, std 1, no correlation, and means on a small circle so that the components differ."""
        angle = torch.arange(self.num_components) * (2.0 * torch.pi / self.num_components)
        loc = 0.5 * torch.stack([angle.cos(), angle.sin()], -1) if self.num_components > 1 else torch.zeros(1, 2)
        raw = self.initial_raw(2)
        return self._params(loc, raw, torch.tensor(0.0), torch.tensor(0.1))

    def fit(self, x: Tensor) -> Tensor:
        """All components equal: one correlated normal over the offsets, and the frequency of pen-up."""
        offsets = x[:, :2]
        mean, std = offsets.mean(0), offsets.std(0, correction=0)
        # The smallest std keeps the correlation of a constant offset at 0 instead of NaN.
        correlation = ((offsets - mean) / std.clamp_min(self.min_std)).prod(-1).mean()
        raw = self.raw(std)
        return self._params(mean.expand(self.num_components, 2), raw, correlation, x[:, 2].mean())

    def check(self, x: Tensor) -> None:
        if not bool(x[:, :2].isfinite().all()):
            raise ValueError("a bivariate mixture needs finite offsets, but x holds NaN or infinity")
        pen = x[:, 2]
        if not bool(((pen == 0) | (pen == 1)).all()):
            raise ValueError(
                "a bivariate mixture with a pen needs the third value of every step to be 0 or 1 (pen-up), "
                f"but it ranges from {float(pen.min()):.4g} to {float(pen.max()):.4g}"
            )

    def caution(self, x: Tensor) -> str | None:
        """Of the offsets; the pen is discrete, and has a probability."""
        return super().caution(x[:, :2])

    def _params(self, loc: Tensor, raw: Tensor, correlation: Tensor, pen: Tensor) -> Tensor:
        m = self.num_components
        tanh = (correlation / MAX_CORRELATION).clamp(-0.999, 0.999)
        pen_logit = pen.clamp(1e-4, 1.0 - 1e-4).logit()
        return torch.cat([torch.zeros(m), loc.flatten(), raw.repeat(m), tanh.atanh().repeat(m), pen_logit[None]])
