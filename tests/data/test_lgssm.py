"""The linear-Gaussian state-space model: its likelihood against statsmodels, its draws against their moments."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from tests.objectives.linear_gaussian import observe, truth, turning
from vrnn.data.lgssm import LinearGaussian, lgssm
from vrnn.data.splits import Sequences
from vrnn.data.standardisation import Standardisation
from vrnn.likelihoods.gaussian import Gaussian
from vrnn.training.references import exact, references
from vrnn.training.space import Space

SMALL = {
    "x_dim": 3,
    "transition": [[0.72, 0.54], [-0.54, 0.72]],
    "transition_cov": [[0.5, 0.1], [0.1, 0.3]],
    "emission": [[1.0, 0.2], [-0.4, 0.9], [3.0, 0.3]],
    "emission_cov": [[0.4, 0.12, 0.0], [0.12, 0.3, 0.0], [0.0, 0.0, 9.0]],
    "initial_cov": None,
    "num_steps": 6,
    "train_sequences": 400,
    "valid_sequences": 5,
    "test_sequences": 7,
    "seed": 0,
}


def by_statsmodels(process: LinearGaussian, x: Tensor) -> float:
    """log p(x) of x [T, D] by the Kalman filter of another package."""
    from statsmodels.tsa.statespace.kalman_filter import KalmanFilter

    seen, latent = process.emission.shape
    matrices = {
        "design": process.emission,
        "obs_cov": process.emission_cov,
        "transition": process.transition,
        "selection": np.eye(latent),
        "state_cov": process.transition_cov,
    }
    model = KalmanFilter(seen, latent, **matrices)
    model.bind(np.asfortranarray(x.T.numpy()))
    model.initialize_known(np.zeros(latent), process.initial_cov)
    return float(model.loglike())


@pytest.mark.parametrize("fading", [0.5, 0.99])
def test_the_likelihood_is_that_of_statsmodels(fading: float):
    process = turning(fading)
    lengths = [200, 1, 3]
    parts = [observe(process, 1, length, seed)[0] for seed, length in enumerate(lengths)]
    found = process.truth(Sequences(torch.cat(parts), torch.tensor(lengths)), Standardisation.identity(3))
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx([by_statsmodels(process, part) for part in parts], rel=1e-10)


def test_the_likelihood_is_that_of_all_steps_as_one_normal():
    """cov(x_s, x_t) = C cov(z_s, z_t) C' + [s = t] R, with cov(z_s, z_t) = cov(z_s) A'^(t - s) for s <= t."""
    process, steps = turning(), 4
    matrices = LinearGaussian(*map(torch.from_numpy, process))
    cov, rows = matrices.initial_cov, []
    for s in range(steps):
        block = cov
        row = []
        for t in range(s, steps):
            row.append(matrices.emission @ block @ matrices.emission.T + (s == t) * matrices.emission_cov)
            block = block @ matrices.transition.T
        rows.append(row)
        cov = matrices.transition @ cov @ matrices.transition.T + matrices.transition_cov
    whole = torch.cat(
        [
            torch.cat([rows[min(s, t)][abs(t - s)] if s <= t else rows[t][s - t].T for t in range(steps)], 1)
            for s in range(steps)
        ]
    )
    x = observe(process, 5, steps)
    expected = MultivariateNormal(torch.zeros(len(whole)).double(), whole).log_prob(x.flatten(1))
    torch.testing.assert_close(truth(process, x), expected)


def test_draws_have_the_covariance_that_the_matrices_say():
    process = LinearGaussian(*map(torch.from_numpy, turning()))
    x = observe(turning(), 20_000, 3)
    cov = process.initial_cov
    for t in range(3):
        expected = process.emission @ cov @ process.emission.T + process.emission_cov
        torch.testing.assert_close(x[:, t].T.cov(), expected, atol=0.08, rtol=0.0)
        cov = process.transition @ cov @ process.transition.T + process.transition_cov


def test_without_an_initial_covariance_the_process_is_stationary():
    splits = lgssm(**{**SMALL, "train_sequences": 20_000})
    x = splits.standardisation.inverse(splits.train.values).view(-1, 6, 3)
    torch.testing.assert_close(x[:, 0].T.cov(), x[:, -1].T.cov(), atol=0.25, rtol=0.05)


def test_the_truth_is_in_the_space_of_the_standardised_data_and_back_in_raw_space():
    splits = lgssm(**SMALL)
    raw = splits.standardisation.inverse(splits.test.values.double())
    expected = splits.truth(Sequences(raw, splits.test.lengths), Standardisation.identity(3))
    measured = exact(Gaussian(3), splits, "test").measurements("reference/truth", Space.of(Gaussian(3), splits))
    assert measured["reference/truth/raw_log_likelihood"].value == pytest.approx(float(expected.mean()))
    assert measured["reference/truth/log_likelihood"].kind == "exact"
    assert abs(splits.standardisation.log_det) > 0.5
    other = splits.standardised_as(Standardisation(torch.full((3,), 0.3), torch.full((3,), 2.0)))
    again = exact(Gaussian(3), other, "test").measurements("reference/truth", Space.of(Gaussian(3), other))
    assert again["reference/truth/raw_log_likelihood"].value == pytest.approx(float(expected.mean()), rel=1e-5)


def test_the_gap_is_that_of_each_sequence():
    splits = lgssm(**{**SMALL, "test_sequences": 300})
    found = references(Gaussian(3), splits)
    best, apart = found["the true process"], found["independent Gaussian"]
    gap = apart.gap(best, "test")["test/gap"]
    differences = best.bounds - apart.bounds
    assert gap.value == pytest.approx(float(differences.mean()))
    assert gap.standard_error == pytest.approx(float(differences.std()) / math.sqrt(300))
    assert gap.value > 5 * gap.standard_error
    assert gap.kind == "exact"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"transition": [[1.0, 0.0]]}, r"transition must be 1 rows of 1 numbers, got \[2\]"),
        ({"emission": [[1.0, 0.0]]}, r"emission must be 3 rows of 2 numbers, got \[2\]"),
        (
            {"emission_cov": [[1.0, 2.0, 0.0], [2.0, 1.0, 0.0], [0.0, 0.0, 1.0]]},
            "emission_cov must be symmetric",
        ),
        ({"transition_cov": [[1.0, 0.1], [0.0, 1.0]]}, "transition_cov must be symmetric and positive definite"),
        ({"initial_cov": [[math.nan, 0.0], [0.0, 1.0]]}, "initial_cov must be finite"),
        ({"transition": [[1.0, 0.0], [0.0, 0.5]]}, "initial_cov must be given: z grows without end"),
        ({"num_steps": 0}, "num_steps must be at least 1, got 0"),
        ({"seed": -1}, "seed must be at least 0, got -1"),
    ],
)
def test_wrong_arguments_are_answered_by_name(wrong: dict, message: str):
    with pytest.raises(ValueError, match=message):
        lgssm(**{**SMALL, **wrong})
