"""The recurrence h_t = f(phi_x(x_t), phi_z(z_t), h_{t-1}) (paper, eq. 7): GRU and LSTM.

Both read their inputs by parts: the part of phi_x is one product over all steps before the time loop
(`from_x`), so only the parts of phi_z and h are left in it.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any, ClassVar, NamedTuple

import torch
from torch import Tensor, nn

from vrnn.models.base import State
from vrnn.models.fused_cells import Cell, FusedGRU, FusedLSTM
from vrnn.nn import full_precision, require_at_least


class GRUState(NamedTuple):
    """h: recurrent state [B, H]."""

    h: Tensor


class LSTMState(NamedTuple):
    """h: recurrent state [B, H]; c: cell [B, H]."""

    h: Tensor
    c: Tensor


class Recurrence(nn.Module, ABC):
    """Gates from three inputs, W_x phi_x + W_z phi_z + W_h h + biases, as torch's cells with [phi_x; phi_z] for input.

    Args:
      phi_x_dim: width of phi_x.
      phi_z_dim: width of phi_z; 0: there is none.
      h_dim: H.

    Raises:
      ValueError: h_dim below 1.
    """

    num_gates: int
    state_type: ClassVar[Any]
    fused: type[Cell] | None = None  # its step with a gradient derived by hand, where there is one

    def __init__(self, phi_x_dim: int, phi_z_dim: int, h_dim: int):
        super().__init__()
        require_at_least(1, h_dim=h_dim)
        self.h_dim = h_dim
        gates = self.num_gates * h_dim
        self.from_x = nn.Linear(phi_x_dim, gates)
        self.from_z = nn.Linear(phi_z_dim, gates, bias=False) if phi_z_dim else None
        self.from_h = nn.Linear(h_dim, gates)
        for parameter in self.parameters():  # as torch.nn.GRU and LSTM
            nn.init.uniform_(parameter, -1.0 / math.sqrt(h_dim), 1.0 / math.sqrt(h_dim))

    def initial_state(self, batch_size: int) -> State:
        """Zeros [B, H]."""
        zeros = self.from_h.weight.new_zeros(batch_size, self.h_dim)
        return self.state_type(*[zeros] * len(self.state_type._fields))

    def forward(self, hoisted: Tensor, phi_z: Tensor | None, state: State) -> State:
        """One step: from_x(phi_x) [B, gates], phi_z [B, width] (None: there is none), state -> next state."""
        if phi_z is not None and self.from_z is not None:
            hoisted = hoisted + self.from_z(phi_z)
        return self.update(full_precision(hoisted), full_precision(self.from_h(state.h)), state)

    @abstractmethod
    def update(self, inputs: Tensor, recurrent: Tensor, state: State) -> State:
        """The gates' input part [B, gates] and recurrent part [B, gates] -> next state."""


class GRU(Recurrence):
    """Gated recurrent unit (Cho et al. 2014), the variant of torch.nn.GRU: reset applied after W_h h."""

    num_gates = 3
    state_type = GRUState
    fused: type[Cell] | None = FusedGRU

    def update(self, inputs: Tensor, recurrent: Tensor, state: GRUState) -> GRUState:
        h_dim = self.h_dim
        reset, update = (inputs[:, : 2 * h_dim] + recurrent[:, : 2 * h_dim]).sigmoid().chunk(2, -1)
        new = torch.addcmul(inputs[:, 2 * h_dim :], reset, recurrent[:, 2 * h_dim :]).tanh()
        return GRUState(torch.lerp(new, state.h, update))


class LSTM(Recurrence):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), the variant of torch.nn.LSTM: no peepholes."""

    num_gates = 4
    state_type = LSTMState
    fused: type[Cell] | None = FusedLSTM

    def update(self, inputs: Tensor, recurrent: Tensor, state: LSTMState) -> LSTMState:
        enter, forget, new, leave = (inputs + recurrent).chunk(4, -1)
        c = torch.addcmul(forget.sigmoid() * state.c, enter.sigmoid(), new.tanh())
        return LSTMState(leave.sigmoid() * c.tanh(), c)
