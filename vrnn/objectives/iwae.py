"""The importance-weighted bound, and the paper's estimate of the log-likelihood."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vrnn.batch import Batch
from vrnn.models.base import Forward, SequenceModel
from vrnn.nn import require_at_least
from vrnn.objectives.base import Estimate, Kind, Objective, masked_sum, totals


class IWAE(Objective):
    """log 1/K sum_k w_k, w_k = prod_t p(x_t, z_t | past) / q(z_t | x_t, past) with z from q (Burda et al. 2016, eq. 8).

    In expectation it is a lower bound that grows with K and is the ELBO at K = 1. With 40 samples it is the estimate
    of the log-likelihood in the paper's Table 1. The samples are folded into the batch. For a model without latent
    variables all weights are the likelihood, and it is exact.

    Args:
      num_samples: K.

    Raises:
      ValueError: num_samples below 1.
    """

    name = "iwae"

    def __init__(self, num_samples: int):
        require_at_least(1, num_samples=num_samples)
        self.num_samples = num_samples

    def __call__(self, model: Forward, batch: Batch, step: int, noise: Tensor, state: tuple | None = None) -> Estimate:
        samples = self.num_samples
        folded = batch.repeated(samples)
        terms, after = model(folded, noise, state)
        log_weights = masked_sum(terms.log_px + terms.log_ratio, folded.mask).view(-1, samples)  # [B, K]
        bound = log_weights.logsumexp(1) - math.log(samples)  # [B]
        kl = torch.where(folded.mask, terms.kl.detach(), 0.0).unflatten(0, (-1, samples)).mean(1)  # [B, T]
        sums = totals(bound.detach(), kl.sum(1), batch)
        loss = -bound.sum() / sums["steps"]
        return Estimate(loss, bound.detach(), sums, after, kl, self.variance(log_weights.detach()))

    def weights(self, step: int) -> tuple[()]:
        return ()

    def kind(self, model: SequenceModel) -> Kind:
        return "estimate" if model.z_dim else "exact"

    def variance(self, log_weights: Tensor) -> Tensor | None:
        """Of log mean_k w_k [B] by the jackknife, from log weights [B, K].

        (K - 1)/K sum_k (l_k - mean l)^2, where l_k is the bound without sample k (Efron and Stein 1981). What it is to
        first order, Var(w) / (K E[w]^2), can never be above 1, which is far too little where few weights make the sum.
        """
        if self.num_samples == 1:
            return None
        total = log_weights.logsumexp(1, keepdim=True)  # [B, 1]
        largest = log_weights.argmax(1, keepdim=True)  # 1 - its share cancels, so what is left without it is summed
        rest = log_weights.scatter(1, largest, -math.inf).logsumexp(1, keepdim=True) - total
        without = torch.log1p(-(log_weights - total).exp()).scatter(1, largest, rest)  # [B, K]
        return (self.num_samples - 1) * without.var(1, correction=0)
