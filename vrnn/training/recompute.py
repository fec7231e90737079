"""Back-propagation that keeps less: a sequence's activations are computed again, a chunk of time after the other."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from vrnn.batch import Batch
from vrnn.models.base import SequenceModel, SequenceTerms, State, StepTerms


class Recomputed(nn.Module):
    """A model whose forward keeps the states between chunks of time, and the activations of one chunk.

    The gradient is that of the model. With about sqrt(T) chunks memory grows with sqrt(T) instead of T, for one more
    forward pass (Chen et al. 2016, arXiv 1604.06174). An objective that asks for single steps has each computed again.

    Args:
      model: any.
      num_chunks: chunks that a batch is cut into.

    Raises:
      ValueError: the model's posterior looks ahead, so that the bound of chunks is another.
    """

    def __init__(self, model: SequenceModel, num_chunks: int):
        super().__init__()
        if model.looks_ahead:
            name = type(model).__name__
            raise ValueError(
                f"checkpoint_segments must be null: the posterior of this {name} looks ahead, and would see no further "
                "than a segment"
            )
        self.model = model
        self.num_chunks = num_chunks
        self.initial_state, self.prepare = model.initial_state, model.prepare

    def step(self, inputs: Any, state: State, noise: Tensor) -> tuple[StepTerms, State]:
        """What the model's step returns."""
        return checkpoint(self.model.step, inputs, state, noise, use_reentrant=False, preserve_rng_state=False)

    def forward(self, batch: Batch, noise: Tensor, state: tuple | None = None) -> tuple[SequenceTerms, tuple]:
        """What the model returns."""
        steps = math.ceil(batch.steps / self.num_chunks)
        state = self.model.initial_state(batch.size) if state is None else state
        chunks: list[SequenceTerms] = []
        for chunk, eps in zip(batch.chunks(steps), noise.split(steps, 1), strict=True):
            terms, state = checkpoint(self.model, chunk, eps, state, use_reentrant=False, preserve_rng_state=False)
            chunks.append(terms)
        return SequenceTerms(*(torch.cat(fields, 1) for fields in zip(*chunks, strict=True))), state
