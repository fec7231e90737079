"""The time loop and the chain of its gradient as programs for `vrnn.compiled`: what `vrnn.models.fused` does in torch.

Both leave the same in memory, so that each can go on from the other.
"""

from __future__ import annotations

import torch
from torch import Tensor

from vrnn.compiled.availability import unavailable
from vrnn.compiled.operations import DRAW, GRU, LSTM, OF_DRAW, OF_GRU, OF_LSTM, OF_RELU
from vrnn.compiled.program import Program
from vrnn.models.base import Loop, TimeLoop
from vrnn.models.fused_cells import Cell, FusedGRU, FusedLSTM
from vrnn.models.fused_memory import Memory, Plan, Weights


def why_not(cell: type[Cell] | None, device: torch.device, dtype: torch.dtype, low: torch.dtype) -> str:
    """Why the time loop cannot run compiled, in half a sentence; empty: it can.

    Args:
      cell: the recurrence's fused step.
      device, dtype: of the weights.
      low: the type of the products' operands, another one under autocast.
    """
    if device.type != "cpu":
        return f"the device is {device}"
    if low != dtype or dtype not in (torch.float32, torch.float64):
        return f"the products are in {str(low).removeprefix('torch.')}"
    if cell not in (FusedGRU, FusedLSTM):
        return "the recurrence has no compiled step"
    return unavailable(dtype)


def time_loop(loop: Loop, cell: type[Cell] | None, weight: Tensor, products: torch.dtype | None) -> TimeLoop:
    """How a loop with this cell and a weight like this one runs; see `SequenceModel.time_loop`."""
    if loop == "torch":
        return TimeLoop("torch")
    reason = why_not(cell, weight.device, weight.dtype, products or weight.dtype)
    return TimeLoop("torch" if reason else "compiled", reason)


def run_forward(plan: Plan, weights: Weights, memory: Memory, noise: Tensor) -> None:
    """All steps: fills the memory, whose `joint` has the part of phi_x and the biases."""
    program = Program(noise)
    states = [(field[:-1], field[1:]) for field in memory.states]
    program.product(states[0][0], weights.h.t(), memory.of_h, memory.of_h)
    below = memory.hidden[0]
    for (weight, bias), out in zip(weights.posterior, memory.hidden[1:], strict=True):
        program.add(OF_RELU, below, below, below)  # the ReLU of what is seen, which is passed on where it is positive
        program.product(below, weight.t(), bias, out)
        below = out
    mean, raw = below.chunk(2, -1)
    z = memory.features[0]
    program.add(DRAW, mean, raw, noise, noise.new_full((z.shape[-1],), plan.min_std), z)
    for (weight, bias), out in zip(weights.phi_z, memory.features[1:], strict=True):
        program.product(z, weight.t(), bias, out, relu=True)
        z = out
    program.product(z, weights.z.t(), memory.of_inputs, memory.of_inputs)
    (h, h_after), *cells = states
    if plan.cell is FusedGRU:
        new_of_h, reset, update, new = memory.gates(plan)
        program.add(GRU, new_of_h, reset, update, new, h, reset, update, memory.squashed, h_after)
    else:
        enter, forget, new, leave = memory.gates(plan)
        ((cell, cell_after),) = cells
        program.add(LSTM, enter, forget, new, leave, cell, enter, forget, leave, memory.squashed, h_after, cell_after)
    program.run(0, 1, len(noise))


def run_backward(
    plan: Plan, weights: Weights, memory: Memory, found: Memory, noise: Tensor, grads: list[Tensor]
) -> list[Tensor]:
    """The chain through h and z: fills `found` with the gradients of what lies in memory, and returns the state's."""
    of_params, of_z, of_top, *of_states = grads
    of_before, carry = of_states[: plan.fields], [field.clone() for field in of_states[plan.fields :]]
    program = Program(noise)
    gates, of_gates = memory.gates(plan), found.gates(plan)
    before, after = [field[:-1] for field in memory.states], [field[1:] for field in memory.states]
    if plan.cell is FusedGRU:
        new_of_h, reset, update, _ = gates
        reads = (new_of_h, reset, update, memory.squashed, before[0], of_before[0])
        program.add(OF_GRU, carry[0], *reads, *of_gates, carry[0])
        of_h_before = carry[0]
    else:
        enter, forget, _, leave = gates
        read = (enter, forget, memory.squashed, leave, before[1], after[1], of_before[1])
        program.add(OF_LSTM, *carry, *read, *of_gates, carry[1])
        of_h_before = of_before[0]
    zeros = noise.new_zeros(max(plan.widths + plan.features + (1,)))
    above, weight, outside = found.of_inputs, weights.z, of_top
    for number in reversed(range(len(weights.phi_z))):
        out = found.features[number + 1]
        program.product(above, weight, outside, out)
        program.add(OF_RELU, out, memory.features[number + 1], out)
        above, weight, outside = out, weights.phi_z[number][0], zeros
    of_latent = found.features[0]
    program.product(above, weight, of_z if weights.phi_z else of_top + of_z, of_latent)
    (of_mean, of_raw), (mean, raw) = of_params.chunk(2, -1), found.hidden[-1].chunk(2, -1)
    program.add(OF_DRAW, of_latent, of_mean, of_raw, memory.hidden[-1].chunk(2, -1)[1], noise, mean, raw)
    for number in reversed(range(plan.depth)):
        out = found.hidden[number]
        program.product(found.hidden[number + 1], weights.posterior[number][0], zeros, out)
        program.add(OF_RELU, out, memory.hidden[number], out)
    program.product(found.of_h, weights.h, of_h_before, carry[0])
    program.run(len(noise) - 1, -1, len(noise))
    return carry
