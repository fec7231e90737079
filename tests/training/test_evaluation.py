"""Bounds on a whole split, and the measurements made of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from vrnn.data.splits import Sequences, Standardisation
from vrnn.likelihoods.gaussian import Gaussian
from vrnn.training.evaluation import Evaluation, evaluate
from vrnn.training.noise import keyed_noise
from vrnn.training.references import independent
from vrnn.training.space import Space


@pytest.fixture
def sequences(make_splits) -> Sequences:
    """23 ragged sequences in float64."""
    train = make_splits(ragged=True).train
    return Sequences(train.values.double(), train.lengths)


@pytest.fixture
def found(make_vrnn, elbo, sequences) -> Evaluation:
    return evaluate(make_vrnn(), elbo, sequences, batch_size=4, seed=5)


@pytest.mark.parametrize("batch_size", [1, 7, 22, 100])
def test_bounds_do_not_depend_on_the_batch_size(make_vrnn, elbo, sequences, found: Evaluation, batch_size: int):
    other = evaluate(make_vrnn(), elbo, sequences, batch_size=batch_size, seed=5)
    torch.testing.assert_close(other.bounds, found.bounds, rtol=1e-10, atol=1e-10)
    torch.testing.assert_close(other.kl, found.kl, rtol=1e-10, atol=1e-10)


def test_every_bound_is_that_of_the_sequence_alone_in_the_splits_order(make_vrnn, elbo, sequences, found: Evaluation):
    model, kl = make_vrnn(), torch.zeros(int(sequences.lengths.max()), dtype=torch.float64)
    for number, length in enumerate(sequences.lengths.tolist()):
        batch = sequences.batch(torch.tensor([number]))
        noise = keyed_noise(5, batch, 1, model.z_dim)
        assert float(found.bounds[number]) == pytest.approx(float(elbo(model, batch, 0, noise).bound[0]))
        kl[:length] += model(batch, noise)[0].kl[0].detach()
    torch.testing.assert_close(found.kl, kl)


def test_bounds_do_not_depend_on_the_other_sequences(make_vrnn, elbo, sequences, found: Evaluation):
    lengths = sequences.lengths[:9]
    first = Sequences(sequences.values[: lengths.sum()], lengths)
    head = evaluate(make_vrnn(), elbo, first, batch_size=4, seed=5)
    torch.testing.assert_close(head.bounds, found.bounds[:9], rtol=1e-10, atol=1e-10)


def test_the_seed_and_nothing_global_decides(make_vrnn, elbo, sequences, found: Evaluation):
    torch.manual_seed(77)
    state = torch.get_rng_state()
    model = make_vrnn()
    torch.set_rng_state(state)
    assert torch.equal(evaluate(model, elbo, sequences, batch_size=4, seed=5).bounds, found.bounds)
    assert torch.equal(torch.get_rng_state(), state)
    assert not torch.equal(evaluate(model, elbo, sequences, batch_size=4, seed=6).bounds, found.bounds)
    assert all(parameter.grad is None for parameter in model.parameters())


def test_float32_agrees_with_float64(make_vrnn, elbo, sequences, found: Evaluation):
    single = Sequences(sequences.values.float(), sequences.lengths)
    other = evaluate(make_vrnn().float(), elbo, single, batch_size=23, seed=5)
    torch.testing.assert_close(other.bounds, found.bounds, rtol=1e-4, atol=1e-4)


def test_figures_are_means_with_their_standard_errors(found: Evaluation):
    measurements = found.measurements("valid", Space())
    bounds, lengths = found.bounds.numpy(), found.lengths.numpy()
    per_sequence, per_step = measurements["valid/log_likelihood"], measurements["valid/log_likelihood_per_step"]
    assert per_sequence.value == pytest.approx(bounds.mean())
    assert per_sequence.standard_error == pytest.approx(bounds.std(ddof=1) / math.sqrt(23))
    assert per_step.value == pytest.approx(bounds.sum() / lengths.sum())
    assert measurements["valid/kl"].value == pytest.approx(float(found.kl.sum()) / 23)
    assert {measurement.count for measurement in measurements.values()} == {23}
    assert {
        name: (measurement.unit, measurement.space, measurement.kind) for name, measurement in measurements.items()
    } == {
        "valid/log_likelihood": ("nats per sequence", "normalized", "lower_bound"),
        "valid/log_likelihood_per_step": ("nats per step", "normalized", "lower_bound"),
        "valid/log_likelihood_per_step_by_sequence": ("nats per step", "normalized", "lower_bound"),
        "valid/raw_log_likelihood": ("nats per sequence", "raw", "lower_bound"),
        "valid/raw_log_likelihood_per_step": ("nats per step", "raw", "lower_bound"),
        "valid/raw_log_likelihood_per_step_by_sequence": ("nats per step", "raw", "lower_bound"),
        "valid/kl": ("nats per sequence", "normalized", "estimate"),
    }


def test_nats_per_step_by_sequence_are_the_mean_of_each_sequences_own(found: Evaluation):
    by_sequence = found.measurements("valid", Space())["valid/log_likelihood_per_step_by_sequence"]
    own = (found.bounds / found.lengths).numpy()
    assert by_sequence.value == pytest.approx(own.mean())
    assert by_sequence.standard_error == pytest.approx(own.std(ddof=1) / math.sqrt(23))
    equal = Evaluation(found.bounds, torch.full((23,), 9), "exact", found.kl).measurements("valid", Space())
    assert not [name for name in equal if name.endswith("by_sequence")]  # it would be the same as that per step


def test_the_standard_error_per_step_is_that_of_the_bootstrap():
    rng = np.random.default_rng(0)
    lengths = rng.integers(3, 40, 500)
    bounds = -2.0 * lengths + rng.normal(0.0, 3.0, 500)
    found = Evaluation(torch.from_numpy(bounds), torch.from_numpy(lengths), "exact", torch.zeros(39))
    draws = rng.integers(0, 500, (2000, 500))
    ratios = bounds[draws].sum(1) / lengths[draws].sum(1)
    assert found.measurements("test", Space())["test/log_likelihood_per_step"].standard_error == pytest.approx(
        ratios.std(), rel=0.1
    )


def test_sequences_in_groups_have_the_standard_error_of_the_groups():
    """With groups of one size it is that of the mean of the groups' means; over steps, of a ratio of groups' sums."""
    rng = np.random.default_rng(1)
    lengths = torch.from_numpy(rng.integers(3, 40, 30))
    bounds = torch.from_numpy(rng.normal(size=6).repeat(5) * 9 + rng.normal(-50, 1, 30))
    groups = [f"speaker {number // 5}" for number in range(30)]
    shuffle = torch.from_numpy(rng.permutation(30))
    found = Evaluation(
        bounds[shuffle], lengths[shuffle], "exact", torch.zeros(39), groups=[groups[i] for i in shuffle]
    ).measurements("test", Space(0.5, 3), "speaker")
    means = bounds.view(6, 5).mean(1)
    assert found["test/log_likelihood"].standard_error == pytest.approx(float(means.std()) / math.sqrt(6))
    alone = Evaluation(bounds, lengths, "exact", torch.zeros(39)).measurements("test", Space(0.5, 3))
    assert found["test/log_likelihood"].standard_error > 2 * alone["test/log_likelihood"].standard_error
    for name, measurement in found.items():
        assert measurement.value == pytest.approx(alone[name].value)
        assert (measurement.over, alone[name].over) == ("6 speakers", "sequences")
    ratio = float(bounds.sum() / lengths.sum())
    residuals = (bounds - ratio * lengths).view(6, 5).sum(1) / lengths.sum()
    per_step = found["test/log_likelihood_per_step"].standard_error
    assert per_step == pytest.approx(math.sqrt(6 / 5 * float(residuals.square().sum())))


def test_groups_of_one_sequence_have_the_common_standard_error_and_a_single_group_has_none():
    bounds, lengths = torch.tensor([-3.0, -5.0, -9.0]).double(), torch.tensor([4, 2, 1])
    errors = []
    for groups in (None, ["a", "b", "c"], ["a", "a", "a"]):
        found = Evaluation(bounds, lengths, "exact", torch.zeros(4), groups=groups).measurements("test", Space())
        errors.append([found[f"test/log_likelihood{unit}"].standard_error for unit in ("", "_per_step")])
    assert errors[1] == pytest.approx(errors[0])
    assert errors[2] == [None, None]


def test_one_sequence_has_no_finite_standard_error():
    found = Evaluation(torch.tensor([-3.0]).double(), torch.tensor([4]), "exact", torch.zeros(4))
    assert found.measurements("test", Space())["test/log_likelihood"].standard_error is None


def test_raw_figures_are_densities_of_the_raw_values(sequences):
    """The same Gaussian, once over standardised values with log_det, once over the raw ones."""
    raw = sequences.values * torch.tensor([0.01, 3.0, 500.0]).double() + torch.tensor([1.0, -7.0, 20.0]).double()
    scale = Standardisation(raw.mean(0), raw.std(0))
    standardised = Sequences(scale.forward(raw), sequences.lengths)
    likelihood = Gaussian(3, min_std=1e-9)
    measurements = independent(likelihood, standardised, standardised).measurements("test", Space(scale.log_det))
    direct = independent(likelihood, Sequences(raw, sequences.lengths), Sequences(raw, sequences.lengths))
    expected = direct.measurements("test", Space())
    for name in ("log_likelihood", "log_likelihood_per_step"):
        ours, theirs = measurements[f"test/raw_{name}"], expected[f"test/{name}"]
        assert ours.value == pytest.approx(theirs.value, rel=1e-9)
        assert ours.standard_error == pytest.approx(theirs.standard_error, rel=1e-9)


def test_sequences_that_are_drawn_anew_are_drawn_from_the_seed(make_vrnn, elbo, make_splits):
    train = make_splits(drawn=True).train
    model = make_vrnn(likelihood="bernoulli").float()
    bounds = [evaluate(model, elbo, train, batch_size=5, seed=seed).bounds for seed in (0, 0, 1)]
    assert torch.equal(bounds[0], bounds[1])
    assert not torch.equal(bounds[0], bounds[2])
