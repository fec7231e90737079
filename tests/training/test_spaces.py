"""From bounds to measurements: KL by step, raw space, bits per dimension, and what the noise of a bound is worth."""

from __future__ import annotations

import math

import pytest
import torch

from vrnn.data.splits import Sequences, Splits, Standardisation
from vrnn.likelihoods.bernoulli import Bernoulli
from vrnn.likelihoods.discretized_logistics import DiscretizedLogistics
from vrnn.likelihoods.gaussian import Gaussian
from vrnn.models.base import SequenceModel
from vrnn.objectives.fivo import FIVO
from vrnn.objectives.iwae import IWAE
from vrnn.training.evaluation import Evaluation, evaluate, rows_within
from vrnn.training.noise import keyed_noise
from vrnn.training.space import Space

SCALE = Standardisation(torch.tensor([1.0, -2.0, 0.5]), torch.tensor([10.0, 0.5, 3.0]))
LOG_DET = math.log(15.0)


@pytest.fixture
def sequences(make_splits) -> Sequences:
    """9 ragged sequences in float64."""
    valid = make_splits(ragged=True).valid
    return Sequences(valid.values.double(), valid.lengths)


def bits(sequences: Sequences) -> Sequences:
    return Sequences((sequences.values > 0.0).double(), sequences.lengths)


def splits(values: torch.Tensor, levels: int | None, standardisation: Standardisation = SCALE) -> Splits:
    part = Sequences(values, torch.tensor([len(values)]))
    return Splits(part, part, part, standardisation, levels=levels)


def blind(model: SequenceModel) -> SequenceModel:
    """All weights 0: posterior = prior, and every likelihood at parameters 0."""
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    return model


@pytest.mark.parametrize("samples", [1, 40])
@pytest.mark.parametrize("batch_size", [1, 7, 80, 1000])
def test_bounds_of_any_number_of_samples_do_not_depend_on_the_rows_at_a_time(
    make_vrnn, sequences, samples: int, batch_size: int
):
    model, objective = make_vrnn(), IWAE(samples)
    found = evaluate(model, objective, sequences, batch_size=batch_size, seed=5)
    for number in range(len(sequences)):
        batch = sequences.batch(torch.tensor([number]))
        estimate = objective(model, batch, 0, keyed_noise(5, batch, samples, model.z_dim))
        assert float(found.bounds[number]) == pytest.approx(float(estimate.bound), rel=1e-10)
    assert found.kind == "estimate"


@pytest.mark.parametrize(
    ("batch_size", "rows"), [(1000, [36]), (17, [16, 16, 4]), (8, [8, 8, 8, 8, 4]), (3, [3, 1] * 9)]
)
def test_no_pass_has_more_rows_than_the_batch_size_samples_included(
    monkeypatch, make_vrnn, sequences, batch_size: int, rows: list[int]
):
    model, seen = make_vrnn(), []
    forward = model.forward

    def counted(batch, noise, state=None):
        seen.append(len(noise))
        return forward(batch, noise, state)

    monkeypatch.setattr(model, "forward", counted)
    evaluate(model, IWAE(4), sequences, batch_size=batch_size, seed=5)
    assert seen == rows


@pytest.mark.parametrize("objective", ["elbo", "iwae"])
def test_kl_by_step_is_the_mean_over_the_sequences_that_reach_it(make_vrnn, sequences, elbo, objective: str):
    model = make_vrnn()
    found = evaluate(model, {"elbo": elbo, "iwae": IWAE(3)}[objective], sequences, batch_size=4, seed=5)
    samples = 3 if objective == "iwae" else 1
    by_step: list[list[float]] = [[] for _ in range(int(sequences.lengths.max()))]
    for number, length in enumerate(sequences.lengths.tolist()):
        batch = sequences.batch(torch.tensor([number])).repeated(samples)
        noise = keyed_noise(5, sequences.batch(torch.tensor([number])), samples, model.z_dim)
        kl = model(batch, noise)[0].kl.mean(0)
        for t in range(length):
            by_step[t].append(float(kl[t].detach()))
    assert len(by_step[-1]) < len(by_step[0]) == 9
    assert found.kl_by_step.tolist() == pytest.approx([sum(values) / len(values) for values in by_step])
    reach = torch.tensor([len(values) for values in by_step])
    torch.testing.assert_close(found.kl_by_step * reach, found.kl)
    assert found.measurements("test", Space())["test/kl"].value == pytest.approx(sum(map(sum, by_step)) / 9)


