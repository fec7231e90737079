"""What bounds are read against, by brute force and against scipy."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from vrnn.data.splits import Sequences, Splits, Standardisation
from vrnn.likelihoods.bernoulli import Bernoulli
from vrnn.likelihoods.gaussian import Gaussian
from vrnn.training.references import LinearPredictor, autocorrelation, independent, references

FRAME = 4
A1, A2, STD = 1.2, -0.6, 0.5


def autoregression(num: int, seed: int, frames: int = 25) -> tuple[Sequences, list[np.ndarray]]:
    """x_n = A1 x_{n-1} + A2 x_{n-2} + STD e_n from rest, in frames of 4 samples: ragged sequences, and signals."""
    rng = np.random.default_rng(seed)
    lengths = rng.integers(frames, 2 * frames, num)
    signals = []
    for length in lengths:
        x = np.zeros(2 + FRAME * length)
        for n in range(2, len(x)):
            x[n] = A1 * x[n - 1] + A2 * x[n - 2] + STD * rng.normal()
        signals.append(x[2:])
    values = torch.from_numpy(np.concatenate(signals)).view(-1, FRAME)
    return Sequences(values, torch.from_numpy(lengths)), signals


def predictor(train: Sequences, order: int) -> LinearPredictor:
    return LinearPredictor(autocorrelation(train, order), train.values.numel())


def test_the_autocorrelation_is_the_sum_of_products_within_each_signal():
    sequences, signals = autoregression(7, 0, frames=1)
    expected = [sum(x[n] * x[n - k] for x in signals for n in range(k, len(x))) for k in range(6)]
    np.testing.assert_allclose(autocorrelation(sequences, 5), expected, atol=1e-12)


def test_the_linear_predictor_recovers_the_coefficients_of_an_autoregression():
    found = predictor(autoregression(200, 0)[0], order=2)
    np.testing.assert_allclose(found.weights, [A1, A2], atol=0.03)
    assert found.variance == pytest.approx(STD**2, rel=0.05)


@pytest.mark.parametrize("order", [1, 2, 5])
def test_the_likelihood_of_the_linear_predictor_is_that_of_its_residuals_sample_by_sample(order: int):
    found = predictor(autoregression(50, 0)[0], order)
    assert len(found.weights) == found.order == order
    test, signals = autoregression(8, 1)
    evaluation = found.evaluate(test)
    for number, x in enumerate(signals):
        predicted = [sum(found.weights[k - 1] * x[n - k] for k in range(1, order + 1) if n >= k) for n in range(len(x))]
        expected = stats.norm(predicted, math.sqrt(found.variance)).logpdf(x).sum()
        assert float(evaluation.bounds[number]) == pytest.approx(expected)
    assert torch.equal(evaluation.lengths, test.lengths)
    assert evaluation.kind == "exact"
    assert torch.equal(evaluation.kl, torch.zeros(int(test.lengths.max())))


def test_the_linear_predictor_comes_near_the_entropy_and_beats_independent_steps():
    train, test = autoregression(100, 0)[0], autoregression(50, 1)[0]
    per_sample = float(predictor(train, 2).evaluate(test).bounds.sum()) / test.values.numel()
    assert per_sample == pytest.approx(-0.5 * math.log(2 * math.pi * math.e * STD**2), abs=0.02)
    apart = float(independent(Gaussian(FRAME), train, test).bounds.sum()) / test.values.numel()
    assert per_sample > apart + 0.3


def test_silence_pure_tones_and_sequences_shorter_than_the_order_are_no_failure():
    short = autoregression(9, 0, frames=2)[0]
    silence = Sequences(torch.zeros_like(short.values), short.lengths)
    tone = Sequences.of_equal_length(torch.sin(0.1 * torch.arange(800.0)).view(1, 200, FRAME))
    for sequences in (short, silence, tone):
        assert predictor(sequences, 64).evaluate(sequences).bounds.isfinite().all()


def test_independent_agrees_with_scipy():
    train, test = autoregression(40, 0)[0], autoregression(7, 1)[0]
    found = independent(Gaussian(FRAME), train, test)
    columns = [stats.norm.fit(train.values[:, d].numpy()) for d in range(FRAME)]
    ends = test.lengths.cumsum(0).tolist()
    for number, (end, length) in enumerate(zip(ends, test.lengths.tolist(), strict=True)):
        x = test.values[end - length : end].numpy()
        expected = sum(stats.norm(*columns[d]).logpdf(x[:, d]).sum() for d in range(FRAME))
        assert float(found.bounds[number]) == pytest.approx(expected, rel=1e-6)
    assert found.kind == "exact"
    assert torch.equal(found.kl, torch.zeros(int(test.lengths.max())))


def test_independent_bernoulli_agrees_with_scipy():
    train = Sequences((autoregression(40, 0)[0].values > 0.5).double(), autoregression(40, 0)[0].lengths)
    found = independent(Bernoulli(FRAME), train, train)
    frequencies = train.values.mean(0).numpy()
    log_prob = stats.bernoulli(frequencies).logpmf(train.values.numpy()).sum()
    assert float(found.bounds.sum()) == pytest.approx(log_prob, rel=1e-6)


def test_the_references_are_those_that_apply():
    train, valid, test = (autoregression(20, seed)[0] for seed in range(3))
    standardisation = Standardisation.identity(FRAME)
    plain = references(Gaussian(FRAME), Splits(train, valid, test, standardisation))
    assert list(plain) == ["independent Gaussian"]
    found = references(Gaussian(FRAME), Splits(train, valid, test, standardisation, sample_rate=8000))
    assert len(found) == 2
    name = next(name for name in found if name.startswith("linear predictor of order "))
    order = int(name.split()[-1])
    bounds = {k: float(predictor(train, k).evaluate(valid).bounds.mean()) for k in (16, 32, 64)}
    assert order == max(bounds, key=bounds.get)
    torch.testing.assert_close(found[name].bounds, predictor(train, order).evaluate(test).bounds)
