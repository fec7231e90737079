"""The VRNN's time loop as one function with a backward derived by hand: what `VRNN._unroll` does step by step, faster.

Autograd would record some twenty operations a step and compute every weight's gradient at every step. Here the
backward keeps only the chain through h and z in its loop; each weight's gradient is one product over all steps after
it. Everything inside is time first, [T, B, ...], so that a step is one contiguous block and is written in place.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from vrnn.models.recurrence import Recurrence
from vrnn.nn import JointMLP


class Scanned(NamedTuple):
    """What the loop leaves behind.

    Attributes:
      params: the posterior's mean and raw standard deviation [B, T, 2 Z].
      z: the sampled latents [B, T, Z].
      phi_z: their features [B, T, width].
      before: fields of the states before each step, each [B, T, H].
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
    hoisted: tuple[Tensor, Tensor],
    noise: Tensor,
    state: tuple[Tensor, ...],
    min_std: float,
) -> Scanned:
    """Posterior -> z -> phi_z -> recurrence over all steps.

    Args:
      posterior, phi_z, recurrence: the nets of the loop.
      hoisted: parts of phi_x in the posterior's first layer [B, T, width] and in the gates [B, T, gates].
      noise: standard normal [B, T, Z].
      state: before the first step, fields [B, H].
      min_std: smallest standard deviation of the posterior.
    """
    nets = [[layer for layer in net if isinstance(layer, nn.Linear)] for net in (posterior.rest, phi_z)]
    weights = [posterior.from_b.weight, recurrence.from_h.weight, recurrence.from_h.bias, recurrence.from_z.weight]
    weights += [parameter for net in nets for layer in net for parameter in (layer.weight, layer.bias)]
    layout = Layout(recurrence, min_std, len(state), len(nets[0]))
    params, z, features, *fields = _Scan.apply(layout, *hoisted, noise, *state, *weights)
    return Scanned(params, z, features, tuple(fields[: len(state)]), tuple(fields[len(state) :]))


class Layout(NamedTuple):
    """How the arguments of the function are to be read: its cell, the state's fields, the posterior's layers."""

    recurrence: Recurrence
    min_std: float
    fields: int
    depth: int

    def split(self, tensors: Sequence[Tensor]) -> tuple[list[Tensor], ...]:
        """Inputs (3), state, loop weights (4), then weight and bias of the posterior's and of phi_z's layers."""
        bounds = [0, 3, 3 + self.fields, 7 + self.fields, 7 + self.fields + 2 * self.depth, len(tensors)]
        return tuple(list(tensors[a:b]) for a, b in itertools.pairwise(bounds))


