"""What the VRNN has of its own: where it starts, its sizes, continuations."""

from __future__ import annotations

import pytest
import torch

from vrnn.batch import Batch
from vrnn.distributions import DiagonalNormal, kl_divergence
from vrnn.likelihoods.bernoulli import Bernoulli
from vrnn.likelihoods.gaussian import Gaussian
from vrnn.models.recurrence import GRU
from vrnn.models.vrnn import VRNN


def test_the_emissions_bias_starts_at_the_likelihoods_initial_parameters(model: VRNN):
    expected = model.likelihood.initial_params().double()
    assert torch.equal(model.emission_net.head.bias, expected)


def test_the_golden_layout_has_its_published_number_of_parameters():
    nets = {"phi_x": [100, 100], "phi_z": [100], "prior": [100], "posterior": [100, 100], "emission": [100, 100]}
    model = VRNN(28, 16, Bernoulli(28), lambda *widths: GRU(*widths, 100), **nets)
    assert model.num_parameters == 185_092


def test_sizes_that_cannot_be_are_refused_by_name(make_vrnn):
    for change, message in (
        ({"z_dim": 0}, "z_dim must be at least 1, got 0"),
        ({"h_dim": 0}, "h_dim must be at least 1, got 0"),
        ({"posterior": [8, 0]}, r"widths of the layers must be at least 1, got \[8, 0\]"),
        ({"min_std": -0.1}, "min_std must be positive, got -0.1"),
        ({"prior": "normal"}, "prior must be a list of widths or 'standard', got 'normal'"),
    ):
        with pytest.raises(ValueError, match=message):
            make_vrnn(**change)


def test_a_likelihood_of_another_size_is_refused():
    nets = {name: [] for name in ("phi_x", "phi_z", "prior", "posterior", "emission")}
    with pytest.raises(ValueError, match="likelihood is for x_dim = 5, the model for x_dim = 3"):
        VRNN(3, 2, Gaussian(5), lambda *widths: GRU(*widths, 7), **nets)


@pytest.mark.parametrize("recurrence", ["gru", "lstm"])
def test_a_continuation_starts_from_the_state_after_each_prefix(recurrence: str, make_vrnn, make_batch):
    """Blind to z and almost without noise, the model must draw what `reconstruct` says of [prefix; drawn]."""
    model = make_vrnn(recurrence, likelihood="gaussian")
    with torch.no_grad():
        model.recurrence.from_z.weight.zero_()
        model.emission_net.from_a.weight.zero_()
        model.emission_net.head.weight[3:] = 0.0
        model.emission_net.head.bias[3:] = -40.0
        model.emission_net.head.weight[:3] *= 4.0
    model.likelihood.min_std = 1e-9
    lengths = [2, 5, 1, 4]
    prefix = make_batch(model, lengths=lengths)
    drawn = model.sample(4, 3, torch.Generator().manual_seed(0), prefix)
    for row, length in enumerate(lengths):
        x = torch.cat([prefix.x[row, :length], drawn[row]])[None]
        expected = model.reconstruct(Batch.of(x), torch.zeros(1, length + 3, 2, dtype=torch.float64)).mean
        torch.testing.assert_close(drawn[row], expected[0, length:], rtol=0, atol=1e-6)
    from_nothing = model.sample(4, 3, torch.Generator().manual_seed(0))
    assert not torch.allclose(drawn, from_nothing, atol=1e-4)


def test_encode_is_the_posterior_that_forward_measures(make_vrnn, make_batch, make_noise, sizes):
    model = make_vrnn(prior="standard")
    batch, noise = make_batch(model, lengths=[2, 5, 1, 4]), make_noise(sizes.B, sizes.T, sizes.Z)
    posterior = model.encode(batch, noise)
    standard = DiagonalNormal(torch.zeros_like(posterior.loc), torch.ones_like(posterior.scale))
    assert posterior.mean.shape == (sizes.B, sizes.T, sizes.Z)
    torch.testing.assert_close(kl_divergence(posterior, standard), model(batch, noise)[0].kl)
