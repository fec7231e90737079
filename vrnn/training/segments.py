"""Back-propagation that keeps less: a sequence's activations are computed again, a segment at a time."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vrnn.batch import Batch
from vrnn.models.base import SequenceModel, SequenceTerms


class Segmented(nn.Module):
    """A model whose forward keeps the states between segments of time, and the activations of one segment.

    The gradient is that of the model. With about sqrt(T) segments memory grows with sqrt(T) instead of T, for one more
    forward pass (Chen et al. 2016, arXiv 1604.06174).

    Args:
      model: any.
      count: segments that a batch is cut into.
    """

    def __init__(self, model: SequenceModel, count: int):
        super().__init__()
        self.model = model
        self.count = count

    def forward(self, batch: Batch, noise: Tensor, state: tuple | None = None) -> tuple[SequenceTerms, tuple]:
        """What the model returns."""
        width = math.ceil(batch.steps / self.count)
        state = self.model.initial_state(batch.size) if state is None else state
        found: list[SequenceTerms] = []
        for stretch, part in zip(batch.stretches(width), noise.split(width, 1), strict=True):
            terms, state = checkpoint(self.model, stretch, part, state, use_reentrant=False, preserve_rng_state=False)
            found.append(terms)
        return SequenceTerms(*(torch.cat(parts, 1) for parts in zip(*found, strict=True))), state
