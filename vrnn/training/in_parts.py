"""A model that takes so many rows at a time."""

from __future__ import annotations

import torch
from torch import Tensor

from vrnn.batch import Batch
from vrnn.models.base import SequenceModel, SequenceTerms


class InParts:
    """A model that takes so many rows at a time, since the samples of one long sequence may be too many at once."""

    def __init__(self, model: SequenceModel, rows: int):
        self.model = model
        self.rows = rows
        self.initial_state, self.prepare, self.step = model.initial_state, model.prepare, model.step

    def __call__(self, batch: Batch, noise: Tensor, _: None = None) -> tuple[SequenceTerms, tuple]:
        fields = (*batch.fields, noise)
        parts = zip(*(field.split(self.rows) for field in fields), strict=True)
        found = [self.model(Batch(*rows), eps) for *rows, eps in parts]
        terms, states = (
            type(values[0])(*(torch.cat(field) for field in zip(*values, strict=True)))
            for values in zip(*found, strict=True)
        )
        return terms, states
