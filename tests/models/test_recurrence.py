"""GRU and LSTM against torch.nn.GRU and torch.nn.LSTM."""

from __future__ import annotations

import math

import pytest
import torch
from torch import nn

from vrnn.models.recurrence import GRU, LSTM, Recurrence

B, T, PHI_X, PHI_Z, H = 4, 5, 3, 2, 7
PAIRS = pytest.mark.parametrize(("kind", "reference"), [(GRU, nn.GRU), (LSTM, nn.LSTM)], ids=["gru", "lstm"])


def assemble(recurrence: Recurrence, reference: type[nn.RNNBase]) -> nn.RNNBase:
    """torch's layer over [phi_x; phi_z] with the recurrence's weights."""
    layer = reference(PHI_X + PHI_Z, H, batch_first=True).double()
    with torch.no_grad():
        layer.weight_ih_l0.copy_(torch.cat([recurrence.from_x.weight, recurrence.from_z.weight], 1))
        layer.bias_ih_l0.copy_(recurrence.from_x.bias)
        layer.weight_hh_l0.copy_(recurrence.from_h.weight)
        layer.bias_hh_l0.copy_(recurrence.from_h.bias)
    return layer


@PAIRS
def test_equals_torch(kind: type[Recurrence], reference: type[nn.RNNBase], make_noise):
    torch.manual_seed(0)
    recurrence = kind(PHI_X, PHI_Z, H).double()
    phi_x, phi_z = make_noise(B, T, PHI_X), make_noise(B, T, PHI_Z, seed=3)
    start = recurrence.state_type(*(make_noise(B, H, seed=10 + i) for i in range(len(recurrence.state_type._fields))))
    carried = tuple(field[None] for field in start)
    outputs, last = assemble(recurrence, reference)(
        torch.cat([phi_x, phi_z], -1), carried if len(carried) > 1 else carried[0]
    )
    state, states = start, []
    hoisted = recurrence.from_x(phi_x)
    for t in range(T):
        state = recurrence(hoisted[:, t], phi_z[:, t], state)
        states.append(state.h)
    torch.testing.assert_close(torch.stack(states, 1), outputs)
    for field, expected in zip(state, last if isinstance(last, tuple) else (last,), strict=True):
        torch.testing.assert_close(field, expected[0])


@PAIRS
def test_without_phi_z_equals_torchs_over_phi_x_alone(kind: type[Recurrence], reference: type[nn.RNNBase], make_noise):
    recurrence, layer = kind(PHI_X, 0, H).double(), reference(PHI_X, H, batch_first=True).double()
    weights = (recurrence.from_x.weight, recurrence.from_h.weight, recurrence.from_x.bias, recurrence.from_h.bias)
    with torch.no_grad():
        for theirs, ours in zip(layer.parameters(), weights, strict=True):
            theirs.copy_(ours)
    assert len(list(recurrence.parameters())) == len(weights)
    phi_x, state = make_noise(B, T, PHI_X), recurrence.initial_state(B)
    for hoisted in recurrence.from_x(phi_x).unbind(1):
        state = recurrence(hoisted, None, state)
    torch.testing.assert_close(state.h, layer(phi_x)[0][:, -1])


@PAIRS
def test_has_torchs_parameters_and_initial_spread(kind: type[Recurrence], reference: type[nn.RNNBase]):
    torch.manual_seed(0)
    recurrence = kind(PHI_X, PHI_Z, H)
    assert sum(p.numel() for p in recurrence.parameters()) == sum(
        p.numel() for p in reference(PHI_X + PHI_Z, H).parameters()
    )
    values = torch.cat([p.detach().flatten() for p in recurrence.parameters()]) * math.sqrt(H)
    assert float(values.abs().max()) <= 1.0
    assert float(values.std()) == pytest.approx(1.0 / math.sqrt(3.0), rel=0.1)


@PAIRS
def test_initial_state_is_zero(kind: type[Recurrence], reference: type[nn.RNNBase]):
    state = kind(PHI_X, PHI_Z, H).initial_state(B)
    for field in state:
        assert torch.equal(field, torch.zeros(B, H))


def test_state_without_size_is_refused_by_name():
    with pytest.raises(ValueError, match="h_dim must be at least 1, got 0"):
        GRU(PHI_X, PHI_Z, 0)


@PAIRS
def test_layers_equal_torchs(kind: type[Recurrence], reference: type[nn.RNNBase], make_noise):
    torch.manual_seed(0)
    recurrence = kind(PHI_X, PHI_Z, H, num_layers=3).double()
    layer = reference(PHI_X + PHI_Z, H, num_layers=3, batch_first=True).double()
    with torch.no_grad():
        for number, part in enumerate([recurrence, *recurrence.above]):
            read = [part.from_x.weight] if part.from_z is None else [part.from_x.weight, part.from_z.weight]
            getattr(layer, f"weight_ih_l{number}").copy_(torch.cat(read, 1))
            getattr(layer, f"bias_ih_l{number}").copy_(part.from_x.bias)
            getattr(layer, f"weight_hh_l{number}").copy_(part.from_h.weight)
            getattr(layer, f"bias_hh_l{number}").copy_(part.from_h.bias)
    phi_x, phi_z = make_noise(B, T, PHI_X), make_noise(B, T, PHI_Z, seed=3)
    outputs, last = layer(torch.cat([phi_x, phi_z], -1))
    state = recurrence.initial_state(B)
    for t in range(T):
        state = recurrence(recurrence.from_x(phi_x[:, t]), phi_z[:, t], state)
        torch.testing.assert_close(state.h, outputs[:, t])
    expected = torch.stack(last if isinstance(last, tuple) else (last,), 2)  # [layers, B, fields, H]
    torch.testing.assert_close(recurrence.packed(state), expected.transpose(0, 1).flatten(1, 2))


@PAIRS
@pytest.mark.parametrize("num_layers", [1, 2])
@pytest.mark.parametrize("phi_z_dim", [0, PHI_Z])
def test_unrolling_equals_stepping(kind: type[Recurrence], reference, num_layers: int, phi_z_dim: int, make_noise):
    recurrence = kind(PHI_X, phi_z_dim, H, num_layers).double()
    phi_x, phi_z = make_noise(B, T, PHI_X), make_noise(B, T, PHI_Z, seed=3) if phi_z_dim else None
    start = recurrence.packed(recurrence.initial_state(B))
    state = recurrence.unpacked(make_noise(*start.shape, seed=4))
    states = [state]
    for t in range(T):
        states.append(recurrence(recurrence.from_x(phi_x[:, t]), None if phi_z is None else phi_z[:, t], states[-1]))
    expected = type(state)(*(torch.stack(field, 1) for field in zip(*states, strict=True)))
    torch.testing.assert_close(recurrence.unroll(phi_x, phi_z, state), expected)
    torch.testing.assert_close(recurrence.outputs(phi_x, phi_z, state), expected.h[:, 1:])
    packed = recurrence.packed(expected)
    torch.testing.assert_close(recurrence.unpacked(packed), expected)


def test_one_layer_is_what_it_was_and_no_layer_is_refused():
    torch.manual_seed(0)
    one, two = GRU(PHI_X, PHI_Z, H), GRU(PHI_X, PHI_Z, H, num_layers=2)
    assert sorted(one.state_dict()) == ["from_h.bias", "from_h.weight", "from_x.bias", "from_x.weight", "from_z.weight"]
    assert (one.fused is None, two.fused is None) == (False, True)
    with pytest.raises(ValueError, match="num_layers must be at least 1, got 0"):
        GRU(PHI_X, PHI_Z, H, num_layers=0)
