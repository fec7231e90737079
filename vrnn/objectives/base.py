"""The contract of an objective, and what it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from vrnn.batch import Batch
from vrnn.models.base import SequenceModel

Kind = Literal["exact", "lower_bound", "estimate"]


class Estimate(NamedTuple):
    """What one batch says.

    Attributes:
      loss: what is minimised [], in nats per step, so that a clip means the same for every length and batch size.
      bound: the plain bound on log p(x), never weighted by beta [B], in nats per sequence, detached.
      sums: totals over the batch, each [], detached; divided by the summed `sequences` or `steps` they are means.
      state: the model's state after the batch.
    """

    loss: Tensor
    bound: Tensor
    sums: dict[str, Tensor]
    state: tuple


class Objective(ABC):
    """A bound on log p(x), of any model.

    Attributes:
      name: as it is called in file names and tables.
      num_samples: K, the draws of the noise per sequence; the noise of a batch is [B * K, T, Z].
    """

    name: str
    num_samples: int

    @abstractmethod
    def __call__(
        self, model: SequenceModel, batch: Batch, step: int, noise: Tensor, state: tuple | None = None
    ) -> Estimate:
        """The estimate on a batch; `step` is the number of updates done, which schedules are functions of."""

    @abstractmethod
    def kind(self, model: SequenceModel) -> Kind:
        """What the bound is to log p(x)."""


def masked_sum(values: Tensor, mask: Tensor) -> Tensor:
    """Sum over the real steps: values [B, T], mask [B, T] -> [B]."""
    return torch.where(mask, values, 0.0).sum(1)
