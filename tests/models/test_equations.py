"""The VRNN against the paper's formulas, written out step by step with torch's own cells and distributions."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.distributions import Independent, Normal, kl_divergence

from vrnn.batch import Batch
from vrnn.distributions import DiagonalNormal
from vrnn.models.base import SequenceTerms
from vrnn.models.recurrence import GRU
from vrnn.models.vrnn import VRNN


def joint(net: nn.Module, a: Tensor, b: Tensor) -> Tensor:
    """A JointMLP as one MLP of [a; b]."""
    weight = torch.cat([net.from_a.weight, net.from_b.weight], 1)
    return net.rest(F.linear(torch.cat([a, b], -1), weight, net.from_a.bias))


def cell(model: VRNN, phi_x: Tensor, phi_z: Tensor, state: tuple) -> tuple:
    """The recurrence as torch's cell over [phi_x; phi_z]."""
    part = model.recurrence
    weights = (torch.cat([part.from_x.weight, part.from_z.weight], 1), part.from_h.weight)
    inputs = torch.cat([phi_x, phi_z], -1)
    if isinstance(part, GRU):
        return (torch.gru_cell(inputs, state[0], *weights, part.from_x.bias, part.from_h.bias),)
    return torch.lstm_cell(inputs, state, *weights, part.from_x.bias, part.from_h.bias)


def normal(model: VRNN, params: Tensor) -> Independent:
    mean, raw = params.chunk(2, -1)
    return Independent(Normal(mean, F.softplus(raw) + model.min_std), 1)


def by_the_paper(model: VRNN, batch: Batch, noise: Tensor) -> tuple[SequenceTerms, tuple]:
    """Equations 5, 6, 9 and 7 in this order at every step; batches without padding."""
    state = tuple(torch.zeros(batch.size, model.recurrence.h_dim, dtype=noise.dtype) for _ in model.initial_state(1))
    terms = []
    for t in range(batch.steps):
        x, h = batch.x[:, t], state[0]  # h_{t-1}
        phi_x = model.phi_x(x)
        prior = normal(model, model.prior_net(h))
        posterior = normal(model, joint(model.posterior_net, phi_x, h))
        z = posterior.mean + posterior.stddev * noise[:, t]
        phi_z = model.phi_z(z)
        log_px = model.likelihood(joint(model.emission_net, phi_z, h)).log_prob(x)
        terms.append((log_px, kl_divergence(posterior, prior), prior.log_prob(z) - posterior.log_prob(z)))
        state = cell(model, phi_x, phi_z, state)
    return SequenceTerms(*(torch.stack(field, 1) for field in zip(*terms, strict=True))), state


def test_forward_follows_the_papers_equations(model: VRNN, make_batch, make_noise, sizes):
    batch, noise = make_batch(model), make_noise(sizes.B, sizes.T, sizes.Z)
    terms, state = model(batch, noise)
    expected_terms, expected_state = by_the_paper(model, batch, noise)
    assert terms.log_px.shape == terms.kl.shape == terms.log_ratio.shape == (sizes.B, sizes.T)
    torch.testing.assert_close(terms, expected_terms)
    torch.testing.assert_close(state, expected_state)


@pytest.mark.parametrize("recurrence", ["gru", "lstm"])
def test_nets_without_hidden_layers_work(recurrence: str, make_vrnn, make_batch, make_noise, sizes):
    linear = {name: [] for name in ("phi_x", "phi_z", "prior", "posterior", "emission")}
    model = make_vrnn(recurrence, **linear)
    batch, noise = make_batch(model), make_noise(sizes.B, sizes.T, sizes.Z)
    terms, state = model(batch, noise)
    expected, expected_state = by_the_paper(model, batch, noise)
    torch.testing.assert_close(terms, expected)
    torch.testing.assert_close(state, expected_state)
    assert len(list(model.phi_x.parameters())) == 0


def test_a_standard_prior_is_standard_normal_and_has_no_weights(make_vrnn, make_batch, make_noise, sizes):
    model = make_vrnn(prior="standard")
    prior = model.prior(make_noise(sizes.B, sizes.T, sizes.H))
    assert torch.equal(prior.loc, torch.zeros(sizes.B, sizes.T, sizes.Z, dtype=torch.float64))
    assert torch.equal(prior.scale, torch.ones_like(prior.loc))
    assert not [name for name, _ in model.named_parameters() if "prior" in name]
    batch, noise = make_batch(model), make_noise(sizes.B, sizes.T, sizes.Z)
    terms, _ = model(batch, noise)
    state = model.initial_state(sizes.B)
    for t in range(sizes.T):
        phi_x = model.phi_x(batch.x[:, t])
        posterior = normal(model, joint(model.posterior_net, phi_x, state.h))
        standard = Independent(Normal(torch.zeros(sizes.Z), torch.ones(sizes.Z)), 1)
        torch.testing.assert_close(terms.kl[:, t], kl_divergence(posterior, standard.expand((sizes.B,))))
        z = posterior.mean + posterior.stddev * noise[:, t]
        state = type(state)(*cell(model, phi_x, model.phi_z(z), state))


def test_draws_feed_back_through_prior_emission_and_recurrence(model: VRNN):
    """The loop of equations 5, 6, 7 with torch's cell, on the same draws."""
    generator = torch.Generator().manual_seed(3)
    state, expected = tuple(torch.zeros(6, 7, dtype=torch.float64) for _ in model.initial_state(1)), []
    with torch.no_grad():
        for _ in range(8):
            h = state[0]  # h_{t-1}
            mean, raw = model.prior_net(h).chunk(2, -1)
            phi_z = model.phi_z(DiagonalNormal(mean, F.softplus(raw) + model.min_std).sample(generator))
            expected.append(model.likelihood(joint(model.emission_net, phi_z, h)).sample(generator))
            state = cell(model, model.phi_x(expected[-1]), phi_z, state)
    drawn = model.sample(6, 8, torch.Generator().manual_seed(3))
    torch.testing.assert_close(drawn, torch.stack(expected, 1))
