"""Laws of the VRNN: replay, chunks, causality, padding, sampling."""

from __future__ import annotations

import math

import pytest
import torch

from vrnn.batch import Batch
from vrnn.likelihoods.bernoulli import Bernoulli
from vrnn.likelihoods.gaussian import Gaussian
from vrnn.models.base import SequenceTerms, StepTerms, at
from vrnn.models.recurrence import GRU
from vrnn.models.vrnn import VRNN


def test_replaying_step_equals_forward(model: VRNN, make_batch, make_noise, sizes):
    batch, noise = make_batch(model), make_noise(sizes.B, sizes.T, sizes.Z)
    inputs, state, replayed = model.prepare(batch), model.initial_state(sizes.B), []
    for t in range(sizes.T):
        terms, state = model.step(at(inputs, t), state, noise[:, t])
        assert isinstance(terms, StepTerms)
        replayed.append(terms)
    expected, expected_state = model(batch, noise)
    assert isinstance(expected, SequenceTerms)
    assert type(state) is type(expected_state)
    torch.testing.assert_close([torch.stack(field, 1) for field in zip(*replayed, strict=True)], expected)
    torch.testing.assert_close(state, expected_state)


def test_two_chunks_with_the_state_carried_over_equal_one_sequence(model: VRNN, make_batch, make_noise, sizes):
    batch, noise = make_batch(model, steps=40), make_noise(sizes.B, 40, sizes.Z)
    whole, end = model(batch, noise)
    first, middle = model(Batch.of(batch.x[:, :20]), noise[:, :20])
    second, last = model(Batch.of(batch.x[:, 20:]), noise[:, 20:], middle)
    torch.testing.assert_close([torch.cat(pair, 1) for pair in zip(first, second, strict=True)], whole)
    torch.testing.assert_close(last, end)


def test_a_batch_of_one_is_its_own_row(model: VRNN, make_batch, make_noise, sizes):
    batch, noise = make_batch(model), make_noise(sizes.B, sizes.T, sizes.Z)
    terms, state = model(batch, noise)
    alone, alone_state = model(Batch.of(batch.x[2:3]), noise[2:3])
    torch.testing.assert_close(alone, [field[2:3] for field in terms])
    torch.testing.assert_close(alone_state, [field[2:3] for field in state])


def test_later_observations_and_noise_change_no_earlier_term(model: VRNN, make_batch, make_noise, sizes):
    noise = make_noise(sizes.B, sizes.T, sizes.Z)
    before, _ = model(make_batch(model), noise)
    for t in range(sizes.T):
        x, changed = make_batch(model).x.clone(), noise.clone()
        x[:, t:] = make_batch(model, seed=8).x[:, t:]
        changed[:, t:] += 1.0
        after, _ = model(Batch.of(x), changed)
        torch.testing.assert_close([field[:, :t] for field in after], [field[:, :t] for field in before])
        for mine, theirs in zip(after, before, strict=True):
            assert not torch.allclose(mine[:, t], theirs[:, t])


def test_terms_have_no_gradient_in_later_observations(model: VRNN, make_batch, make_noise, sizes):
    x = make_batch(model).x.requires_grad_()
    terms, _ = model(Batch.of(x), make_noise(sizes.B, sizes.T, sizes.Z))
    for t in range(sizes.T):
        (gradient,) = torch.autograd.grad(sum(field[:, t].sum() for field in terms), x, retain_graph=True)
        assert not gradient[:, t + 1 :].any()
        assert gradient[:, : t + 1].flatten(2).any(-1).all()


def test_nan_in_the_padding_changes_nothing(model: VRNN, make_batch, make_noise, sizes):
    lengths, noise = [2, 5, 1, 4], make_noise(sizes.B, sizes.T, sizes.Z)
    clean = make_batch(model, lengths=lengths)
    outcomes = []
    for fill in (0.0, math.nan):
        batch = Batch.of(torch.where(clean.mask[..., None], clean.x, fill), clean.lengths)
        terms, state = model(batch, noise)
        loss = sum(torch.where(batch.mask, field, 0.0).sum() for field in terms)
        gradients = torch.autograd.grad(loss + sum(field.sum() for field in state), list(model.parameters()))
        outcomes.append([*terms, *state, *gradients])
    for with_zero, with_nan in zip(*outcomes, strict=True):
        assert with_zero.isfinite().all()
        assert torch.equal(with_zero, with_nan)


def test_each_ragged_sequence_has_the_terms_and_the_final_state_of_itself_alone(
    model: VRNN, make_batch, make_noise, sizes
):
    lengths, noise = [2, 5, 1, 4], make_noise(sizes.B, sizes.T, sizes.Z)
    batch = make_batch(model, lengths=lengths)
    start = model.initial_state(sizes.B)
    start = type(start)(*(make_noise(*field.shape, seed=30 + i) for i, field in enumerate(start)))
    terms, state = model(batch, noise, start)
    for row, length in enumerate(lengths):
        own = slice(row, row + 1)
        alone, alone_state = model(
            Batch.of(batch.x[own, :length]), noise[own, :length], type(start)(*(field[own] for field in start))
        )
        torch.testing.assert_close(alone, [field[own, :length] for field in terms])
        torch.testing.assert_close(alone_state, [field[own] for field in state])


def test_the_emissions_bias_starts_at_the_likelihoods_initial_parameters(model: VRNN):
    expected = model.likelihood.initial_params().double()
    assert torch.equal(model.emission_net.head.bias, expected)


def test_reconstruct_is_the_emission_that_forward_scores(model: VRNN, make_batch, make_noise, sizes):
    batch, noise = make_batch(model, lengths=[2, 5, 1, 4]), make_noise(sizes.B, sizes.T, sizes.Z)
    found = model.reconstruct(batch, noise)
    assert found.mean.shape == (sizes.B, sizes.T, sizes.D)
    torch.testing.assert_close(found.log_prob(batch.x), model(batch, noise)[0].log_px)


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


def test_every_parameter_is_trained(model: VRNN, make_batch, make_noise, sizes):
    terms, _ = model(make_batch(model), make_noise(sizes.B, sizes.T, sizes.Z))
    (terms.kl - terms.log_px).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_a_likelihood_of_another_size_is_refused():
    nets = {name: [] for name in ("phi_x", "phi_z", "prior", "posterior", "emission")}
    with pytest.raises(ValueError, match="likelihood is for x_dim = 5, the model for x_dim = 3"):
        VRNN(3, 2, Gaussian(5), lambda *widths: GRU(*widths, 7), **nets)


def test_draws_are_observations_of_the_stated_shape(model: VRNN, sizes):
    x = model.sample(6, 8, torch.Generator().manual_seed(0))
    assert x.shape == (6, 8, sizes.D)
    model.likelihood.check(x.flatten(0, 1))


def test_the_generator_alone_decides(model: VRNN, make_batch, sizes):
    for prefix in (None, make_batch(model, lengths=[2, 5, 1, 4])):
        draws = []
        for seed in (0, 0, 1):
            torch.manual_seed(len(draws))
            draws.append(model.sample(sizes.B, 6, torch.Generator().manual_seed(seed), prefix))
        assert torch.equal(draws[0], draws[1])
        assert not torch.equal(draws[0], draws[2])


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
