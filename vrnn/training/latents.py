"""What latent variables carry: the KL and the activity of each dimension."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from vrnn.distributions import DiagonalNormal, kl_divergence
from vrnn.models.base import Inference

ACTIVE = 0.01  # variance of the posterior's mean from which on a dimension is active
USELESS = 0.05  # nats per step below which the latents carry next to nothing


class Usage:
    """Sums over steps, from which the KL and the activity of every dimension follow.

    Args:
      z_dim: Z.
    """

    def __init__(self, z_dim: int):
        self.count = 0
        self.nats, self.sums, self.squares = (torch.zeros(z_dim, dtype=torch.float64) for _ in range(3))

    def add(self, found: Inference, mask: Tensor) -> None:
        """Adds the real steps of a batch; mask [B, T]."""
        posterior, prior = found.posterior, found.prior
        # Of one dimension at a time: the same divergence, of distributions [..., Z, 1].
        single = [DiagonalNormal(*(field[..., None] for field in each)) for each in (posterior, prior)]
        mean = posterior.loc[mask].double()
        self.nats += kl_divergence(single[0], single[1])[mask].double().sum(0).cpu()
        self.sums += mean.sum(0).cpu()
        self.squares += mean.square().sum(0).cpu()
        self.count += len(mean)

    @property
    def kl(self) -> Tensor:
        """KL(q || p) of each dimension in nats per step, averaged over all steps [Z]."""
        return self.nats / self.count

    @property
    def variance(self) -> Tensor:
        """Variance of the posterior's mean over all steps [Z] (Burda et al. 2016, section 5.1, A_u)."""
        return (self.squares / self.count - (self.sums / self.count).square()).clamp_min(0.0)

    @property
    def active(self) -> Tensor:
        """Whether each dimension is active: its variance is above 0.01 [Z]."""
        return self.variance > ACTIVE

    @property
    def warning(self) -> str | None:
        """A sentence where the latents carry nothing; None: they do."""
        total = float(self.kl.sum())
        if total > USELESS:
            return None
        return f"KL {total:.2g} nats per step: this model uses its latents no more than an RNN would"

    def rows(self) -> list[dict[str, Any]]:
        """A row for each dimension, the one with the largest KL first."""
        order = self.kl.argsort(descending=True).tolist()
        kl, variance, active = self.kl.tolist(), self.variance.tolist(), self.active.tolist()
        return [
            {"dimension": z, "KL [nats per step]": kl[z], "variance of the mean": variance[z], "active": active[z]}
            for z in order
        ]
