"""The contract of an objective, and what it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from vrnn.batch import Batch
from vrnn.models.base import Forward, SequenceModel

Kind = Literal["exact", "lower_bound", "upper_bound", "estimate"]


class Estimate(NamedTuple):
    """What one batch says.

    Attributes:
      loss: what is minimised [], in nats per step, so that a clip means the same for every length and batch size.
      bound: the plain bound on log p(x), never weighted by beta [B], in nats per sequence, detached.
      sums: totals over the batch, each [], detached; divided by the summed `sequences` or `steps` they are means.
      state: the model's state after the batch.
      kl: KL of every step [B, T] in nats, 0 where padded, detached.
      variance: Monte-Carlo variance of each bound [B], detached; None where one sample cannot tell.
      ess: effective sample size after every step [B, T], 0 where padded, detached; None where it is not followed.
    """

    loss: Tensor
    bound: Tensor
    sums: dict[str, Tensor]
    state: tuple
    kl: Tensor
    variance: Tensor | None = None
    ess: Tensor | None = None


class Objective(ABC):
    """A bound on log p(x), of any model.

    Attributes:
      name: as it is called in file names and tables.
      num_samples: K, the draws of the noise per sequence; the noise of a batch is [B * K, T, `noise_dim`].
    """

    name: str
    num_samples: int

    @abstractmethod
    def __call__(self, model: Forward, batch: Batch, step: int, noise: Tensor, state: tuple | None = None) -> Estimate:
        """The estimate on a batch.

        Args:
          model: the forward pass of any.
          batch: B sequences.
          step: number of updates done, which schedules are functions of.
          noise: standard normal [B * K, T, `noise_dim`]; sample k of sequence b is row b K + k.
          state: what the same sequences' previous chunk returned, to go on from; None: they begin here.
        """

    @abstractmethod
    def weights(self, step: int) -> tuple[float, ...]:
        """Every number in the estimate that depends on the updates done, at `step` of them; () where none does.

        A CUDA graph repeats the numbers that it was captured with, and so is captured for these alone.
        """

    def noise_dim(self, model: SequenceModel) -> int:
        """Size of the noise of one step: the model's Z, and what the objective itself draws."""
        return model.z_dim

    @abstractmethod
    def kind(self, model: SequenceModel) -> Kind:
        """What the bound is to log p(x)."""


def totals(bound: Tensor, kl: Tensor, batch: Batch) -> dict[str, Tensor]:
    """The sums of an Estimate, from bounds [B] and KLs [B]."""
    return {
        "log_likelihood": bound.sum(),
        "kl": kl.sum(),
        "sequences": torch.full((), batch.size, device=bound.device),
        "steps": batch.mask.sum(),
    }


def masked_sum(values: Tensor, mask: Tensor) -> Tensor:
    """Sum over the real steps: values [B, T], mask [B, T] -> [B]."""
    return torch.where(mask, values, 0.0).sum(1)
