"""The bounds against the truth: a linear-Gaussian state-space model, with proposals in closed form."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from tests.objectives.linear_gaussian import ClosedForm, observe, truth, turning
from vrnn.batch import Batch
from vrnn.objectives.base import Objective
from vrnn.objectives.elbo import ELBO
from vrnn.objectives.fivo import FIVO
from vrnn.objectives.iwae import IWAE

PLAIN = ELBO(lambda _: 1.0, lambda _: 0.0)
PROCESS = turning()


def bounds(objective: Objective, model: ClosedForm, x: Tensor, seed: int = 0) -> Tensor:
    """The bound of every sequence [N]."""
    shape = (len(x) * objective.num_samples, x.shape[1], objective.noise_dim(model))
    noise = torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    with torch.no_grad():
        return objective(model, Batch.of(x), 0, noise).bound


def mean_and_error(values: Tensor) -> tuple[float, float]:
    return float(values.mean()), float(values.std()) / math.sqrt(len(values))


def surely_below(lower: Tensor, upper: Tensor) -> bool:
    """Whether the mean of paired differences is above 0 by more than 4 standard errors."""
    mean, error = mean_and_error(upper - lower)
    return mean > 4 * error


@pytest.mark.parametrize("proposal", ["prior", "optimal"])
def test_elbo_iwae_fivo_and_the_truth_are_in_order(proposal: str):
    """In expectation, over 100 sequences of 25 steps; the expectation itself of all is taken over data and noise."""
    model, x = ClosedForm(PROCESS, proposal), observe(PROCESS, 100, 25)
    exact = truth(PROCESS, x)
    found = {each.name: bounds(each, model, x) for each in (PLAIN, IWAE(8), FIVO(8))}
    assert surely_below(found["elbo"], found["iwae"])
    assert surely_below(found["iwae"], found["fivo"])
    assert surely_below(found["fivo"], exact)


def test_the_gap_of_fivo_grows_with_the_steps_where_that_of_iwae_outgrows_it():
    """The relative variance of p_hat is linear in T, and without resampling exponential, as the paper says."""
    model = ClosedForm(PROCESS, "prior")
    gaps = {}
    for num, steps in ((80, 25), (20, 100)):
        x = observe(PROCESS, num, steps)
        for objective in (IWAE(16), FIVO(16)):
            gaps[objective.name, steps] = float((truth(PROCESS, x) - bounds(objective, model, x)).mean()) / steps
    assert gaps["fivo", 100] == pytest.approx(gaps["fivo", 25], rel=0.4)
    assert gaps["iwae", 100] > 1.4 * gaps["iwae", 25] > 10 * gaps["fivo", 25]


@pytest.mark.parametrize("proposal", ["prior", "optimal"])
def test_one_particle_makes_all_three_agree_exactly(proposal: str):
    """log p(x, z) - log q(z) is quadratic in the noise, so that the mean over all signs is its expectation."""
    model, steps = ClosedForm(PROCESS, proposal), 3
    signs = torch.tensor(list(itertools.product((-1.0, 1.0), repeat=steps * model.z_dim))).double()
    noise = signs.view(-1, steps, model.z_dim)
    many = Batch.of(observe(PROCESS, 1, steps)).repeated(len(noise))
    elbo, iwae = (each(model, many, 0, noise).bound for each in (PLAIN, IWAE(1)))
    fivo = FIVO(1)(model, many, 0, torch.cat([noise, torch.zeros(len(noise), steps, 1)], -1)).bound
    torch.testing.assert_close(fivo, iwae)
    torch.testing.assert_close(iwae.mean(), elbo.mean())
    assert float(iwae.std()) > 0.1
    assert float(elbo.mean()) < float(truth(PROCESS, many.x[:1])) - 0.1


@pytest.mark.parametrize("samples", [1, 7])
def test_the_exact_posterior_makes_every_weight_the_truth(samples: int):
    model, x = ClosedForm(PROCESS, "posterior"), observe(PROCESS, 5, 9)
    torch.testing.assert_close(bounds(IWAE(samples), model, x), truth(PROCESS, x))
    torch.testing.assert_close(bounds(FIVO(samples, ess_threshold=0.0), model, x), truth(PROCESS, x))


def test_the_exact_posterior_makes_the_elbo_the_truth():
    model, x = ClosedForm(PROCESS, "posterior"), observe(PROCESS, 1, 9)
    mean, error = mean_and_error(bounds(PLAIN, model, x.expand(1000, -1, -1)))
    assert error > 0.01  # its KL is analytic, so that it scatters all the same
    assert abs(mean - float(truth(PROCESS, x))) < 4 * error


@pytest.mark.parametrize("resampling", ["multinomial", "systematic"])
@pytest.mark.parametrize("threshold", [0.5, 1.0])
def test_the_optimal_proposal_estimates_the_likelihood_without_bias(resampling: str, threshold: float):
    """E p_hat = p(x): the mean ratio over 2000 filters is 1 within 3 standard errors."""
    model, x = ClosedForm(PROCESS, "optimal"), observe(PROCESS, 1, 6)
    found = bounds(FIVO(4, resampling, threshold), model, x.expand(2000, -1, -1))
    mean, error = mean_and_error((found - truth(PROCESS, x)).exp())
    assert 0.001 < error < 0.05
    assert abs(mean - 1.0) < 3 * error


def test_a_proposal_that_is_too_wide_changes_the_scatter_and_not_the_mean():
    x = observe(PROCESS, 1, 4)
    found = bounds(FIVO(16, ess_threshold=1.0), ClosedForm(PROCESS, "optimal", 1.5), x.expand(1000, -1, -1))
    mean, error = mean_and_error((found - truth(PROCESS, x)).exp())
    assert abs(mean - 1.0) < 3 * error


def test_a_thousand_particles_over_200_steps_come_near_the_truth():
    """No overflow, and log p(x) to a nat of several hundred."""
    model, x = ClosedForm(PROCESS, "optimal"), observe(PROCESS, 1, 200)
    found = bounds(FIVO(1000), model, x)
    assert float(truth(PROCESS, x).abs().min()) > 300.0
    torch.testing.assert_close(found, truth(PROCESS, x), atol=1.0, rtol=0.0)


def test_ended_sequences_keep_what_they_had():
    """Each of a ragged batch has the bound of itself alone, though the others go on and are resampled."""
    model, lengths = ClosedForm(PROCESS, "prior"), [9, 3, 1, 6]
    x = observe(PROCESS, 4, 9)
    noise = torch.randn(4 * 5, 9, 3, generator=torch.Generator().manual_seed(3)).double()
    together = FIVO(5)(model, Batch.of(x, torch.tensor(lengths)), 0, noise)
    for row, length in enumerate(lengths):
        alone = FIVO(5)(model, Batch.of(x[row : row + 1, :length]), 0, noise[row * 5 : (row + 1) * 5, :length])
        torch.testing.assert_close(alone.bound, together.bound[row : row + 1])
        torch.testing.assert_close(alone.ess[0], together.ess[row, :length])
    assert not together.ess[~Batch.of(x, torch.tensor(lengths)).mask].any()
