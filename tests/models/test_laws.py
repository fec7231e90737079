"""Laws of every model: replay, chunks, causality, padding, sampling."""

from __future__ import annotations

import itertools
import math

import pytest
import torch

from tests.conf import options
from tests.models.variants import VARIANTS
from tests.parts import build_model, factorising, inside_emissions
from vrnn.batch import Batch
from vrnn.likelihoods.categorical import Categorical
from vrnn.models.base import SequenceModel, SequenceTerms, StepTerms, at

# Every option of conf/, found there, so a new one is held to these laws without an edit: each model with each
# recurrence, of one layer and of two, and each model under each likelihood and with each emission.
MODELS = [
    *itertools.product(options("model"), options("recurrence"), ["gaussian"], ["", "recurrence.num_layers=2"]),
    *itertools.product(options("model"), ["gru"], sorted({*options("likelihood")} - {"gaussian"})),
    *((model, "gru", "gaussian", changes) for model, changes in VARIANTS),
    *itertools.product(options("model"), ["gru"], ["bernoulli"], inside_emissions()),
    *itertools.product(["vrnn"], ["gru"], sorted({*factorising()} - {"bernoulli"}), inside_emissions()),
]


@pytest.fixture(params=MODELS, ids="-".join)
def model(request: pytest.FixtureRequest) -> SequenceModel:
    """Each of the table."""
    return build_model(*request.param)


@pytest.fixture
def filtering(model: SequenceModel) -> SequenceModel:
    """The model, where its posterior reads no later step."""
    if model.looks_ahead:
        pytest.skip("its posterior looks ahead")
    return model


def told(model: SequenceModel, terms: SequenceTerms) -> tuple:
    """The terms that say something: without latent variables, KL and log_ratio are 0."""
    return terms if model.z_dim else terms[:1]


def test_replaying_step_equals_forward(model: SequenceModel, make_batch, make_noise, sizes):
    batch, noise = make_batch(model), make_noise(sizes.B, sizes.T, model.z_dim)
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


def test_replaying_step_from_a_carried_state_equals_forward(model: SequenceModel, make_batch, make_noise, sizes):
    batch, noise = make_batch(model, seed=5), make_noise(sizes.B, sizes.T, model.z_dim, seed=6)
    _, start = model(make_batch(model), make_noise(sizes.B, sizes.T, model.z_dim))
    inputs, state, replayed = model.prepare(batch, start), start, []
    for t in range(sizes.T):
        terms, state = model.step(at(inputs, t), state, noise[:, t])
        replayed.append(terms)
    expected, expected_state = model(batch, noise, start)
    torch.testing.assert_close([torch.stack(field, 1) for field in zip(*replayed, strict=True)], expected)
    torch.testing.assert_close(state, expected_state)


def test_two_chunks_with_the_state_carried_over_equal_one_sequence(
    filtering: SequenceModel, make_batch, make_noise, sizes
):
    model = filtering
    batch, noise = make_batch(model, steps=40), make_noise(sizes.B, 40, model.z_dim)
    whole, end = model(batch, noise)
    first, middle = model(Batch.of(batch.x[:, :20]), noise[:, :20])
    second, last = model(Batch.of(batch.x[:, 20:]), noise[:, 20:], middle)
    torch.testing.assert_close([torch.cat(pair, 1) for pair in zip(first, second, strict=True)], whole)
    torch.testing.assert_close(last, end)


def test_ragged_chunks_with_the_state_carried_over_equal_whole_sequences(
    filtering: SequenceModel, make_batch, make_noise, sizes
):
    model = filtering
    batch, noise = make_batch(model, lengths=[2, 5, 1, 4]), make_noise(sizes.B, sizes.T, model.z_dim)
    whole, end = model(batch, noise)
    state, parts = None, []
    for chunk, part in zip(batch.chunks(2), noise.split(2, 1), strict=True):
        terms, state = model(chunk, part, state)
        parts.append(terms)
    for field, expected in zip(zip(*parts, strict=True), whole, strict=True):
        torch.testing.assert_close(torch.cat(field, 1)[batch.mask], expected[batch.mask])
    torch.testing.assert_close(state, end)


def test_a_batch_of_one_is_its_own_row(model: SequenceModel, make_batch, make_noise, sizes):
    batch, noise = make_batch(model), make_noise(sizes.B, sizes.T, model.z_dim)
    terms, state = model(batch, noise)
    alone, alone_state = model(Batch.of(batch.x[2:3]), noise[2:3])
    torch.testing.assert_close(alone, [field[2:3] for field in terms])
    torch.testing.assert_close(alone_state, [field[2:3] for field in state])


