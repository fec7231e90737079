"""Predictive densities: exact without latents, quadrature with one, whatever the batch; their sum is the likelihood."""

from __future__ import annotations

import math

import pytest
import torch

from tests.models.test_exact import exact_log_px
from vrnn.batch import Batch
from vrnn.objectives.fivo import FIVO
from vrnn.training.noise import keyed_noise
from vrnn.training.predictive import predictive


def test_without_latents_it_is_the_models_own_and_dimensions_add_up(make_rnn, make_batch):
    model = make_rnn()
    batch = make_batch(model, lengths=[2, 5, 1, 4])
    observed = torch.rand(batch.x.shape) < 0.6
    masked = Batch(*batch.fields, observed)
    found = predictive(model, masked, num_samples=7, seed=0, dimensions=True)
    terms, _ = model(masked, batch.x.new_zeros(*batch.x.shape[:2], 0))
    torch.testing.assert_close(found.log_px, torch.where(batch.mask, terms.log_px, 0.0))
    torch.testing.assert_close(found.dimensions.sum(-1), found.log_px)  # a Gaussian's are independent given the past
    assert (found.dimensions[~masked.observed] == 0.0).all()


def test_the_first_step_and_each_dimension_of_it_are_what_quadrature_gives(make_vrnn, make_x):
    model = make_vrnn(z_dim=1)
    x = make_x(model.likelihood, 5, 3)
    found = predictive(model, Batch.of(x[:, None]), num_samples=20_000, seed=0, dimensions=True)
    with torch.no_grad():
        torch.testing.assert_close(found.log_px[:, 0], exact_log_px(model, x), rtol=0, atol=0.02)
        z = torch.linspace(-15.0, 15.0, 1001, dtype=torch.float64)[:, None]
        h = model.initial_state(len(z)).h
        weights = model.prior(h).log_prob(z) + math.log(float(z[1] - z[0]))
        emission = model.emission(model.phi_z(z), h)
        for d in range(3):
            only = torch.zeros(3, dtype=torch.bool)
            only[d] = True
            exact = torch.stack([(weights + emission.log_prob(row, only)).logsumexp(0) for row in x])
            torch.testing.assert_close(found.dimensions[:, 0, d], exact, rtol=0, atol=0.03)


def test_the_sum_over_steps_is_the_importance_weighted_likelihood(make_vrnn, make_x):
    """Both estimate log p(x): by resampling at every step, and by whole sequences."""
    from vrnn.objectives.iwae import IWAE

    model = make_vrnn(z_dim=1)
    batch = Batch.of(make_x(model.likelihood, 2, 3, 3))
    found = predictive(model, batch, num_samples=20_000, seed=1)
    noise = torch.randn(2 * 20_000, 3, 1, dtype=torch.float64)
    with torch.no_grad():
        expected = IWAE(20_000)(model, batch, 0, noise).bound
    torch.testing.assert_close(found.log_px.sum(1), expected, rtol=0, atol=0.05)


def test_with_the_same_noise_its_sum_is_the_bound_of_a_particle_filter(make_vrnn, make_batch):
    """FIVO resamples before a step, by the uniform number of that step; here it is done after the step before."""
    model = make_vrnn()
    batch, samples = make_batch(model, steps=12, lengths=[12, 5, 1, 9]), 16
    found = predictive(model, batch, num_samples=samples, seed=3)
    noise = keyed_noise(3, batch, samples, model.z_dim + 1)
    noise[:, 1:, -1] = noise[:, :-1, -1].clone()
    with torch.no_grad():
        expected = FIVO(samples, resampling="systematic", ess_threshold=0.5)(model, batch, 0, noise.to(batch.x)).bound
    assert (found.effective[batch.mask] < samples / 2).any()  # or nothing would be resampled
    torch.testing.assert_close(found.log_px.sum(1), expected)


def test_no_number_depends_on_the_batch(make_vrnn, make_batch):
    model = make_vrnn()
    batch = make_batch(model, lengths=[2, 5, 1, 4])
    whole = predictive(model, batch, num_samples=6, seed=3)
    for row in range(batch.size):
        one = Batch(*(field[row : row + 1] for field in batch.fields))
        alone = predictive(model, one, num_samples=6, seed=3)
        torch.testing.assert_close(alone.log_px, whole.log_px[row : row + 1])
    assert (whole.effective[batch.mask] <= 6.0 + 1e-9).all()
    assert (whole.log_px[~batch.mask] == 0.0).all()


def test_a_likelihood_without_marginals_has_no_dimensions(make_vrnn, make_batch):
    model = make_vrnn(likelihood="bivariate_gmm")
    with pytest.raises(ValueError, match="has no density of some dimensions"):
        predictive(model, make_batch(model), num_samples=2, seed=0, dimensions=True)