@pytest.mark.parametrize("batch_size", [1, 12, 100])
def test_the_effective_sample_size_is_the_mean_over_the_sequences_that_reach_it(make_vrnn, sequences, batch_size: int):
    """And as the bound, it depends on no batch size, though particles are resampled."""
    model, objective = make_vrnn(), FIVO(4, ess_threshold=1.0)
    found = evaluate(model, objective, sequences, batch_size=batch_size, seed=5)
    by_step: list[list[float]] = [[] for _ in range(int(sequences.lengths.max()))]
    for number, length in enumerate(sequences.lengths.tolist()):
        batch = sequences.batch(torch.tensor([number]))
        estimate = objective(model, batch, 0, keyed_noise(5, batch, 4, objective.noise_dim(model)))
        assert float(found.bounds[number]) == pytest.approx(float(estimate.bound))
        for t in range(length):
            by_step[t].append(float(estimate.ess[0, t]))
    assert found.ess_by_step.tolist() == pytest.approx([sum(values) / len(values) for values in by_step])
    measured = found.measurements("test", Space())["test/effective_sample_size"]
    assert measured.value == pytest.approx(sum(map(sum, by_step)) / sum(map(len, by_step)))
    assert (measured.unit, measured.kind) == ("particles", "estimate")
    assert evaluate(model, IWAE(4), sequences, batch_size=12, seed=5).ess_by_step is None


def test_the_monte_carlo_error_is_that_of_the_figures_over_seeds(make_vrnn, sequences):
    """The scatter of means over many seeds, which no single evaluation sees."""
    short = Sequences(sequences.values[:6], torch.tensor([1, 2, 3]))
    model, means, errors = make_vrnn(), [], []
    for seed in range(150):
        measurements = evaluate(model, IWAE(20), short, batch_size=60, seed=seed).measurements("test", Space())
        means.append(measurements["test/log_likelihood"].value)
        errors.append(measurements["test/log_likelihood"].monte_carlo_error)
        per_step = measurements["test/log_likelihood_per_step"].monte_carlo_error
        assert per_step == pytest.approx(errors[-1] * 3 / 6)
    scatter = float(torch.tensor(means).std())
    assert math.sqrt(sum(error**2 for error in errors) / 150) == pytest.approx(scatter, rel=0.25)


def test_where_the_noise_cannot_be_told_there_is_no_monte_carlo_error(make_vrnn, make_rnn, sequences, elbo):
    for objective in (elbo, IWAE(1)):
        measurements = evaluate(make_vrnn(), objective, sequences, batch_size=4, seed=5).measurements(
            "test", Space(1.0, 3)
        )
        assert {measurement.monte_carlo_error for measurement in measurements.values()} == {None}
    exact = evaluate(make_rnn(), IWAE(3), sequences, batch_size=4, seed=5).measurements("test", Space(1.0, 3))
    assert exact["test/log_likelihood"].monte_carlo_error == pytest.approx(0.0, abs=1e-12)
    assert exact["test/bits_per_dim"].monte_carlo_error == pytest.approx(0.0, abs=1e-12)


@pytest.mark.parametrize("name", ["vrnn", "rnn"])
def test_fair_coins_cost_one_bit_per_dimension(name: str, make_vrnn, make_rnn, sequences, elbo):
    model = blind({"vrnn": make_vrnn, "rnn": make_rnn}[name](likelihood="bernoulli"))
    found = evaluate(model, elbo, bits(sequences), batch_size=4, seed=5)
    measurement = found.measurements("test", Space(bits_dim=3))["test/bits_per_dim"]
    assert measurement.value == pytest.approx(1.0, abs=1e-12)
    assert measurement.standard_error == pytest.approx(0.0, abs=1e-12)
    assert (measurement.unit, measurement.space, measurement.count) == ("bits per dimension", "raw", 9)
    assert measurement.kind == {"vrnn": "upper_bound", "rnn": "exact"}[name]
    assert str(measurement).startswith({"vrnn": "≤ 1.00 ± 0.00", "rnn": "1.00 ± 0.00"}[name])
    estimate = evaluate(model, IWAE(2), bits(sequences), batch_size=4, seed=5).measurements("test", Space(bits_dim=3))
    assert estimate["test/bits_per_dim"].kind == {"vrnn": "estimate", "rnn": "exact"}[name]


