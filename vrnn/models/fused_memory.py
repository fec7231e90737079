"""How the fused time loop lays out its weights and its memory.

All that is added up in a step's pre-activations lies side by side, so that each operand of it is one product:

    posterior's first layer | gates' parts of h that are kept apart | the gates
    [---- of phi_x ----]                                              [--- of phi_x and phi_z ---]
    [------------------ of h, but for those gates, the last ones --------------]
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vrnn.models.fused_cells import Cell
from vrnn.models.recurrence import Recurrence
from vrnn.nn import JointMLP

SMALL = 4_000_000  # operations of a step's largest product below which two threads wait for each other longer than work


class Plan(NamedTuple):
    """What the loop is made of.

    Attributes:
      cell: the recurrence's step.
      min_std: smallest standard deviation of the posterior.
      h_dim: H.
      widths: of the posterior's layers, the first one's first.
      features: widths of phi_z's layers.
      gates: of the recurrence.
      fields: of its state.
      dtype: of the products' operands.
      compiled: whether `vrnn.models.compiled` runs the loop.
    """

    cell: type[Cell]
    min_std: float
    h_dim: int
    widths: tuple[int, ...]
    features: tuple[int, ...]
    gates: int
    fields: int
    dtype: torch.dtype
    compiled: bool = False

    @classmethod
    def of(
        cls,
        posterior: JointMLP,
        phi_z: nn.Sequential,
        recurrence: Recurrence,
        min_std: float,
        fields: int,
        dtype: torch.dtype,
    ) -> Plan:
        widths = (posterior.from_a.out_features, *(layer.out_features for layer in linear(posterior.rest)))
        features = tuple(layer.out_features for layer in linear(phi_z))
        if recurrence.fused is None:
            raise ValueError(f"recurrence must have a fused step, and {type(recurrence).__name__} has none")
        h_dim, gates = recurrence.h_dim, recurrence.num_gates
        return cls(recurrence.fused, min_std, h_dim, widths, features, gates, fields, dtype)

    @property
    def depth(self) -> int:
        """Layers of the posterior after the first."""
        return len(self.widths) - 1

    @property
    def apart(self) -> int:
        """Columns of the gates' parts of h that are kept apart."""
        return self.cell.apart * self.h_dim

    @property
    def total(self) -> int:
        """Columns of all pre-activations."""
        return self.widths[0] + self.apart + self.gates * self.h_dim

    def add_product(self, base: Tensor, a: Tensor, b: Tensor, out: Tensor | None = None) -> Tensor:
        """base + a @ b in the type of the base; b has that of the products."""
        if b.dtype == base.dtype:
            return torch.addmm(base, a, b, out=out)
        return torch.add(base, a.to(b.dtype) @ b, out=out)

    def product(self, a: Tensor, b: Tensor) -> Tensor:
        """a @ b in the type of a; b has that of the products."""
        return a @ b if a.dtype == b.dtype else (a.to(b.dtype) @ b).to(a.dtype)


class Weights(NamedTuple):
    """The weights as the products take them, [out, in], and the biases of all columns.

    Attributes:
      bias: of the pre-activations.
      first, inputs: of phi_x in the posterior's first layer and in the gates.
      h: of h in all that it adds to.
      z: of phi_z in the gates.
      posterior, phi_z: of the other layers, each with its bias.
    """

    bias: Tensor
    first: Tensor
    inputs: Tensor
    h: Tensor
    z: Tensor
    posterior: list[tuple[Tensor, Tensor]]
    phi_z: list[tuple[Tensor, Tensor]]

    @staticmethod
    def gathered(plan: Plan, posterior: JointMLP, phi_z: nn.Sequential, recurrence: Recurrence) -> list[Tensor]:
        """The parameters in the order of the columns; autograd brings their gradients back to where they came from."""
        of_h, of_x, of_z = recurrence.from_h, recurrence.from_x, recurrence.from_z
        if of_z is None:
            raise ValueError("recurrence must read phi_z, and this one reads none")
        together = plan.gates * plan.h_dim - plan.apart
        shared = of_x.bias[:together] + of_h.bias[:together]
        bias = torch.cat([posterior.from_a.bias, of_h.bias[together:], shared, of_x.bias[together:]])
        h = torch.cat([posterior.from_b.weight, of_h.weight[together:], of_h.weight[:together]])
        layers = [*linear(posterior.rest), *linear(phi_z)]
        pairs = [parameter for layer in layers for parameter in (layer.weight, layer.bias)]
        return [bias, posterior.from_a.weight, of_x.weight, h, of_z.weight, *pairs]

    @classmethod
    def of(cls, plan: Plan, tensors: Sequence[Tensor]) -> Weights:
        """From tensors in the order of `gathered`; the weights in the type of the products."""
        bias, first, inputs, h, z = tensors[:5]
        layers = [(w.to(plan.dtype), b) for w, b in zip(tensors[5::2], tensors[6::2], strict=True)]
        first, inputs, h, z = (w.to(plan.dtype) for w in (first, inputs, h, z))
        return cls(bias, first, inputs, h, z, layers[: plan.depth], layers[plan.depth :])


