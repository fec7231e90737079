"""Bounds on a whole split: sums of nats divided once by counts."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from vrnn.data.splits import Sequences
from vrnn.models.base import SequenceModel
from vrnn.objectives.base import Kind, Objective
from vrnn.training.metrics import Figure
from vrnn.training.noise import keyed_noise


@dataclass(frozen=True)
class Evaluation:
    """A bound on every sequence of a split.

    Attributes:
      bounds: nats of each sequence, in the split's order [N], float64, on the CPU.
      lengths: steps of each sequence [N].
      kl: KL of all sequences together, in nats; 0 for a model without latent variables.
      kind: what the bounds are to log p(x).
    """

    bounds: Tensor
    lengths: Tensor
    kl: float
    kind: Kind

    def figures(self, split: str, log_det: float) -> dict[str, Figure]:
        """The split's figures: per sequence and per step, normalized and raw, and the KL.

        Args:
          split: first part of the keys, "valid" or "test".
          log_det: nats per step between normalized and raw space (Standardisation.log_det).
        """
        normalized = self._figures(f"{split}/log_likelihood", self.bounds, "normalized")
        raw = self._figures(f"{split}/raw_log_likelihood", self.bounds - log_det * self.lengths.double(), "raw")
        num = len(self.bounds)
        kl = Figure(self.kl / num, None, num, "nats per sequence", "normalized", "estimate")
        return {**normalized, **raw, f"{split}/kl": kl}

    def _figures(self, key: str, nats: Tensor, space: str) -> dict[str, Figure]:
        num, steps = len(nats), float(self.lengths.sum())
        per_sequence, per_step = float(nats.mean()), float(nats.sum()) / steps
        # The standard error of a ratio of sums, by its linearisation (Cochran 1977, section 2.11).
        residual = (nats - per_step * self.lengths.double()) * num / steps
        return {
            key: Figure(per_sequence, _standard_error(nats), num, "nats per sequence", space, self.kind),
            f"{key}_per_step": Figure(per_step, _standard_error(residual), num, "nats per step", space, self.kind),
        }


def _standard_error(values: Tensor) -> float | None:
    """Standard error of the mean of values [N]; a single one has none."""
    return float(values.std()) / math.sqrt(len(values)) if len(values) > 1 else None


@torch.no_grad()
def evaluate(
    model: SequenceModel, objective: Objective, sequences: Sequences, *, batch_size: int, seed: int, step: int = 0
) -> Evaluation:
    """The plain bound of every sequence, the same for any batch size within float tolerance.

    Args:
      model: in the state it is to be judged in; it and the sequences are on one device.
      objective: which bound.
      sequences: one split.
      batch_size: sequences at a time.
      seed: keys the noise, together with each sequence's number.
      step: passed to the objective, whose bound does not depend on it.
    """
    draws = torch.Generator(sequences.values.device).manual_seed(seed)
    bounds = torch.zeros(len(sequences), dtype=torch.float64)
    kl = torch.zeros((), dtype=torch.float64, device=sequences.values.device)
    for index in sequences.by_length(batch_size):
        batch = sequences.batch(index, draws)
        noise = keyed_noise(seed, batch, objective.num_samples, model.z_dim)
        estimate = objective(model, batch, step, noise)
        bounds[index] = estimate.bound.double().cpu()
        kl += estimate.sums["kl"]
    return Evaluation(bounds, sequences.lengths, float(kl), objective.kind(model))
