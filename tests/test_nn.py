"""Feed-forward parts: shapes, the joint first layer, and the map to positive numbers."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from vrnn.nn import JointMLP, inverse_positive, mlp, positive, require_at_least


@pytest.mark.parametrize("minimum", [0.0, 1e-4, 0.3])
def test_positive_and_inverse_positive_are_inverse(minimum: float):
    raw = torch.linspace(-8.0, 40.0, 97, dtype=torch.float64)
    value = positive(raw, minimum)
    assert (value > minimum).all()
    torch.testing.assert_close(value, torch.log1p(raw.exp()) + minimum)
    torch.testing.assert_close(inverse_positive(value, minimum), raw)
    torch.testing.assert_close(positive(inverse_positive(value, minimum), minimum), value)


def test_inverse_positive_of_the_minimum_is_finite():
    assert inverse_positive(torch.tensor([0.0, 0.1]), 0.1).isfinite().all()


def test_mlp_ends_in_a_relu_or_in_a_linear_layer():
    features, head = mlp(3, [5, 7]), mlp(3, [5, 7], 4)
    assert [type(layer) for layer in features] == [nn.Linear, nn.ReLU] * 2
    assert [type(layer) for layer in head] == [nn.Linear, nn.ReLU] * 2 + [nn.Linear]
    x = torch.randn(2, 6, 3)
    assert features(x).shape == (2, 6, 7)
    assert head(x).shape == (2, 6, 4)


def test_mlp_without_widths_is_the_identity_or_one_linear_layer():
    x = torch.randn(2, 3)
    assert torch.equal(mlp(3, [])(x), x)
    assert [type(layer) for layer in mlp(3, [], 4)] == [nn.Linear]


@pytest.mark.parametrize("widths", [[], [5], [5, 7]])
def test_joint_mlp_equals_an_mlp_of_the_concatenation(widths: list[int]):
    torch.manual_seed(0)
    joint = JointMLP(3, 4, widths, 6).double()
    plain = mlp(3 + 4, widths, 6).double()
    first, *rest = plain
    with torch.no_grad():
        first.weight.copy_(torch.cat([joint.from_a.weight, joint.from_b.weight], 1))
        first.bias.copy_(joint.from_a.bias)
        for layer, other in zip(rest, joint.rest, strict=True):
            layer.load_state_dict(other.state_dict())
    a, b = torch.randn(2, 9, 3, dtype=torch.float64), torch.randn(2, 9, 4, dtype=torch.float64)
    torch.testing.assert_close(joint(joint.from_a(a), b), plain(torch.cat([a, b], -1)))
    assert sum(p.numel() for p in joint.parameters()) == sum(p.numel() for p in plain.parameters())
    assert joint.head.bias.shape == (6,)


def test_joint_mlp_starts_with_the_spread_of_a_layer_that_reads_both():
    torch.manual_seed(0)
    joint = JointMLP(30, 70, [200], 6)
    for weight in (joint.from_a.weight, joint.from_b.weight):
        largest = float(weight.detach().abs().max())
        assert 0.95 / math.sqrt(100) < largest <= 1.0 / math.sqrt(100)


def test_sizes_below_the_bound_are_refused_by_name():
    require_at_least(1, z_dim=1)
    with pytest.raises(ValueError, match="z_dim must be at least 1, got 0"):
        require_at_least(1, h_dim=5, z_dim=0)
    with pytest.raises(ValueError, match=r"widths of the layers must be at least 1, got \[5, -2\]"):
        mlp(3, [5, -2])
