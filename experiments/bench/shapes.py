"""What is measured: shapes, and the model of each."""

from __future__ import annotations

import functools
from typing import Literal, NamedTuple

import torch

from vrnn.batch import Batch
from vrnn.likelihoods.bernoulli import Bernoulli
from vrnn.models.recurrence import GRU, LSTM
from vrnn.models.vrnn import VRNN

Cell = Literal["gru", "lstm"]
CELLS = {"gru": GRU, "lstm": LSTM}


class Shape(NamedTuple):
    """T steps, B sequences, x_dim, h_dim (also the nets' width) and z_dim."""

    T: int
    B: int
    x: int
    h: int
    z: int

    def __str__(self) -> str:
        return f"T {self.T}, B {self.B}, x {self.x}, h {self.h}, z {self.z}"


def make_model(shape: Shape, cell: Cell = "gru", seed: int = 0) -> VRNN:
    """The layout of `conf/model/vrnn.yaml` under a Bernoulli likelihood: 185,092 parameters at x 28, h 100, z 16."""
    torch.manual_seed(seed)
    h = shape.h
    recurrence = functools.partial(CELLS[cell], h_dim=h)
    return VRNN(shape.x, shape.z, Bernoulli(shape.x), recurrence, [h, h], [h], [h], [h, h], [h, h])


def make_batch(shape: Shape, device: torch.device | str = "cpu", seed: int = 0) -> Batch:
    """Grey values in [0, 1], all sequences T long."""
    generator = torch.Generator().manual_seed(seed)
    return Batch.of(torch.rand(shape.B, shape.T, shape.x, generator=generator).to(device))
