"""Densities without weights; each sums its event dimensions, so log_prob of x [..., D] is [...] in nats.

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

    def log_prob(self, x: Tensor) -> Tensor:
        squares = ((x - self.loc) / self.scale).square()
        return -0.5 * (squares + LOG_2PI).sum(-1) - self.scale.log().sum(-1)

    def rsample(self, noise: Tensor) -> Tensor:
        """loc + scale * noise, for standard normal noise [..., D] (Kingma and Welling 2014, section 2.4)."""
        return self.loc + self.scale * noise

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        noise = torch.randn(self.loc.shape, generator=generator, device=self.loc.device, dtype=self.loc.dtype)
        return self.rsample(noise)


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

    def log_prob(self, x: Tensor) -> Tensor:
        return -F.binary_cross_entropy_with_logits(self.logits, x, reduction="none").sum(-1)

    def sample(self, generator: torch.Generator | None = None) -> Tensor:
        return torch.bernoulli(self.mean, generator=generator)


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
        *batch, num_components = self.log_weights.shape
        weights = self.log_weights.exp().view(-1, num_components)
        choice = torch.multinomial(weights, 1, generator=generator).view(batch)
        loc, scale = (torch.take_along_dim(v, choice[..., None, None], -2).squeeze(-2) for v in (self.loc, self.scale))
        correlation = torch.take_along_dim(self.correlation, choice[..., None], -1).squeeze(-1)
        first, second = torch.randn(loc.shape, generator=generator, device=loc.device, dtype=loc.dtype).unbind(-1)
        second = correlation * first + (1.0 - correlation.square()).sqrt() * second
        pen = torch.bernoulli(self.pen_logit.sigmoid(), generator=generator)
        return torch.cat([loc + scale * torch.stack([first, second], -1), pen[..., None]], -1)
