"""Scores of sample paths against closed forms, and references against what made the data."""

from __future__ import annotations

import math

import pytest
import torch

from vrnn.data.sequences import Sequences
from vrnn.training.forecasts import Autoregression, Naive, filled, judge


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_the_crps_of_normal_draws_is_that_of_the_normal_distribution():
    """CRPS(N(0, 1), x) = x (2 Phi(x) - 1) + 2 phi(x) - 1 / sqrt(pi) (Gneiting and Raftery 2007, eq. 21)."""
    x = torch.tensor([-2.0, -0.5, 0.0, 1.0, 3.0]).double()
    paths = torch.randn(5, 3000, 1, 1, generator=generator(), dtype=torch.float64)
    normal = torch.distributions.Normal(0.0, 1.0)
    exact = x * (2.0 * normal.cdf(x) - 1.0) + 2.0 * normal.log_prob(x).exp() - 1.0 / math.sqrt(math.pi)
    for row in range(5):
        found = judge(paths[row : row + 1, :], x[row].view(1, 1, 1), torch.ones(1, 1, 1, dtype=torch.bool))
        assert float(found.crps.sum()) == pytest.approx(float(exact[row]), abs=0.06)


def test_of_one_dimension_the_energy_score_is_the_crps_and_pairs_agree_with_sorting():
    paths, truth = torch.randn(7, 9, 1, 1, generator=generator()), torch.randn(7, 1, 1, generator=generator())
    found = judge(paths, truth, torch.ones(7, 1, 1, dtype=torch.bool))
    assert float(found.energy) == pytest.approx(float(found.crps.sum()), rel=1e-4)
    pairs = (paths[:, :, None] - paths[:, None]).abs().sum((1, 2)) / (2 * 9 * 8)
    direct = (paths - truth[:, None]).abs().mean(1) - pairs
    assert float(found.crps.sum()) == pytest.approx(float(direct.sum()), rel=1e-5)


def test_draws_of_the_truth_are_calibrated_and_missing_values_count_nowhere():
    truth = torch.randn(3000, 2, 2, generator=generator())
    paths = torch.randn(3000, 59, 2, 2, generator=generator().manual_seed(1))
    observed = torch.rand(truth.shape, generator=generator().manual_seed(2)) < 0.8
    found = judge(paths, torch.where(observed, truth, 1e6), observed)
    summary = found.summary()
    assert summary["coverage of 50 %"] == pytest.approx(0.5, abs=0.02)
    assert summary["coverage of 90 %"] == pytest.approx(0.9, abs=0.02)
    assert summary["CRPS"] == pytest.approx(1.0 / math.sqrt(math.pi), abs=0.02)  # E of it under the truth
    assert found.windows == int(observed.flatten(1).all(1).sum())


def test_an_autoregression_finds_the_process_and_forecasts_it():
    x = [torch.zeros(400, 2)]
    matrix = torch.tensor([[0.9, 0.2], [-0.3, 0.7]])
    noise = generator()
    for _ in range(40):
        x.append(x[-1] @ matrix.T + 0.5 * torch.randn(400, 2, generator=noise))
    sequences = Sequences.of_equal_length(torch.stack(x, 1))
    found = Autoregression(sequences, 1)
    torch.testing.assert_close(found.weights[:2].T.float(), matrix, rtol=0, atol=0.03)
    torch.testing.assert_close(found.root.float(), 0.5 * torch.eye(2), rtol=0, atol=0.02)
    past = torch.stack(x, 1)[:1]
    paths = found.sample(past, 2, 20_000, generator())
    expected = matrix @ matrix @ past[0, -1]
    torch.testing.assert_close(paths[0, :, 1].mean(0).float(), expected, rtol=0, atol=0.05)


def test_a_season_is_repeated_and_the_past_is_filled():
    x = torch.arange(12.0).remainder(4).view(1, 12, 1).repeat(3, 1, 1)
    naive = Naive(Sequences.of_equal_length(x), 4, 4, generator())
    torch.testing.assert_close(naive.sample(x[:, :8], 4, 2, generator())[0, 0, :, 0], torch.arange(4.0).double())
    observed = torch.ones(1, 4, 1, dtype=torch.bool)
    observed[0, [0, 2]] = False
    assert filled(torch.tensor([[[9.0], [1.0], [9.0], [2.0]]]), observed).flatten().tolist() == [0.0, 1.0, 1.0, 2.0]
