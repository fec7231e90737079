"""Programs: what is done at every time step, as a table of numbers that compiled code follows.

An operation reads and writes tables [T, B, n], or tables that are the same at all steps [B, n], or rows that are the
same for all sequences as well [n]. It knows them by their addresses, and the program keeps them alive.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from vrnn.compiled.operations import PRODUCT, WIDTH

if TYPE_CHECKING:
    from vrnn.compiled.machine import Machine


class Program:
    """Operations in the order in which each time step does them.

    Args:
      like: has the type and the batch size of all tables, [T, B, n].
    """

    def __init__(self, like: Tensor):
        self.size = like.shape[1]
        self.machine = machine_of(like.dtype)
        self.operations: list[list[int]] = []
        self.kept: list[Tensor] = []

    def add(self, kind: int, *operands: Tensor) -> None:
        """An element-wise operation on what it reads, then what it writes."""
        self._append([kind, operands[0].shape[-1], 0, 0, 0], operands)

    def product(self, a: Tensor, weight: Tensor, first: Tensor, out: Tensor, relu: bool = False) -> None:
        """out = first + a @ weight, or the ReLU of it; a weight [K, N] is taken as it is now."""
        (length, width), panel, size = weight.shape, self.machine.panel, weight.element_size()
        packed = weight.new_empty(-(-width // panel) * length, panel)
        steps = (stride * size for stride in weight.stride())
        self.machine.pack(weight.data_ptr(), *steps, length, width, packed.data_ptr(), panel)
        self._append([PRODUCT, width, length, int(relu), panel], (a, packed, first, out))

    def run(self, start: int, step: int, turns: int) -> None:
        """All operations at the time steps start, start + step and so on."""
        table = np.array(self.operations, np.int64)
        self.machine.run(table.ctypes.data, len(table), start, step, turns, self.size)

    def _append(self, header: list[int], operands: tuple[Tensor, ...]) -> None:
        numbers = header
        for tensor in operands:
            if tensor.stride(-1) != 1 and tensor.shape[-1] > 1:
                raise ValueError(f"elements of a row must lie side by side, got strides {tensor.stride()}")
            time, row, _ = (0, 0, 0, *tensor.stride())[-3:]
            numbers += [tensor.data_ptr(), row * tensor.element_size(), time * tensor.element_size()]
        self.kept += operands
        self.operations.append(numbers + [0] * (WIDTH - len(numbers)))


def machine_of(dtype: torch.dtype) -> Machine:
    """What runs programs of this type."""
    from vrnn.compiled import machine  # LLVM is loaded by who runs one

    return machine.machine(str(dtype).removeprefix("torch."))
