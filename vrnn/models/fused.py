"""The VRNN's time loop as one function with a backward derived by hand: what `VRNN._loop` does step by step, faster.

Autograd would record some twenty operations a step and compute every weight's gradient at every step. Here the
backward keeps only the chain through h and z in its loop; each weight's gradient is one product over all steps after
it. Everything is time first, [T, B, ...], so that a step is one contiguous block, and lies in memory that is taken
once; what a step reads and writes are views, made for all steps at once before the loop.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from vrnn.models import compiled
from vrnn.models.base import Loop
from vrnn.models.fused_memory import Memory, Plan, Weights, few_threads, steps_of
from vrnn.models.recurrence import Recurrence
from vrnn.nn import JointMLP

CHUNK = 1 << 20  # bytes of a field of the states that the backward prepares its coefficients for at a time

relu_backward = torch.ops.aten.threshold_backward.grad_input


class Scanned(NamedTuple):
    """What the loop leaves behind, time first.

    Attributes:
      params: the posterior's mean and raw standard deviation [T, B, 2 Z].
      z: the sampled latents [T, B, Z].
      phi_z: their features [T, B, width].
      before: fields of the states before each step, each [T, B, H].
      last: fields of the state after the last step, each [B, H].
    """

    params: Tensor
    z: Tensor
    phi_z: Tensor
    before: tuple[Tensor, ...]
    last: tuple[Tensor, ...]


def scan(
    posterior: JointMLP,
    phi_z: nn.Sequential,
    recurrence: Recurrence,
    phi_x: Tensor,
    noise: Tensor,
    state: tuple[Tensor, ...],
    min_std: float,
    loop: Loop = "auto",
) -> Scanned:
    """Posterior -> z -> phi_z -> recurrence over all steps.

    Under autocast the products take its type; sums, states and all that is element-wise keep that of the state.

    Args:
      posterior, phi_z, recurrence: the nets of the loop.
      phi_x: features of the observations [T, B, width].
      noise: standard normal [T, B, Z]; it gets no gradient.
      state: before the first step, fields [B, H].
      min_std: smallest standard deviation of the posterior.
      loop: which code runs it; whatever cannot run compiled runs in torch.
    """
    device, dtype = phi_x.device.type, state[0].dtype
    low = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else dtype
    plan = Plan.of(posterior, phi_z, recurrence, min_std, len(state), low)
    plan = plan._replace(compiled=loop != "torch" and not compiled.why_not(plan.cell, phi_x.device, dtype, low))
    with torch.autocast(device, enabled=False):
        weights = Weights.gathered(plan, posterior, phi_z, recurrence)
        params, z, top, *fields = _Scan.apply(plan, phi_x, noise.to(dtype), *state, *weights)
    return Scanned(params, z, top, tuple(fields[: len(state)]), tuple(fields[len(state) :]))


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, plan: Plan, phi_x: Tensor, noise: Tensor, *tensors: Tensor) -> tuple[Tensor, ...]:
        state, tensors = tensors[: plan.fields], tensors[plan.fields :]
        weights, memory = Weights.of(plan, tensors), Memory.taken(plan, noise)
        for field, first in zip(memory.states, state, strict=True):
            field[0] = first
        with few_threads(plan, noise):
            hoist(plan, weights, memory, phi_x)
            run = compiled.run_forward if plan.compiled else run_forward
            run(plan, weights, memory, noise)
        ctx.plan, ctx.count = plan, len(tensors)
        ctx.save_for_backward(phi_x, noise, *tensors, *memory.tensors())
        # No tensor may be two results, and the first layer's outputs lie among what the backward needs.
        params = memory.hidden[-1] if weights.posterior else memory.hidden[-1].clone()
        top = memory.features[-1] if weights.phi_z else memory.features[-1].clone()
        before, last = [field[:-1] for field in memory.states], [field[-1] for field in memory.states]
        return (params, memory.features[0], top, *before, *last)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        plan: Plan = ctx.plan
        phi_x, noise, *tensors = ctx.saved_tensors
        weights, memory = Weights.of(plan, tensors[: ctx.count]), Memory.of(plan, tensors[ctx.count :])
        contiguous = [grad.contiguous() for grad in grads]
        found = Memory.taken(plan, noise)
        with few_threads(plan, noise):
            run = compiled.run_backward if plan.compiled else run_backward
            state = run(plan, weights, memory, found, noise, contiguous)
        of_phi_x = None
        if ctx.needs_input_grad[1]:
            flat = plan.product(found.first.flatten(0, 1), weights.first)
            flat = plan.add_product(flat, found.of_inputs.flatten(0, 1), weights.inputs)
            of_phi_x = flat.view_as(phi_x).to(phi_x.dtype)
        return (None, of_phi_x, None, *state, *weight_gradients(plan, memory, found, phi_x))


def hoist(plan: Plan, weights: Weights, memory: Memory, phi_x: Tensor) -> None:
    """The biases and the part of phi_x in all pre-activations."""
    memory.joint[...] = weights.bias
    for columns, weight in ((memory.first, weights.first), (memory.of_inputs, weights.inputs)):
        flat = columns.flatten(0, 1)
        plan.add_product(flat, phi_x.flatten(0, 1), weight.t(), out=flat)


def run_forward(plan: Plan, weights: Weights, memory: Memory, noise: Tensor) -> None:
    """The loop: fills the memory, whose pre-activations have been hoisted."""
    w_h, w_inputs = weights.h.t(), weights.z.t()
    posterior, phi_z = ([(weight.t(), bias) for weight, bias in net] for net in (weights.posterior, weights.phi_z))
    mean, raw = memory.hidden[-1].chunk(2, -1)
    sampling = steps_of([mean, raw, noise, noise * plan.min_std])
    sums, states = steps_of([memory.of_h, memory.of_inputs]), steps_of(memory.states)
    layers, latents, cells = steps_of(memory.hidden), steps_of(memory.features), steps_of(memory.parts(plan))
    for t, (mean, raw, eps, shift) in enumerate(sampling):
        of_h, of_inputs = sums[t]
        plan.add_product(of_h, states[t][0], w_h, out=of_h)
        for (weight, bias), below, out in zip(posterior, layers[t], layers[t][1:], strict=False):
            plan.add_product(bias, below.relu_(), weight, out=out)
        z, *features = latents[t]
        torch.addcmul(mean, nn.functional.softplus(raw), eps, out=z).add_(shift)  # mean + (softplus + min_std) eps
        for (weight, bias), out in zip(phi_z, features, strict=True):
            z = plan.add_product(bias, z, weight, out=out).relu_()
        plan.add_product(of_inputs, z, w_inputs, out=of_inputs)
        plan.cell.forward(cells[t], states[t], states[t + 1])


def run_backward(
    plan: Plan, weights: Weights, memory: Memory, found: Memory, noise: Tensor, grads: list[Tensor]
) -> list[Tensor]:
    """The chain through h and z: fills `found` with the gradients of what lies in memory, and returns the state's."""
    of_params, of_z, of_top, *of_states = grads
    of_before, carry = steps_of(of_states[: plan.fields]), of_states[plan.fields :]
    slope = noise * memory.hidden[-1].chunk(2, -1)[1].sigmoid()  # d z / d raw
    of_mean, of_raw = of_params.chunk(2, -1)
    mean, raw = found.hidden[-1].chunk(2, -1)
    sampling = steps_of([of_z, of_mean, of_raw, slope, mean, raw])
    sums = steps_of([of_top, found.of_h, found.of_inputs])
    layers, of_layers, of_gates = steps_of(memory.hidden), steps_of(found.hidden), steps_of(found.gates(plan))
    latents, of_latents = steps_of(memory.features), steps_of(found.features)
    before, after = [field[:-1] for field in memory.states], [field[1:] for field in memory.states]
    fields = (memory.parts(plan), before, after)
    chunk = max(1, CHUNK // before[0][0].nbytes)
    for stop in range(len(noise), 0, -chunk):
        start = max(0, stop - chunk)
        coefficients = steps_of(plan.cell.coefficients(*([field[start:stop] for field in group] for group in fields)))
        for t in reversed(range(start, stop)):
            carry = plan.cell.backward(carry, coefficients[t - start], of_gates[t], of_before[t])
            grad, of_h, of_inputs = sums[t]
            grad = plan.add_product(grad, of_inputs, weights.z)
            for number in reversed(range(len(weights.phi_z))):
                out = of_latents[t][number + 1]
                relu_backward(grad, latents[t][number + 1], 0.0, grad_input=out)
                grad = plan.product(out, weights.phi_z[number][0])
            outside, outside_mean, outside_raw, d_raw, mean, raw = sampling[t]
            grad = grad + outside
            torch.add(outside_mean, grad, out=mean)
            torch.addcmul(outside_raw, grad, d_raw, out=raw)
            for number in reversed(range(plan.depth)):
                grad = plan.product(of_layers[t][number + 1], weights.posterior[number][0])
                relu_backward(grad, layers[t][number], 0.0, grad_input=of_layers[t][number])
            carry[0] = plan.add_product(carry[0], of_h, weights.h)
    return carry


def weight_gradients(plan: Plan, memory: Memory, found: Memory, phi_x: Tensor) -> list[Tensor]:
    """In the order of `Weights.gathered`, each one product over all steps."""
    ones = found.joint.new_ones(found.joint.shape[:2].numel())

    def bias(above: Tensor) -> Tensor:
        return above.flatten(0, 1).t() @ ones

    def weight(above: Tensor, below: Tensor) -> Tensor:
        return plan.product(above.flatten(0, 1).t(), below.flatten(0, 1).to(plan.dtype))

    single = [weight(found.first, phi_x), weight(found.of_inputs, phi_x)]
    single += [weight(found.of_h, memory.states[0][:-1]), weight(found.of_inputs, memory.features[-1])]
    nets = [(above, below) for above, below in zip(found.hidden[1:], memory.hidden, strict=False)]
    nets += [(above, below) for above, below in zip(found.features[1:], memory.features, strict=False)]
    layers = [grad for above, below in nets for grad in (weight(above, below), bias(above))]
    return [bias(found.joint), *single, *layers]