def test_bits_per_dimension_are_minus_raw_nats_per_step_in_other_units(make_vrnn, sequences):
    found = evaluate(make_vrnn(), IWAE(5), sequences, batch_size=40, seed=5)
    measurements = found.measurements("test", Space(LOG_DET, 3))
    ours, nats = measurements["test/bits_per_dim"], measurements["test/raw_log_likelihood_per_step"]
    for name in ("value", "standard_error", "monte_carlo_error"):
        sign = -1.0 if name == "value" else 1.0
        assert getattr(ours, name) == pytest.approx(sign * getattr(nats, name) / (3 * math.log(2.0)))
    assert "test/bits_per_dim" not in found.measurements("test", Space(LOG_DET))


def test_uniform_levels_cost_their_number_of_bits():
    """Dequantised values that are uniform over 8 levels cost 3 bits each, whatever the unit they are modelled in."""
    lengths = torch.tensor([5, 2])
    for std in (1.0, 2.5):
        normalized = -2.0 * lengths.double() * math.log(8.0 / std)  # two values a step, uniform over a width of 8 / std
        found = Evaluation(normalized, lengths, "exact", torch.zeros(5))
        measurement = found.measurements("test", Space(2.0 * math.log(std), 2))["test/bits_per_dim"]
        assert measurement.value == pytest.approx(3.0)


def test_a_density_is_turned_by_the_standardisation_and_a_probability_is_not(sequences):
    continuous, binary = torch.randn(500, 3), (torch.randn(500, 3) > 0.0).float()
    assert Space.of(Gaussian(3), splits(continuous, None))[:2] == (pytest.approx(LOG_DET), None)
    assert Space.of(Bernoulli(3), splits(binary, 2))[:2] == (0.0, 3)
    assert Space.of(DiscretizedLogistics(3, levels=2), splits(2.0 * binary - 1.0, 2))[:2] == (0.0, 3)
    found = Evaluation(torch.tensor([-7.0, -9.0]).double(), torch.tensor([2, 3]), "exact", torch.zeros(3))
    discrete = found.measurements("test", Space.of(Bernoulli(3), splits(binary, 2)))
    assert discrete["test/raw_log_likelihood"].value == discrete["test/log_likelihood"].value == -8.0
    density = found.measurements("test", Space.of(Gaussian(3), splits(continuous, None)))
    assert density["test/log_likelihood"].value == -8.0
    assert density["test/raw_log_likelihood"].value == pytest.approx(-8.0 - 2.5 * LOG_DET)


def test_bits_are_told_of_quantised_values_unless_their_density_has_no_ceiling():
    dequantised = torch.randn(2000, 3)
    assert Space.of(Gaussian(3), splits(dequantised, 65536)).bits_dim == 3
    assert Space.of(Gaussian(3), splits(dequantised, None)).bits_dim is None
    assert Space.of(Gaussian(3), splits((dequantised > 0.0).float(), 2)).bits_dim is None
    assert Space.of(Gaussian(3), splits((100.0 * dequantised).round(), 65536)).bits_dim is None  # no value stands out
    assert Space.of(Bernoulli(3), splits((dequantised > 0.0).float(), None)).bits_dim is None


def test_rows_within_memory_are_as_many_as_the_activations_leave_room_for(make_rnn):
    model = make_rnn()
    widths = 8 + 9 + 3 * 7 + 3 * 7 + 15 + 14 + 6  # phi_x, gates from x and h, emission
    assert rows_within(model, 10, 12 * 10 * widths * 25) == 25
    assert rows_within(model, 20, 12 * 10 * widths * 25) == 12
    assert rows_within(model, 10**9, 1.0) == 1