def test_later_observations_and_noise_change_no_earlier_term(filtering: SequenceModel, make_batch, make_noise, sizes):
    model = filtering
    noise = make_noise(sizes.B, sizes.T, model.z_dim)
    before, _ = model(make_batch(model), noise)
    for t in range(sizes.T):
        x, changed = make_batch(model).x.clone(), noise.clone()
        x[:, t:] = make_batch(model, seed=8).x[:, t:]
        changed[:, t:] += 1.0
        after, _ = model(Batch.of(x), changed)
        torch.testing.assert_close([field[:, :t] for field in after], [field[:, :t] for field in before])
        for mine, theirs in zip(told(model, after), told(model, before), strict=True):
            assert not torch.allclose(mine[:, t], theirs[:, t])


def test_a_posterior_that_looks_ahead_reads_the_last_step_and_no_later_noise(
    model: SequenceModel, make_batch, make_noise, sizes
):
    if not model.looks_ahead:
        pytest.skip("its posterior reads no later step")
    noise, x = make_noise(sizes.B, sizes.T, model.z_dim), make_batch(model).x.clone()
    before, _ = model(make_batch(model), noise)
    x[:, -1] = make_batch(model, seed=8).x[:, -1]
    for mine, theirs in zip(model(Batch.of(x), noise)[0], before, strict=True):
        assert not torch.equal(mine[:, 0], theirs[:, 0])
    for t in range(sizes.T):
        changed = noise.clone()
        changed[:, t:] += 1.0
        after, _ = model(make_batch(model), changed)
        torch.testing.assert_close([field[:, :t] for field in after], [field[:, :t] for field in before])


def test_terms_have_no_gradient_in_later_observations(filtering: SequenceModel, make_batch, make_noise, sizes):
    model = filtering
    x = make_batch(model).x.requires_grad_()
    terms, _ = model(Batch.of(x), make_noise(sizes.B, sizes.T, model.z_dim))
    for t in range(sizes.T):
        (gradient,) = torch.autograd.grad(sum(field[:, t].sum() for field in told(model, terms)), x, retain_graph=True)
        assert not gradient[:, t + 1 :].any()
        # The number of a category has no gradient in x_t, which then is read by a posterior alone.
        own = bool(model.z_dim) or not isinstance(model.likelihood.plain, Categorical)
        assert gradient[:, : t + own].any(-1).any(0).all()  # in some sequence: to one alone every ReLU may be closed


def test_nan_in_the_padding_changes_nothing(model: SequenceModel, make_batch, make_noise, sizes):
    lengths, noise = [2, 5, 1, 4], make_noise(sizes.B, sizes.T, model.z_dim)
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
    model: SequenceModel, make_batch, make_noise, sizes
):
    lengths, noise = [2, 5, 1, 4], make_noise(sizes.B, sizes.T, model.z_dim)
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


def test_reconstruct_is_the_emission_that_forward_scores(model: SequenceModel, make_batch, make_noise, sizes):
    batch, noise = make_batch(model, lengths=[2, 5, 1, 4]), make_noise(sizes.B, sizes.T, model.z_dim)
    found = model.reconstruct(batch, noise)
    assert found.mean.shape == (sizes.B, sizes.T, sizes.D)
    torch.testing.assert_close(found.log_prob(batch.x), model(batch, noise)[0].log_px)


def test_every_parameter_is_trained(model: SequenceModel, make_batch, make_noise, sizes):
    terms, _ = model(make_batch(model), make_noise(sizes.B, sizes.T, model.z_dim))
    (terms.kl - terms.log_px).sum().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_draws_are_observations_of_the_stated_shape(model: SequenceModel, sizes):
    x = model.sample(6, 8, torch.Generator().manual_seed(0))
    assert x.shape == (6, 8, sizes.D)
    model.likelihood.check(x.flatten(0, 1))


def test_the_generator_alone_decides(model: SequenceModel, make_batch, sizes):
    for prefix in (None, make_batch(model, lengths=[2, 5, 1, 4])):
        draws = []
        for seed in (0, 0, 1):
            torch.manual_seed(len(draws))
            draws.append(model.sample(sizes.B, 6, torch.Generator().manual_seed(seed), prefix))
        assert torch.equal(draws[0], draws[1])
        assert not torch.equal(draws[0], draws[2])


def test_a_prefix_of_another_number_of_sequences_is_refused(model: SequenceModel, make_batch):
    with pytest.raises(ValueError, match="prefix must hold num = 3 sequences, got 4"):
        model.sample(3, 2, torch.Generator(), make_batch(model))
