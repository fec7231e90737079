"""The recurrence h_t = f(phi_x(x_t), phi_z(z_t), h_{t-1}) (paper, eq. 7): GRU and LSTM.

Both read their inputs by parts: the part of phi_x is one product over all steps before the time loop
(`from_x`), so only the parts of phi_z and h are left in it. Where phi_z is known of all steps as well, `unroll`
needs no loop of ours.
"""

from __future__ import annotations

import math
import warnings
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


class StackedState(NamedTuple):
    """h: recurrent state of the top layer [B, H]; rest: all other fields, of the lowest layer first [B, F - 1, H]."""

    h: Tensor
    rest: Tensor


class Recurrence(nn.Module, ABC):
    """Gates from three inputs, W_x phi_x + W_z phi_z + W_h h + biases, as torch's cells with [phi_x; phi_z] for input.

    Of several layers the lowest reads phi_x and phi_z, each other one the h of the layer below it (Graves 2013,
    arXiv 1308.0850, section 2, without its skip connections); what reads the recurrence reads the top layer.

    Args:
      phi_x_dim: width of phi_x.
      phi_z_dim: width of phi_z; 0: there is none.
      h_dim: H, of every layer.
      num_layers: layers.

    Raises:
      ValueError: h_dim or num_layers below 1.
    """

    num_gates: int
    state_type: ClassVar[Any]  # of one layer
    fused: type[Cell] | None = None  # one layer's step with a gradient derived by hand, where there is one

    def __init__(self, phi_x_dim: int, phi_z_dim: int, h_dim: int, num_layers: int = 1):
        super().__init__()
        require_at_least(1, h_dim=h_dim, num_layers=num_layers)
        self.h_dim = h_dim
        gates = self.num_gates * h_dim
        self.from_x = nn.Linear(phi_x_dim, gates)
        self.from_z = nn.Linear(phi_z_dim, gates, bias=False) if phi_z_dim else None
        self.from_h = nn.Linear(h_dim, gates)
        for parameter in self.parameters():  # as torch.nn.GRU and LSTM
            nn.init.uniform_(parameter, -1.0 / math.sqrt(h_dim), 1.0 / math.sqrt(h_dim))
        self.above = nn.ModuleList(type(self)(h_dim, 0, h_dim) for _ in range(num_layers - 1))
        if num_layers > 1:
            self.fused = None

    def initial_state(self, batch_size: int) -> State:
        """Zeros."""
        zeros = self.from_h.weight.new_zeros(batch_size, self.h_dim)
        layer = self.state_type(*[zeros] * len(self.state_type._fields))
        return self._stacked([layer] * len(self._layers))

    def forward(self, hoisted: Tensor, phi_z: Tensor | None, state: State) -> State:
        """One step: from_x(phi_x) [B, gates], phi_z [B, width] (None: there is none), state -> next state."""
        if phi_z is not None and self.from_z is not None:
            hoisted = hoisted + self.from_z(phi_z)
        lowest, *others = self._unstacked(state)
        states = [self.update(full_precision(hoisted), full_precision(self.from_h(lowest.h)), lowest)]
        for layer, former in zip(self._layers[1:], others, strict=True):
            states.append(layer(layer.from_x(states[-1].h), None, former))
        return self._stacked(states)

    def unroll(self, phi_x: Tensor, phi_z: Tensor | None, state: State) -> State:
        """All steps at once, where no input depends on a state: the states before the first step and after each.

        Args:
          phi_x: [B, T, width].
          phi_z: [B, T, width]; None: there is none.
          state: before the first step.

        Returns:
          Fields [B, T + 1, ...] of the state.
        """
        if not torch.compiler.is_compiling():
            layers, below, known = [], phi_x, phi_z
            for layer, start in zip(self._layers, self._unstacked(state), strict=True):
                h = layer._outputs(below, known, start)
                layers.append(layer._filled(below, known, h, start))
                below, known = h, None
            return self._stacked(layers)
        states, hoisted = [state], self.from_x(phi_x)
        for t in range(phi_x.shape[1]):
            state = self(hoisted[:, t], None if phi_z is None else phi_z[:, t], state)
            states.append(state)
        return type(state)(*(torch.stack(field, 1) for field in zip(*states, strict=True)))

    def outputs(self, phi_x: Tensor, phi_z: Tensor | None, state: State) -> Tensor:
        """h of the top layer after each step [B, T, H]: of `unroll` what is computed fastest."""
        if torch.compiler.is_compiling():
            return self.unroll(phi_x, phi_z, state).h[:, 1:]
        below, known = phi_x, phi_z
        for layer, start in zip(self._layers, self._unstacked(state), strict=True):
            below = layer._outputs(below, known, start)
            known = None
        return below

    @property
    def _layers(self) -> list[Any]:
        """From the lowest to the top."""
        return [self, *self.above]

    def packed(self, state: State) -> Tensor:
        """All fields of a state, of the lowest layer first [..., F, H]: what a model keeps beside its own."""
        return torch.stack([field for layer in self._unstacked(state) for field in layer], -2)

    def unpacked(self, fields: Tensor) -> State:
        """A state from its fields [..., F, H]."""
        size = len(self.state_type._fields)
        each = fields.unbind(-2)
        return self._stacked([self.state_type(*each[start : start + size]) for start in range(0, len(each), size)])

    def _stacked(self, layers: list[Any]) -> State:
        """The states of the layers, fields [..., H], as one."""
        if len(layers) == 1:
            return layers[0]
        *lower, top = layers
        rest = [*(field for layer in lower for field in layer), *top[1:]]
        return StackedState(top.h, torch.stack(rest, -2))

    def _unstacked(self, state: State) -> list[Any]:
        """The states of the layers, each with fields [..., H]."""
        if not self.above:
            return [state]
        fields = [*state.rest.unbind(-2)]
        size = len(self.state_type._fields)
        fields.insert(size * len(self.above), state.h)
        return [self.state_type(*fields[start : start + size]) for start in range(0, len(fields), size)]

    def _outputs(self, phi_x: Tensor, phi_z: Tensor | None, state: State) -> Tensor:
        """h of this layer after each step [B, T, H], by torch's own layer."""
        weight, inputs = self.from_x.weight, phi_x
        if phi_z is not None and self.from_z is not None:
            weight, inputs = torch.cat([weight, self.from_z.weight], 1), torch.cat([phi_x, phi_z], -1)
        weights = [weight, self.from_h.weight, self.from_x.bias, self.from_h.bias]
        with torch.autocast(inputs.device.type, enabled=False), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "RNN module weights are not part of single contiguous chunk")  # on a GPU
            start = [field[None].contiguous() for field in state]
            return self.run_layer(full_precision(inputs), start, weights)

    @abstractmethod
    def _filled(self, phi_x: Tensor, phi_z: Tensor | None, h: Tensor, start: Any) -> State:
        """This layer's states [B, T + 1, H], from its inputs, its h after each step and its state before the first."""

    @staticmethod
    @abstractmethod
    def run_layer(inputs: Tensor, state: list[Tensor], weights: list[Tensor]) -> Tensor:
        """torch's layer: inputs [B, T, width], fields of the state [1, B, H], weights in its order -> h [B, T, H]."""

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

    def _filled(self, phi_x: Tensor, phi_z: Tensor | None, h: Tensor, start: GRUState) -> GRUState:
        return GRUState(torch.cat([start.h[:, None], h], 1))

    @staticmethod
    def run_layer(inputs: Tensor, state: list[Tensor], weights: list[Tensor]) -> Tensor:
        training = torch.is_grad_enabled()
        return torch.gru(inputs, state[0], weights, True, 1, 0.0, training, False, True)[0]


