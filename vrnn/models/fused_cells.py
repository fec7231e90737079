"""One step of a recurrence and its gradient, written into given memory: what `vrnn.models.fused` is made of.

The gates of a step lie side by side in blocks of H. A gate whose part of h is not simply added to its part of the
input has two blocks: the first `apart` blocks hold the parts of h of the last `apart` gates, then come all gates in
the order of the recurrence's weights. `forward` leaves in the blocks what the backward needs.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar, Protocol

import torch
from torch import Tensor

sigmoid_backward = torch.ops.aten.sigmoid_backward  # (grad, out) -> grad * out * (1 - out)
tanh_backward = torch.ops.aten.tanh_backward  # (grad, out) -> grad * (1 - out^2)


class Cell(Protocol):
    """A recurrence's step for the fused loop.

    Its `parts` are the first two gates together [B, 2 H], each block [B, H], and memory for the output of a tanh
    [B, H], which torch computes several times as fast where rows lie side by side.

    Attributes:
      apart: gates, the last ones, that keep their part of h apart.
    """

    apart: ClassVar[int]

    @staticmethod
    def forward(parts: Sequence[Tensor], before: Sequence[Tensor], after: Sequence[Tensor]) -> None:
        """A step's parts, and the state before it -> the state after it, fields [B, H]; the parts are overwritten."""

    @staticmethod
    def coefficients(parts: Sequence[Tensor], before: Sequence[Tensor], after: Sequence[Tensor]) -> list[Tensor]:
        """What the gradients are multiplied with, for any number of steps at once, each [T, B, H]."""

    @staticmethod
    def backward(
        grads: Sequence[Tensor], coefficients: Sequence[Tensor], blocks: Sequence[Tensor], others: Sequence[Tensor]
    ) -> list[Tensor]:
        """Gradients of the state after a step -> of its blocks, and of the state before it by the direct way.

        `others` are gradients that the state before has from elsewhere; they are added.
        """


class FusedGRU:
    """Blocks: new (of h), reset, update, new."""

    apart: ClassVar[int] = 1

    @staticmethod
    def forward(parts: Sequence[Tensor], before: Sequence[Tensor], after: Sequence[Tensor]) -> None:
        gates, new_of_h, reset, update, new_of_inputs, new = parts
        gates.sigmoid_()
        torch.addcmul(new_of_inputs, reset, new_of_h, out=new).tanh_()
        torch.lerp(new, before[0], update, out=after[0])

    @staticmethod
    def coefficients(parts: Sequence[Tensor], before: Sequence[Tensor], after: Sequence[Tensor]) -> list[Tensor]:
        _, new_of_h, reset, update, _, new = parts
        of_update = sigmoid_backward(before[0] - new, update)
        of_new = tanh_backward(1.0 - update, new)
        return [of_update, of_new, sigmoid_backward(new_of_h, reset), reset, update]

    @staticmethod
    def backward(
        grads: Sequence[Tensor], coefficients: Sequence[Tensor], blocks: Sequence[Tensor], others: Sequence[Tensor]
    ) -> list[Tensor]:
        of_update, of_new, of_reset, reset, keep = coefficients
        g_new_of_h, g_reset, g_update, g_new = blocks
        torch.mul(grads[0], of_update, out=g_update)
        torch.mul(grads[0], of_new, out=g_new)
        torch.mul(g_new, reset, out=g_new_of_h)
        torch.mul(g_new, of_reset, out=g_reset)
        return [torch.addcmul(others[0], grads[0], keep)]


class FusedLSTM:
    """Blocks: enter, forget, new, leave."""

    apart: ClassVar[int] = 0

    @staticmethod
    def forward(parts: Sequence[Tensor], before: Sequence[Tensor], after: Sequence[Tensor]) -> None:
        enter_and_forget, enter, forget, new_of_all, leave, new = parts
        enter_and_forget.sigmoid_()
        leave.sigmoid_()
        new.copy_(new_of_all).tanh_()
        torch.mul(forget, before[1], out=after[1]).addcmul_(enter, new)
        torch.tanh(after[1], out=after[0]).mul_(leave)

    @staticmethod
    def coefficients(parts: Sequence[Tensor], before: Sequence[Tensor], after: Sequence[Tensor]) -> list[Tensor]:
        _, enter, forget, _, leave, new = parts
        squashed = after[1].tanh()
        of_cell = [sigmoid_backward(new, enter), sigmoid_backward(before[1], forget), tanh_backward(enter, new)]
        return [*of_cell, sigmoid_backward(squashed, leave), tanh_backward(leave, squashed), forget]

    @staticmethod
    def backward(
        grads: Sequence[Tensor], coefficients: Sequence[Tensor], blocks: Sequence[Tensor], others: Sequence[Tensor]
    ) -> list[Tensor]:
        of_enter, of_forget, of_new, of_leave, through, keep = coefficients
        g_enter, g_forget, g_new, g_leave = blocks
        cell = torch.addcmul(grads[1], grads[0], through)
        torch.mul(cell, of_enter, out=g_enter)
        torch.mul(cell, of_forget, out=g_forget)
        torch.mul(cell, of_new, out=g_new)
        torch.mul(grads[0], of_leave, out=g_leave)
        return [others[0], torch.addcmul(others[1], cell, keep)]
