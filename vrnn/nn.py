"""Feed-forward parts: multilayer perceptrons and the map to positive numbers."""

from __future__ import annotations

import bisect
import itertools
import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def require_at_least(bound: int, **sizes: int) -> None:
    """Raises ValueError, naming the size, unless every one is at least `bound`."""
    for name, size in sizes.items():
        if size < bound:
            raise ValueError(f"{name} must be at least {bound}, got {size}")


def positive(raw: Tensor, minimum: float) -> Tensor:
    """softplus(raw) + minimum: standard deviations, as in the paper's code."""
    return F.softplus(raw) + minimum


def inverse_positive(value: Tensor, minimum: float) -> Tensor:
    """The raw for which positive(raw, minimum) = value, for values above the minimum."""
    excess = (value - minimum).clamp_min(1e-6)
    return excess + torch.log(-torch.expm1(-excess))


def full_precision(values: Tensor) -> Tensor:
    """float32 where autocast has left less: what densities, KLs and states are computed in."""
    return values.float() if values.dtype in (torch.bfloat16, torch.float16) else values


class MLP(nn.Sequential):
    """Layers over the last axis; all other axes are one while they run.

    The output of a linear layer on more than two axes is a view, and for a ReLU in place on a view autograd copies it
    three times.
    """

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        if x.dim() < 3 or len(self) == 0:
            return super().forward(x)
        return super().forward(x.flatten(0, -2)).unflatten(0, x.shape[:-1])


def mlp(in_dim: int, widths: Sequence[int], out_dim: int | None = None) -> MLP:
    """[..., in_dim] -> [..., widths[-1]] by linear layers with a ReLU after each; with out_dim a linear layer last.

    No widths and no out_dim give the identity.

    Raises:
      ValueError: a width below 1.
    """
    if any(width < 1 for width in widths):
        raise ValueError(f"the widths of the layers must be at least 1, got {list(widths)}")
    layers: list[nn.Module] = []
    for fan_in, fan_out in itertools.pairwise([in_dim, *widths]):
        layers += [nn.Linear(fan_in, fan_out), nn.ReLU(inplace=True)]
    if out_dim is not None:
        layers.append(nn.Linear([in_dim, *widths][-1], out_dim))
    return MLP(*layers)


def output_layer(net: nn.Sequential) -> nn.Linear:
    """The linear layer that a net ends with.

    Raises:
      TypeError: it ends with another one.
    """
    layer = net[-1]
    if not isinstance(layer, nn.Linear):
        raise TypeError(f"the net ends with {type(layer).__name__}, not with a linear layer")
    return layer


class JointMLP(nn.Module):
    """mlp([a; b]) whose first layer is applied by parts, W_a a + W_b b + c, so that the part of a can be hoisted.

    Args:
      a_dim: size of the input that is known for all steps at once.
      b_dim: size of the other input.
      widths: widths of the hidden layers.
      out_dim: width of the linear layer after them.
    """

    def __init__(self, a_dim: int, b_dim: int, widths: Sequence[int], out_dim: int):
        super().__init__()
        _, *rest = mlp(a_dim + b_dim, widths, out_dim)
        first = [*widths, out_dim][0]
        self.from_a = nn.Linear(a_dim, first)
        self.from_b = nn.Linear(b_dim, first, bias=False)
        self.rest = nn.Sequential(*rest)
        bound = 1.0 / math.sqrt(a_dim + b_dim)  # what nn.Linear gives a layer that reads both
        for parameter in (*self.from_a.parameters(), *self.from_b.parameters()):
            nn.init.uniform_(parameter, -bound, bound)

    @property
    def head(self) -> nn.Linear:
        """The last layer (with a bias of size out_dim)."""
        return output_layer(self.rest) if len(self.rest) else self.from_a

    def forward(self, hoisted: Tensor, b: Tensor) -> Tensor:
        """hoisted: from_a(a) [..., first width]; b [..., b_dim] -> [..., out_dim]."""
        if b.dim() < 3 or hoisted.shape[:-1] != b.shape[:-1]:
            return self.rest(self.from_b(b).add_(hoisted))
        first = self.from_b(b.flatten(0, -2)).add_(hoisted.flatten(0, -2))  # see MLP
        return self.rest(first).unflatten(0, b.shape[:-1])


class MaskedLinear(nn.Linear):
    """A linear layer that connects an output with the inputs of its own degree and below alone (Germain et al. 2015).

    Args:
      in_degrees: of each input [in].
      out_degrees: of each output [out].
      bias: whether there is one.

    Attributes:
      num_masked: weights that connect nothing.
    """

    mask: Tensor

    def __init__(self, in_degrees: Sequence[int], out_degrees: Sequence[int], bias: bool = True):
        super().__init__(len(in_degrees), len(out_degrees), bias)
        ordered = sorted(in_degrees)
        seen = [bisect.bisect_right(ordered, degree) for degree in out_degrees]  # inputs of each output
        self.num_masked = sum(len(in_degrees) - count for count in seen)
        mask = torch.tensor(in_degrees)[None] <= torch.tensor(out_degrees)[:, None]  # [out, in]
        self.register_buffer("mask", mask, persistent=False)
        bound = torch.tensor(seen).clamp_min(1).rsqrt()  # nn.Linear's, of the inputs that there are
        with torch.no_grad():
            self.weight.uniform_(-1.0, 1.0).mul_(bound[:, None])
            if self.bias is not None:
                self.bias.uniform_(-1.0, 1.0).mul_(bound)

    def forward(self, x: Tensor) -> Tensor:
        """[..., in] -> [..., out]."""
        return F.linear(x, self.weight * self.mask, self.bias)
