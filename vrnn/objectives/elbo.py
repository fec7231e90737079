"""The evidence lower bound of the paper."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from vrnn.batch import Batch
from vrnn.models.base import Forward, SequenceModel
from vrnn.objectives.base import Estimate, Kind, Objective, masked_sum, totals


class ELBO(Objective):
    """sum_t log p(x_t | z_<=t, x_<t) - KL(q(z_t | x_<=t, z_<t) || p(z_t | x_<t, z_<t)) (paper, eq. 11).

    What is minimised may differ from it: - log_px + beta(step) max(kl, free_nats(step)), the maximum taken per step
    and sequence. The bound that is returned is always the plain one.

    Args:
      beta: weight of the KL after `step` updates (Bowman et al. 2016; Higgins et al. 2017).
      free_nats: KL per step below which nothing is gained (Kingma et al. 2016), after `step` updates.
    """

    name = "elbo"
    num_samples = 1

    def __init__(self, beta: Callable[[int], float], free_nats: Callable[[int], float]):
        self.beta = beta
        self.free_nats = free_nats

    def __call__(self, model: Forward, batch: Batch, step: int, noise: Tensor, state: tuple | None = None) -> Estimate:
        terms, after = model(batch, noise, state)
        log_px = masked_sum(terms.log_px, batch.mask)  # [B]
        kl = masked_sum(terms.kl, batch.mask)  # [B]
        beta, free_nats = self.weights(step)
        paid = masked_sum(terms.kl.clamp_min(free_nats), batch.mask) if free_nats > 0.0 else kl
        bound = (log_px - kl).detach()
        sums = totals(bound, kl.detach(), batch)
        loss = (beta * paid - log_px).sum() / sums["steps"]
        return Estimate(loss, bound, sums, after, torch.where(batch.mask, terms.kl.detach(), 0.0))

    def weights(self, step: int) -> tuple[float, float]:
        return self.beta(step), self.free_nats(step)

    def kind(self, model: SequenceModel) -> Kind:
        return "lower_bound" if model.z_dim else "exact"