class _Scan(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, layout: Layout, *tensors: Tensor) -> tuple[Tensor, ...]:
        inputs, state, (w_b, w_h, b_h, w_z), posterior, phi_z = layout.split(tensors)
        hoisted, gates, noise = (field.transpose(0, 1).contiguous() for field in inputs)
        cell = layout.recurrence.fused
        steps, size, width = hoisted.shape
        h_dim = w_h.shape[1]
        new = hoisted.new_empty
        w_joint, b_joint = torch.cat([w_b, w_h]).t(), torch.cat([b_h.new_zeros(width), b_h])
        joint = new(steps, size, width + len(w_h))  # what h gives to the posterior's first layer and to the gates
        hidden = [new(steps, size, weight.shape[1]) for weight in posterior[::2]]
        params = new(steps, size, 2 * noise.shape[2])
        z = torch.empty_like(noise)
        features = [new(steps, size, len(weight)) for weight in phi_z[::2]]
        saved = new(steps, size, cell.saved * h_dim)
        states = [new(steps + 1, size, h_dim) for _ in state]
        for field, first in zip(states, state, strict=True):
            field[0] = first
        posterior_layers = (
            list(zip([*hidden[1:], params], posterior[::2], posterior[1::2], strict=True)) if hidden else []
        )
        phi_layers = list(zip(features, phi_z[::2], phi_z[1::2], strict=True))
        for t in range(steps):
            torch.addmm(b_joint, states[0][t], w_joint, out=joint[t])
            first = hidden[0][t] if hidden else params[t]
            torch.add(joint[t, :, :width], hoisted[t], out=first)
            for number, (out, weight, bias) in enumerate(posterior_layers):
                torch.addmm(bias, hidden[number][t].relu_(), weight.t(), out=out[t])
            mean, raw = params[t].chunk(2, 1)
            std = nn.functional.softplus(raw).add_(layout.min_std)
            feature = torch.addcmul(mean, std, noise[t], out=z[t])
            for out, weight, bias in phi_layers:
                feature = torch.addmm(bias, feature, weight.t(), out=out[t]).relu_()
            received = torch.addmm(gates[t], feature, w_z.t())
            before, after = [field[t] for field in states], [field[t + 1] for field in states]
            cell.forward(received, joint[t, :, width:], saved[t], before, after)
        ctx.layout = layout
        ctx.save_for_backward(*tensors, noise, joint, params, z, saved, *hidden, *features, *states)
        ctx.counts = (len(tensors), len(hidden), len(features))
        top = features[-1] if features else z.clone()  # no tensor may be two results
        whole = (params, z, top, *(field[:-1] for field in states))
        return (*(field.transpose(0, 1) for field in whole), *(field[-1] for field in states))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        layout, cell = ctx.layout, ctx.layout.recurrence.fused
        num_tensors, depth, num_features = ctx.counts
        rest = list(ctx.saved_tensors)
        tensors, rest = rest[:num_tensors], rest[num_tensors:]
        (noise, joint, params, z, saved), rest = rest[:5], rest[5:]
        hidden, features, states = rest[:depth], rest[depth : depth + num_features], rest[depth + num_features :]
        _, _, (w_b, w_h, _, w_z), posterior, phi_z = layout.split(tensors)
        steps, size, _ = noise.shape
        width, h_dim, z_dim = len(w_b), w_h.shape[1], noise.shape[2]
        d_params, d_z, d_phi_z, *d_fields = (grad.transpose(0, 1).contiguous() for grad in grads[: 3 + len(states)])
        carry = [grad.clone() for grad in grads[3 + len(states) :]]

        before, after = [field[:-1] for field in states], [field[1:] for field in states]
        coefficients = cell.coefficients(joint[..., width:], saved, before, after)
        slope = noise * torch.sigmoid(params[..., z_dim:])  # d z / d raw
        slope = torch.stack([torch.ones_like(slope), slope], -2)  # and d z / d mean, which is 1
        w_z_ordered = w_z.unflatten(0, (-1, h_dim))[list(cell.input_gates)].flatten(0, 1)
        w_h_ordered = w_h.unflatten(0, (-1, h_dim))[list(cell.recurrent_gates)].flatten(0, 1)
        w_back = torch.cat([w_h_ordered, w_b])  # [recurrent gates + width, H]
        g_joint = z.new_empty(steps, size, cell.joint * h_dim + width)  # gates, then the posterior's first layer
        g_inputs = g_joint[..., cell.inputs.start * h_dim : cell.inputs.stop * h_dim]
        g_back = g_joint[..., cell.recurrent.start * h_dim :]
        g_first = g_joint[..., cell.joint * h_dim :]
        g_hidden = [torch.empty_like(field) for field in hidden[1:]]
        g_params = torch.empty_like(params) if hidden else g_first
        g_features = [torch.empty_like(field) for field in features]
        relu_grad = torch.ops.aten.threshold_backward
        for t in reversed(range(steps)):
            gates = g_joint[t, :, : cell.joint * h_dim].unflatten(1, (cell.joint, h_dim))
            direct = cell.backward(carry, [field[t] for field in coefficients], gates)
            grad = torch.addmm(d_phi_z[t], g_inputs[t], w_z_ordered)
            for number in reversed(range(num_features)):
                relu_grad.grad_input(grad, features[number][t], 0.0, grad_input=g_features[number][t])
                grad = g_features[number][t] @ phi_z[2 * number]
            grad = grad.add_(d_z[t]) if num_features else grad + d_z[t]
            halves = (field[t].unflatten(1, (2, z_dim)) for field in (d_params, g_params))  # mean, raw
            torch.addcmul(next(halves), grad.unsqueeze(1), slope[t], out=next(halves))
            for number in reversed(range(depth)):
                above = g_params[t] if number == depth - 1 else g_hidden[number][t]
                grad = above @ posterior[2 * number]
                out = g_first[t] if number == 0 else g_hidden[number - 1][t]
                relu_grad.grad_input(grad, hidden[number][t], 0.0, grad_input=out)
            carry[0] = torch.addmm(d_fields[0][t], g_back[t], w_back)
            for number, grad in enumerate(direct):
                if grad is not None:
                    carry[number] = carry[number].add_(grad) if number == 0 else grad.add_(d_fields[number][t])

        def weight_grad(above: Tensor, below: Tensor) -> Tensor:
            return above.flatten(0, 1).t() @ below.flatten(0, 1)

        def reordered(grad: Tensor, gates: tuple[int, ...], dim: int) -> Tensor:
            blocks = grad.unflatten(dim, (len(gates), h_dim)).unbind(dim)
            return torch.cat([blocks[gates.index(gate)] for gate in range(len(gates))], dim)

        from_back = weight_grad(g_back, states[0][:-1])  # [recurrent gates + width, H]
        g_recurrent = g_back[..., :-width].sum((0, 1))
        loop_weights = [
            from_back[-width:],
            reordered(from_back[:-width], cell.recurrent_gates, 0),
            reordered(g_recurrent, cell.recurrent_gates, 0),
            reordered(weight_grad(g_inputs, features[-1] if features else z), cell.input_gates, 0),
        ]
        nets = []
        for number in range(depth):
            above = g_params if number == depth - 1 else g_hidden[number]
            nets += [weight_grad(above, hidden[number]), above.sum((0, 1))]
        for number in range(num_features):
            nets += [
                weight_grad(g_features[number], features[number - 1] if number else z),
                g_features[number].sum((0, 1)),
            ]
        inputs = [g_first.transpose(0, 1), reordered(g_inputs, cell.input_gates, 2).transpose(0, 1), None]
        return (None, *inputs, *carry, *loop_weights, *nets)