class Memory(NamedTuple):
    """What the loop writes, or the gradients of it.

    Attributes:
      joint: pre-activations [T, B, columns]; the loop turns the first layer and the gates into their outputs.
      squashed: what a cell's tanh gives [T, B, H].
      hidden: outputs of the posterior's layers, the first one's first, each [T, B, width].
      features: z, then the outputs of phi_z's layers, each [T, B, width].
      states: fields before the first step and after each, each [T + 1, B, H].
      first, of_h, of_inputs: the columns that are the posterior's first layer, that h adds to, and that the input does.
    """

    joint: Tensor
    squashed: Tensor
    hidden: list[Tensor]
    features: list[Tensor]
    states: list[Tensor]
    first: Tensor
    of_h: Tensor
    of_inputs: Tensor

    @classmethod
    def taken(cls, plan: Plan, noise: Tensor) -> Memory:
        """Fresh memory for as many steps and sequences as the noise [T, B, Z] has."""
        (steps, size, _), new = noise.shape, noise.new_empty
        widths = [plan.total, plan.h_dim, *plan.widths[1:], noise.shape[2], *plan.features]
        states = [new(steps + 1, size, plan.h_dim) for _ in range(plan.fields)]
        return cls.of(plan, [*(new(steps, size, width) for width in widths), *states])

    @classmethod
    def of(cls, plan: Plan, tensors: Sequence[Tensor]) -> Memory:
        """From tensors in the order of `tensors()`."""
        joint, squashed, *rest = tensors
        hidden, features, states = rest[: plan.depth], rest[plan.depth : -plan.fields], rest[-plan.fields :]
        first = joint[..., : plan.widths[0]]
        of_h, of_inputs = joint[..., : plan.total - plan.apart], joint[..., plan.widths[0] + plan.apart :]
        return cls(joint, squashed, [first, *hidden], features, states, first, of_h, of_inputs)

    def tensors(self) -> list[Tensor]:
        """All that is not a view of another."""
        return [self.joint, self.squashed, *self.hidden[1:], *self.features, *self.states]

    def gates(self, plan: Plan) -> list[Tensor]:
        """The blocks of the gates, each [T, B, H]: first those that are kept apart."""
        return list(self.joint[..., plan.widths[0] :].unflatten(-1, (-1, plan.h_dim)).unbind(2))

    def parts(self, plan: Plan) -> list[Tensor]:
        """What the cell works on: blocks that one operation can take together, each block, and `squashed`."""
        start = plan.widths[0] + plan.apart
        return [self.joint[..., start : start + 2 * plan.h_dim], *self.gates(plan), self.squashed]


def linear(net: nn.Sequential) -> list[nn.Linear]:
    """The linear layers of a net."""
    return [layer for layer in net if isinstance(layer, nn.Linear)]


def steps_of(views: Sequence[Tensor]) -> list[tuple[Tensor, ...]]:
    """Views [T, ...] -> for each step, the views of it; all at once, since each costs as much as a small operation."""
    return list(zip(*(view.unbind(0) for view in views), strict=True))


@contextlib.contextmanager
def few_threads(plan: Plan, noise: Tensor) -> Iterator[None]:
    """One thread while a step is too small to be shared."""
    threads = torch.get_num_threads()
    small = noise.device.type == "cpu" and 2 * noise.shape[1] * plan.h_dim * plan.total < SMALL
    if small:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        if small:
            torch.set_num_threads(threads)