class LSTM(Recurrence):
    """Long short-term memory (Hochreiter and Schmidhuber 1997), the variant of torch.nn.LSTM: no peepholes."""

    num_gates = 4
    state_type = LSTMState
    fused: type[Cell] | None = FusedLSTM

    def update(self, inputs: Tensor, recurrent: Tensor, state: LSTMState) -> LSTMState:
        enter, forget, new, leave = (inputs + recurrent).chunk(4, -1)
        c = torch.addcmul(forget.sigmoid() * state.c, enter.sigmoid(), new.tanh())
        return LSTMState(leave.sigmoid() * c.tanh(), c)

    def _filled(self, phi_x: Tensor, phi_z: Tensor | None, h: Tensor, start: LSTMState) -> LSTMState:
        """torch's layer tells h alone: c comes of the gates, which are known of all steps once h is."""
        every = torch.cat([start.h[:, None], h], 1)
        gates = full_precision(self.from_x(phi_x)) + full_precision(self.from_h(every[:, :-1]))
        if phi_z is not None and self.from_z is not None:
            gates = gates + full_precision(self.from_z(phi_z))
        enter, forget, new, _ = gates.chunk(4, -1)
        cells, keep = [start.c], forget.sigmoid().unbind(1)
        for kept, added in zip(keep, (enter.sigmoid() * new.tanh()).unbind(1), strict=True):
            cells.append(torch.addcmul(added, kept, cells[-1]))
        return LSTMState(every, torch.stack(cells, 1))

    @staticmethod
    def run_layer(inputs: Tensor, state: list[Tensor], weights: list[Tensor]) -> Tensor:
        training = torch.is_grad_enabled()
        return torch.lstm(inputs, state, weights, True, 1, 0.0, training, False, True)[0]
