"""The VRNN's terms and draws where log p(x) is known: by quadrature over one latent dimension, or in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, MultivariateNormal, Normal

from vrnn.batch import Batch
from vrnn.models.vrnn import VRNN


def test_the_mean_log_ratio_is_minus_the_kl(make_vrnn, make_x, make_noise):
    """With T = 1 every draw has the same posterior, so the Monte Carlo mean converges to the analytic KL."""
    model, num = make_vrnn(), 40_000
    x = make_x(model.likelihood, 1, 1, 3).expand(num, 1, 3)
    with torch.no_grad():
        terms, _ = model(Batch.of(x), make_noise(num, 1, 2))
    assert float(terms.kl.std()) < 1e-12
    error = float(terms.log_ratio.std()) / math.sqrt(num)
    assert abs(float(terms.log_ratio.mean() + terms.kl[0, 0])) < 4 * error


def exact_log_px(model: VRNN, x: Tensor) -> Tensor:
    """log p(x_1) [N] of x [N, D] by quadrature over a latent z of one dimension."""
    z = torch.linspace(-15.0, 15.0, 1001, dtype=torch.float64)[:, None]
    h = model.initial_state(len(z)).h
    log_weights = model.prior(h).log_prob(z) + math.log(float(z[1] - z[0]))
    log_px = torch.stack([model.emission(model.phi_z(z), h).log_prob(row.expand(len(z), -1)) for row in x])
    return torch.logsumexp(log_weights + log_px, 1)


@pytest.mark.parametrize("likelihood", ["gaussian", "bernoulli", "bivariate_gmm"])
def test_the_bound_is_below_the_exact_log_likelihood_which_importance_sampling_reaches(
    likelihood: str, make_vrnn, make_x, make_noise
):
    model, num = make_vrnn(likelihood=likelihood, z_dim=1), 20_000
    x = make_x(model.likelihood, 6, 3)
    with torch.no_grad():
        exact = exact_log_px(model, x)
        terms, _ = model(Batch.of(x.repeat_interleave(num, 0)[:, None]), make_noise(6 * num, 1, 1))
    log_px, kl, log_ratio = (field.view(6, num) for field in terms)
    bound = log_px.mean(1) - kl[:, 0]
    assert (bound < exact).all()
    importance = torch.logsumexp(log_px + log_ratio, 1) - math.log(num)
    torch.testing.assert_close(importance, exact, rtol=0, atol=0.01)


def test_the_exact_posterior_gives_the_exact_log_likelihood_at_every_draw(make_vrnn, make_x, make_noise):
    """x = w z + b + noise has a normal posterior: with it, every draw's weight is log p(x)."""
    model = make_vrnn(prior="standard", phi_x=[], phi_z=[], posterior=[], emission=[], z_dim=1, min_std=1e-9)
    weight, offset = torch.tensor([0.8, -1.2, 0.3]).double(), torch.tensor([0.1, 0.2, -0.4]).double()
    model.likelihood.min_std = 1e-9
    std = 0.7
    precision = 1.0 + float(weight @ weight) / std**2
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.emission_net.from_a.weight[:3, 0] = weight
        model.emission_net.from_a.bias[:3] = offset
        model.emission_net.from_a.bias[3:] = math.log(math.expm1(std))
        model.posterior_net.from_a.weight[0] = weight / std**2 / precision
        model.posterior_net.from_a.bias[0] = -float(weight @ offset) / std**2 / precision
        model.posterior_net.from_a.bias[1] = math.log(math.expm1(precision**-0.5))
        x = make_x(model.likelihood, 4, 5, 3)
        terms, _ = model(Batch.of(x), make_noise(4, 5, 1))
    covariance = torch.outer(weight, weight) + std**2 * torch.eye(3)
    exact = MultivariateNormal(offset, covariance).log_prob(x)
    torch.testing.assert_close(terms.log_px + terms.log_ratio, exact, rtol=1e-6, atol=1e-6)


def test_the_first_draws_have_the_distribution_of_the_quadrature(make_vrnn, make_x):
    """E[q(x) / p(x)] = 1 over x drawn from p, for any density q: here a narrow normal, and p by quadrature."""
    model, num = make_vrnn(likelihood="gaussian", z_dim=1, x_dim=1), 2000
    x = model.sample(num, 1, torch.Generator().manual_seed(0))[:, 0]
    narrow = Independent(Normal(x.mean(0), 0.4 * x.std(0)), 1)
    with torch.no_grad():
        ratio = (narrow.log_prob(x) - exact_log_px(model, x)).exp()
    assert abs(float(ratio.mean()) - 1.0) < 4 * float(ratio.std()) / math.sqrt(num)
