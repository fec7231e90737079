"""Densities without weights; each sums its event dimensions, so log_prob of x [..., D] is [...] in nats.

Where D dimensions are independent (in each component of a mixture, say), `log_prob(x, observed)` is the marginal
density of the dimensions that were observed, which is the sum over these alone; of none it is log 1 = 0.

Why not torch.distributions: its `sample` takes no generator, so a run could not be replayed, and its argument
validation synchronises with the GPU at every step. The tests hold these densities to torch's and scipy's.
"""

from __future__ import annotations

import math
from typing import NamedTuple, Protocol

import torch
import torch.nn.functional as F
from torch import Tensor

LOG_2PI = math.log(2.0 * math.pi)


class Distribution(Protocol):
    """What a likelihood returns: a distribution of x [..., D]."""

    @property
    def mean(self) -> Tensor:
        """E[x] [..., D]."""

    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) [...] in nats, for x [..., D]."""

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        """One draw [..., D]; the generator lies on the device of the parameters."""


class DiagonalNormal(NamedTuple):
    """N(loc, diag(scale^2)).

    Attributes:
      loc: mean [..., D].
      scale: standard deviation [..., D], positive.
    """

    loc: Tensor
    scale: Tensor

    @property
    def mean(self) -> Tensor:
        return self.loc

    def log_prob(self, x: Tensor, observed: Tensor | None = None) -> Tensor:
        squares = ((x - self.loc) / self.scale).square()
        if observed is None:
            return -0.5 * (squares + LOG_2PI).sum(-1) - self.scale.log().sum(-1)
        return sum_observed(-0.5 * (squares + LOG_2PI) - self.scale.log(), observed)

    def rsample(self, noise: Tensor) -> Tensor:
        """loc + scale * noise, for standard normal noise [..., D] (Kingma and Welling 2014, section 2.4)."""
        return self.loc + self.scale * noise

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        noise = torch.randn(self.loc.shape, generator=generator, device=self.loc.device, dtype=self.loc.dtype)
        return self.rsample(noise)


def sum_observed(nats: Tensor, observed: Tensor) -> Tensor:
    """Sum over the dimensions that were observed: nats [..., D], observed [..., D] -> [...]."""
    return torch.where(observed, nats, 0.0).sum(-1)


def choose(log_weights: Tensor, generator: torch.Generator | None = None) -> Tensor:
    """The number of a component [...], drawn by its log weight [..., M]."""
    weights = log_weights.exp().reshape(-1, log_weights.shape[-1])
    return torch.multinomial(weights, 1, generator=generator).view(log_weights.shape[:-1])


def kl_divergence(q: DiagonalNormal, p: DiagonalNormal) -> Tensor:
    """KL(q || p) [...] in nats.

    sum_d log(p.scale / q.scale) + (q.scale^2 + (q.loc - p.loc)^2) / (2 p.scale^2) - 1/2
    """
    ratio = q.scale / p.scale
    squares = ratio.square() + ((q.loc - p.loc) / p.scale).square()
    return (0.5 * (squares - 1.0) - ratio.log()).sum(-1)


class Bernoulli(NamedTuple):
    """D independent Bernoulli variables; x in [0, 1] is allowed, and then -log_prob is the cross-entropy.

    Attributes:
      logits: log p / (1 - p) [..., D]; never probabilities, whose logarithm is NaN at 0 and 1.
    """

    logits: Tensor

    @property
    def mean(self) -> Tensor:
        return self.logits.sigmoid()

    def log_prob(self, x: Tensor, observed: Tensor | None = None) -> Tensor:
        nats = -F.binary_cross_entropy_with_logits(self.logits, x, reduction="none")
        return nats.sum(-1) if observed is None else sum_observed(nats, observed)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        return torch.bernoulli(self.mean, generator=generator)


class Mixture(NamedTuple):
    """A mixture of M diagonal normals over the whole of x: sum_m weight_m N(x; loc_m, diag(scale_m^2)).

    Attributes:
      log_weights: normalised log mixture weights [..., M].
      loc: component means [..., M, D].
      scale: component standard deviations [..., M, D], positive.
    """

    log_weights: Tensor
    loc: Tensor
    scale: Tensor

    @property
    def mean(self) -> Tensor:
        return (self.log_weights.exp()[..., None] * self.loc).sum(-2)

    def log_prob(self, x: Tensor, observed: Tensor | None = None) -> Tensor:
        seen = None if observed is None else observed[..., None, :]
        log_normal = DiagonalNormal(self.loc, self.scale).log_prob(x[..., None, :], seen)  # [..., M]
        return torch.logsumexp(self.log_weights + log_normal, -1)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        choice = choose(self.log_weights, generator)[..., None, None]
        loc, scale = (torch.take_along_dim(field, choice, -2).squeeze(-2) for field in (self.loc, self.scale))
        return DiagonalNormal(loc, scale).sample(generator)


class DiscretizedLogisticMixture(NamedTuple):
    """D independent mixtures of M logistics, each integrated over the bins of a grid in [-1, 1].

    p(x_d) = sum_m weight_m (F_m(x_d + 1/(L-1)) - F_m(x_d - 1/(L-1))), F_m the distribution function of the m-th
    logistic; the first and last bin take the tails (Salimans et al. 2017, arXiv 1701.05517, eq. 2). It is a
    probability, not a density, and sums to 1 over the grid.

    Attributes:
      log_weights: normalised log mixture weights [..., D, M].
      loc: component means [..., D, M].
      scale: component scales [..., D, M], positive.
      levels: L, points of the grid -1, -1 + 2/(L-1), ..., 1.
    """

    log_weights: Tensor
    loc: Tensor
    scale: Tensor
    levels: int

    @property
    def mean(self) -> Tensor:
        """Of the mixture before it is cut into bins, no further out than the grid."""
        return (self.log_weights.exp() * self.loc).sum(-1).clamp(-1.0, 1.0)

    def log_prob(self, x: Tensor, observed: Tensor | None = None) -> Tensor:
        half = 1.0 / (self.levels - 1)
        distance = x[..., None] - self.loc
        above, below = (distance + half) / self.scale, (distance - half) / self.scale
        # log(F(a) - F(b)) without cancellation: F(a) - F(b) = F(a) F(-b) (1 - exp(b - a)).
        inside = F.logsigmoid(above) + F.logsigmoid(-below) + torch.log(-torch.expm1(-2.0 * half / self.scale))
        x = x[..., None]
        log_bin = torch.where(x <= half - 1.0, F.logsigmoid(above), inside)
        log_bin = torch.where(x >= 1.0 - half, F.logsigmoid(-below), log_bin)
        nats = torch.logsumexp(self.log_weights + log_bin, -1)
        return nats.sum(-1) if observed is None else sum_observed(nats, observed)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        choice = choose(self.log_weights, generator)[..., None]
        loc, scale = (torch.take_along_dim(field, choice, -1).squeeze(-1) for field in (self.loc, self.scale))
        uniform = torch.rand(loc.shape, generator=generator, device=loc.device, dtype=loc.dtype)
        eps = torch.finfo(loc.dtype).eps
        x = loc + scale * uniform.clamp(eps, 1.0 - eps).logit()
        step = 2.0 / (self.levels - 1)
        return (((x.clamp(-1.0, 1.0) + 1.0) / step).round() * step - 1.0).clamp(-1.0, 1.0)


class BivariateMixture(NamedTuple):
    """A mixture of M correlated normals over (dx, dy), times a Bernoulli pen (Graves 2013, arXiv 1308.0850, eq. 23-26).

    p(x) = sum_m weight_m N2(dx, dy; loc_m, scale_m, correlation_m) * Bernoulli(pen; pen_logit)

    Attributes:
      log_weights: normalised log mixture weights [..., M].
      loc: component means [..., M, 2].
      scale: component standard deviations [..., M, 2], positive.
      correlation: correlation of dx and dy [..., M], inside (-1, 1).
      pen_logit: logit of pen-up [...].
    """

    log_weights: Tensor
    loc: Tensor
    scale: Tensor
    correlation: Tensor
    pen_logit: Tensor

    @property
    def mean(self) -> Tensor:
        offsets = (self.log_weights.exp()[..., None] * self.loc).sum(-2)
        return torch.cat([offsets, self.pen_logit.sigmoid()[..., None]], -1)

    def log_prob(self, x: Tensor) -> Tensor:
        dx, dy = ((x[..., None, :2] - self.loc) / self.scale).unbind(-1)  # [..., M]
        rest = 1.0 - self.correlation.square()
        squares = (dx.square() + dy.square() - 2.0 * self.correlation * dx * dy) / rest
        log_normal = -0.5 * (squares + rest.log()) - self.scale.log().sum(-1) - LOG_2PI
        log_offsets = torch.logsumexp(self.log_weights + log_normal, -1)
        return log_offsets - F.binary_cross_entropy_with_logits(self.pen_logit, x[..., 2], reduction="none")

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        choice = choose(self.log_weights, generator)
        loc, scale = (torch.take_along_dim(v, choice[..., None, None], -2).squeeze(-2) for v in (self.loc, self.scale))
        correlation = torch.take_along_dim(self.correlation, choice[..., None], -1).squeeze(-1)
        first, second = torch.randn(loc.shape, generator=generator, device=loc.device, dtype=loc.dtype).unbind(-1)
        second = correlation * first + (1.0 - correlation.square()).sqrt() * second
        pen = torch.bernoulli(self.pen_logit.sigmoid(), generator=generator)
        return torch.cat([loc + scale * torch.stack([first, second], -1), pen[..., None]], -1)
