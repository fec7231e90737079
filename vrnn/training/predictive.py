"""One-step predictive densities log p(x_t | x_<t) of every step, by a particle filter."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import torch
from torch import Tensor

from vrnn.batch import Batch
from vrnn.models.base import SequenceModel, State, at
from vrnn.resampling import systematic
from vrnn.training.noise import keyed_noise


class Predictive(NamedTuple):
    """Densities of each step given those before it, in nats; 0 where padded or where nothing was observed.

    Attributes:
      log_px: log p(x_t | x_<t) of what was observed [B, T].
      dimensions: log p(x_{t,d} | x_<t) of each dimension alone [B, T, D]; None: not asked for.
      effective: effective number of particles before step t's resampling [B, T].
    """

    log_px: Tensor
    dimensions: Tensor | None
    effective: Tensor


@torch.no_grad()
def predictive(
    model: SequenceModel, batch: Batch, *, num_samples: int, seed: int, dimensions: bool = False
) -> Predictive:
    """Estimates the predictive densities by sequential importance sampling with the posterior as the proposal.

    log p(x_t | x_<t) ~ log sum_k W_k p(x_t | z_k, past) p(z_k | past) / q(z_k | x, past), W the normalised weights
    after t - 1 steps; particles are resampled (systematically) where their effective number is below K / 2 (Doucet and
    Johansen 2009, sections 3.4 and 3.5). exp of the sum over t is unbiased for p(x). A model without latent variables
    is exact. The density of a dimension alone has the same weights. Draws are keyed by sequence, so no number depends
    on the batch.

    Args:
      model: any, in evaluation mode, on the batch's device.
      batch: B sequences.
      num_samples: K.
      seed: keys the draws, together with each sequence's number.
      dimensions: whether to find that of each dimension as well, which takes D + 1 times as long.

    Raises:
      ValueError: dimensions, with a likelihood that has no density of some dimensions alone.
    """
    if dimensions:
        model.likelihood.require_missing()
    size, steps, x_dim = batch.x.shape
    samples = num_samples if model.z_dim else 1
    draws = keyed_noise(seed, batch, samples, model.z_dim + 1).to(batch.x.dtype)  # the last one is for resampling
    uniform = torch.special.ndtr(draws[:, :, -1].unflatten(0, (size, samples))[:, 0])  # [B, T]
    inputs, state = model.prepare(batch), model.initial_state(size * samples)
    log_weights = batch.x.new_full((size, samples), -math.log(samples))
    seen = torch.ones_like(batch.x, dtype=torch.bool) if batch.observed is None else batch.observed
    seen = seen & batch.mask[..., None]
    log_px, effective = batch.x.new_zeros(size, steps), batch.x.new_zeros(size, steps)
    alone = batch.x.new_zeros(size, steps, x_dim) if dimensions else None
    for t in range(steps):
        now = _repeated(at(inputs, t), samples)
        noise = draws[:, t, :-1]
        if alone is not None:
            for d in range(x_dim):
                only = torch.zeros_like(now.x, dtype=torch.bool)
                only[:, d] = True
                terms, _ = model.step(now._replace(observed=only), state, noise)
                nats = (terms.log_px + terms.log_ratio).view(size, samples)
                alone[:, t, d] = (log_weights + nats).logsumexp(1)
        terms, state = model.step(now, state, noise)
        joint = log_weights + (terms.log_px + terms.log_ratio).view(size, samples)
        log_px[:, t] = joint.logsumexp(1)
        log_weights = joint - log_px[:, t, None]
        effective[:, t] = torch.exp(-(2.0 * log_weights).logsumexp(1))
        if samples > 1:
            state, log_weights = _resampled(state, log_weights, effective[:, t], uniform[:, t])
    log_px = torch.where(seen.any(-1), log_px, 0.0)
    return Predictive(log_px, None if alone is None else torch.where(seen, alone, 0.0), effective)


def _repeated(fields: Any, times: int) -> Any:
    """A NamedTuple of tensors [B, ...] (or None) with every row `times` times in a row."""
    parts = [None if field is None else field.repeat_interleave(times, 0) for field in fields]
    return type(fields)(*parts)


def _resampled(state: State, log_weights: Tensor, effective: Tensor, uniform: Tensor) -> tuple[State, Tensor]:
    """States [B * K, ...] and log weights [B, K] after resampling the rows whose particles have degenerated."""
    size, samples = log_weights.shape
    chosen = systematic(log_weights.exp(), uniform[:, None])
    few = (effective < samples / 2)[:, None]
    chosen = torch.where(few, chosen, torch.arange(samples, device=uniform.device))
    rows = (chosen + samples * torch.arange(size, device=uniform.device)[:, None]).flatten()
    log_weights = torch.where(few, -math.log(samples), log_weights)
    return type(state)(*(field[rows] for field in state)), log_weights
