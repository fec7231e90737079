"""Programs: what is done at every time step, as a table of numbers that compiled code follows.

An operation reads and writes tables [T, B, n], or tables that are the same at all steps [B, n], or rows that are the
same for all sequences as well [n]. It knows them by their addresses, and the program keeps them alive.
"""

from __future__ import annotations

import numpy as np
from torch import Tensor

OPERANDS = 14  # that an operation can have, each of three numbers; see vrnn.compiled.rows
HEADER = 5  # numbers before them: operation, columns, and for a product K, whether a ReLU follows, columns of a panel
PRODUCT, GRU, OF_GRU, LSTM, OF_LSTM, DRAW, OF_DRAW, OF_RELU = range(8)


class Program:
    """Operations in the order in which each time step does them.

    Args:
      like: has the type and the batch size of all tables, [T, B, n].
    """

    def __init__(self, like: Tensor):
        self.size = like.shape[1]
        self.like = np.zeros((), str(like.dtype).removeprefix("torch."))[()]
        self.operations: list[list[int]] = []
        self.kept: list[Tensor] = []

    def add(self, kind: int, *operands: Tensor) -> None:
        """An element-wise operation on what it reads, then what it writes."""
        self._append([kind, operands[0].shape[-1], 0, 0, 0], operands)

    def product(self, a: Tensor, w: Tensor, first: Tensor, out: Tensor, relu: bool = False) -> None:
        """out = first + a @ w, or the ReLU of it, for packed weights w."""
        _, length, panel = w.shape
        self._append([PRODUCT, out.shape[-1], length, int(relu), panel], (a, w.view(-1, panel), first, out))

    def run(self, start: int, stop: int, step: int = 1) -> None:
        """All operations for t in range(start, stop, step)."""
        from vrnn.compiled import machine  # numba is loaded by who compiles

        machine.run(np.array(self.operations, np.int64), start, stop, step, self.size, self.like)

    def _append(self, header: list[int], operands: tuple[Tensor, ...]) -> None:
        numbers = header
        for tensor in operands:
            if tensor.stride(-1) != 1 and tensor.shape[-1] > 1:
                raise ValueError(f"elements of a row must lie side by side, got strides {tensor.stride()}")
            time, row, _ = (0, 0, 0, *tensor.stride())[-3:]
            numbers += [tensor.data_ptr(), row * tensor.element_size(), time * tensor.element_size()]
        self.kept += operands
        self.operations.append(numbers + [0] * (HEADER + 3 * OPERANDS - len(numbers)))


def pack(weight: Tensor) -> Tensor:
    """A weight [K, N], or the transpose of one, in panels [panels, K, columns]."""
    from vrnn.compiled import machine

    panel = machine.PANEL[str(weight.dtype).removeprefix("torch.")]
    length, width = weight.shape
    out = weight.new_empty(-(-width // panel), length, panel)
    flat = weight.detach().as_strided((weight.numel(),), (1,))
    machine.pack(flat.numpy(), *weight.stride(), width, out.numpy())
    return out
