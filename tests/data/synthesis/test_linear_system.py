"""The Kalman filter against the joint normal distribution of everything that it sees."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from vrnn.data.oscillators import draw_runs, make_system
from vrnn.data.synthesis.linear_system import LinearSystem

STEPS, X_DIM = 5, 3


@pytest.fixture
def system() -> LinearSystem:
    return make_system(X_DIM, 2, 0.3, seed=1)


def joint(system: LinearSystem, steps: int) -> np.ndarray:
    """The covariance of x_1 to x_T, end to end, without the noise of the sensors [T D, T D]."""
    states = [[system.initial] * steps for _ in range(steps)]
    for row in range(steps):
        for column in range(steps):
            lag = np.linalg.matrix_power(system.transition, abs(row - column))
            states[row][column] = lag @ system.initial if row >= column else system.initial @ lag.T
    return np.block([[system.emission @ block @ system.emission.T for block in line] for line in states])


def test_the_filters_density_is_that_of_the_joint_normal_distribution(system: LinearSystem):
    rng = np.random.default_rng(0)
    scale = np.where(rng.random((4, STEPS)) < 0.3, 6.0, 1.0)
    x, observed = system.simulate(scale, rng), rng.random((4, STEPS, X_DIM)) < 0.7
    found = system.filter(np.where(observed, x, np.nan), observed, scale).log_px.sum(1)
    for row in range(4):
        kept = observed[row].ravel()
        noise = np.diag(np.repeat((system.noise * scale[row]) ** 2, X_DIM))
        covariance = (joint(system, STEPS) + noise)[np.ix_(kept, kept)]
        assert found[row] == pytest.approx(multivariate_normal(cov=covariance).logpdf(x[row].ravel()[kept]))


def test_the_forecast_is_the_conditional_normal_distribution(system: LinearSystem):
    rng, ones = np.random.default_rng(0), np.ones((1, STEPS))
    x = system.simulate(ones, rng)
    mean, std = system.forecast(system.filter(x, np.ones(x.shape, bool), ones), 2)
    covariance = joint(system, STEPS + 2) + system.noise**2 * np.eye((STEPS + 2) * X_DIM)
    past, future = slice(STEPS * X_DIM), slice(STEPS * X_DIM, None)
    weights = np.linalg.solve(covariance[past, past], covariance[past, future]).T
    np.testing.assert_allclose(mean[0].ravel(), weights @ x.ravel())
    rest = covariance[future, future] - weights @ covariance[past, future]
    np.testing.assert_allclose(std[0].ravel(), np.sqrt(np.diag(rest)))


def test_it_starts_as_it_goes_on(system: LinearSystem):
    x = system.simulate(np.ones((4000, 30)), np.random.default_rng(0))
    expected = np.sqrt(np.diag(system.emission @ system.initial @ system.emission.T) + system.noise**2)
    np.testing.assert_allclose(x[:, 0].std(0), expected, rtol=0.05)
    np.testing.assert_allclose(x[:, -1].std(0), expected, rtol=0.05)


def test_runs_last_as_long_as_they_may():
    runs = draw_runs((500, 200), 0.01, (2, 2), np.random.default_rng(0))
    edges = np.diff(np.pad(runs, ((0, 0), (1, 1))).astype(int), axis=1)
    lasting = np.argwhere(edges < 0)[:, 1] - np.argwhere(edges > 0)[:, 1]
    assert runs.mean() == pytest.approx(0.02, rel=0.1)
    assert np.median(lasting) == 2
    assert not draw_runs((9, 9), 0.0, (2, 3), np.random.default_rng(0)).any()
