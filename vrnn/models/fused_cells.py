"""One step of a recurrence and its gradient, written into given memory: what `vrnn.models.fused` is made of.

`forward` is what the recurrence's `update` computes. For the backward, everything that does not depend on the incoming
gradient is computed for all steps at once (`coefficients`), so that a step is a few products. The gradients of the
gates lie side by side in blocks of H, in an order of the cell's own such that those of the input part and those of the
recurrent part are contiguous, and the loop can multiply them as they lie.
"""

from __future__ import annotations

from typing import ClassVar, Protocol

import torch
from torch import Tensor


class Cell(Protocol):
    """A recurrence's step for the fused loop; H-wide blocks are counted.

    Attributes:
      saved: blocks that the forward keeps for the backward.
      joint: blocks of gradients of a step.
      inputs: which of them, as slice of blocks, are of the input part, and `input_gates` the gate of each.
      recurrent: the same of the recurrent part, with `recurrent_gates`.
    """

    saved: ClassVar[int]
    joint: ClassVar[int]
    inputs: ClassVar[slice]
    input_gates: ClassVar[tuple[int, ...]]
    recurrent: ClassVar[slice]
    recurrent_gates: ClassVar[tuple[int, ...]]

    @staticmethod
    def forward(inputs: Tensor, recurrent: Tensor, saved: Tensor, before: list[Tensor], after: list[Tensor]) -> None:
        """Gates' parts [B, gates], state before -> `saved` [B, saved H] and state after, fields [B, H]."""

    @staticmethod
    def coefficients(recurrent: Tensor, saved: Tensor, before: list[Tensor], after: list[Tensor]) -> list[Tensor]:
        """What the gradients are multiplied with, for all steps [T, B, blocks, H]."""

    @staticmethod
    def backward(grads: list[Tensor], coefficients: list[Tensor], joint: Tensor) -> list[Tensor]:
        """Gradients of the state after -> `joint` [B, joint, H], and of the state before by the direct way."""


class FusedGRU:
    """Blocks of gradients: new (input part), update, reset, new (recurrent part)."""

    saved = 3  # reset, update, new
    joint = 4
    inputs = slice(0, 3)
    input_gates = (2, 1, 0)
    recurrent = slice(1, 4)
    recurrent_gates = (1, 0, 2)

    @staticmethod
    def forward(inputs: Tensor, recurrent: Tensor, saved: Tensor, before: list[Tensor], after: list[Tensor]) -> None:
        h = before[0].shape[1]
        gates, new = saved[:, : 2 * h], saved[:, 2 * h :]
        torch.add(inputs[:, : 2 * h], recurrent[:, : 2 * h], out=gates).sigmoid_()
        torch.addcmul(inputs[:, 2 * h :], gates[:, :h], recurrent[:, 2 * h :], out=new).tanh_()
        torch.lerp(new, before[0], gates[:, h:], out=after[0])

    @staticmethod
    def coefficients(recurrent: Tensor, saved: Tensor, before: list[Tensor], after: list[Tensor]) -> list[Tensor]:
        reset, update, new = saved.chunk(3, -1)
        keep = 1.0 - update
        of_state = torch.stack([keep * (1.0 - new.square()), (before[0] - new) * update * keep], -2)
        of_new = torch.stack([recurrent.chunk(3, -1)[2] * reset * (1.0 - reset), reset], -2)
        return [of_state, of_new, update]

    @staticmethod
    def backward(grads: list[Tensor], coefficients: list[Tensor], joint: Tensor) -> list[Tensor]:
        of_state, of_new, update = coefficients
        torch.mul(grads[0].unsqueeze(1), of_state, out=joint[:, :2])
        torch.mul(joint[:, :1], of_new, out=joint[:, 2:])
        return [grads[0] * update]


class FusedLSTM:
    """Blocks of gradients: enter, forget, new, leave; of input and recurrent part alike."""

    saved = 5  # enter, forget, new, leave, tanh of the cell
    joint = 4
    inputs = recurrent = slice(0, 4)
    input_gates = recurrent_gates = (0, 1, 2, 3)

    @staticmethod
    def forward(inputs: Tensor, recurrent: Tensor, saved: Tensor, before: list[Tensor], after: list[Tensor]) -> None:
        h = before[0].shape[1]
        gates = torch.add(inputs, recurrent, out=saved[:, : 4 * h])
        gates[:, : 2 * h].sigmoid_()
        gates[:, 2 * h : 3 * h].tanh_()
        gates[:, 3 * h :].sigmoid_()
        enter, forget, new, leave = gates.chunk(4, 1)
        torch.mul(forget, before[1], out=after[1]).addcmul_(enter, new)
        squashed = torch.tanh(after[1], out=saved[:, 4 * h :])
        torch.mul(leave, squashed, out=after[0])

    @staticmethod
    def coefficients(recurrent: Tensor, saved: Tensor, before: list[Tensor], after: list[Tensor]) -> list[Tensor]:
        enter, forget, new, leave, squashed = saved.chunk(5, -1)
        of_cell = torch.stack(
            [
                new * enter * (1.0 - enter),
                before[1] * forget * (1.0 - forget),
                enter * (1.0 - new.square()),
            ],
            -2,
        )
        return [of_cell, leave * (1.0 - squashed.square()), squashed * leave * (1.0 - leave), forget]

    @staticmethod
    def backward(grads: list[Tensor], coefficients: list[Tensor], joint: Tensor) -> list[Tensor]:
        of_cell, through, of_state, forget = coefficients
        cell = torch.addcmul(grads[1], grads[0], through)
        torch.mul(cell.unsqueeze(1), of_cell, out=joint[:, :3])
        torch.mul(grads[0], of_state, out=joint[:, 3])
        return [None, cell * forget]
