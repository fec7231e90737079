"""Each likelihood: what it starts from, what it fits, what it refuses."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from tests.conf import options
from tests.parts import build_likelihood
from vrnn.likelihoods.base import Likelihood
from vrnn.likelihoods.bernoulli import Bernoulli
from vrnn.likelihoods.bivariate_gmm import MAX_CORRELATION, BivariateGMM
from vrnn.likelihoods.discretized_logistics import DiscretizedLogistics
from vrnn.likelihoods.gaussian import Gaussian
from vrnn.likelihoods.gmm import GMM

DENSITIES = [Gaussian, BivariateGMM, GMM]


@pytest.fixture(params=options("likelihood"))
def likelihood(request: pytest.FixtureRequest) -> Likelihood:
    """Every option of conf/, found there, so a new one is held to these laws without an edit."""
    return build_likelihood(request.param)


def test_parameters_of_any_leading_shape_give_one_number_per_step(likelihood, make_x):
    params = torch.randn(4, 5, likelihood.param_dim, dtype=torch.float64)
    distribution, x = likelihood(params), make_x(likelihood, 4, 5, 3)
    likelihood.check(x.flatten(0, 1))
    assert distribution.log_prob(x).shape == (4, 5)
    assert distribution.mean.shape == distribution.sample().shape == (4, 5, 3)
    torch.testing.assert_close(likelihood(params[1, 2]).log_prob(x[1, 2]), distribution.log_prob(x)[1, 2])
    likelihood.check(distribution.sample().flatten(0, 1))


def test_every_parameter_has_an_effect(likelihood, make_x):
    params = torch.randn(7, likelihood.param_dim, dtype=torch.float64, requires_grad=True)
    likelihood(params).log_prob(make_x(likelihood, 7, 3)).sum().backward()
    assert (params.grad != 0).any(0).all()


def test_parameters_of_one_dimension_alone_are_those_that_are_said_to_be(likelihood, make_x):
    """Whatever changes in one dimension of x moves the gradients of its own parameters alone."""
    x = make_x(likelihood, 200, 3)  # so many that every discrete value is among them
    params = torch.randn(200, likelihood.param_dim, dtype=torch.float64, requires_grad=True)
    (before,) = torch.autograd.grad(likelihood(params).log_prob(x).sum(), params)
    moved = []
    for d in range(3):
        other = x.clone()
        other[:, d] = x[:, d].roll(7)
        (after,) = torch.autograd.grad(likelihood(params).log_prob(other).sum(), params)
        moved.append((after - before).abs().amax(0) > 1e-12)
    moved = torch.stack(moved)  # [D, P]
    dims = likelihood.dims_of_params()
    assert (dims is not None) == bool((moved.sum(0) <= 1).all())
    if dims is not None:
        assert len(dims) == likelihood.param_dim
        assert moved.int().argmax(0).tolist() == list(dims)


def test_initial_and_fitted_parameters_have_the_emissions_width(likelihood, make_x):
    assert likelihood.initial_params().shape == (likelihood.param_dim,)
    assert likelihood.fit(make_x(likelihood, 50, 3)).shape == (likelihood.param_dim,)


def test_what_it_draws_is_what_it_scores_and_its_probabilities_sum_to_one(likelihood):
    """Importance sampling of sum_x p(x) or of the integral, from a wider density over what is drawn, gives 1."""
    count = 100_000
    generator = torch.Generator().manual_seed(0)
    params = likelihood.initial_params().double() + 0.3 * torch.randn(
        likelihood.param_dim, dtype=torch.float64, generator=generator
    )
    distribution = likelihood(params.expand(count, -1))
    drawn = distribution.sample(generator)
    proposed, log_proposal = [], torch.zeros(count, dtype=torch.float64)
    for values in drawn.unbind(-1):
        kinds = values.unique()
        if len(kinds) < 100:  # a discrete value: all that it can be are equally likely
            proposed.append(kinds[torch.randint(len(kinds), (count,), generator=generator)])
            log_proposal -= math.log(len(kinds))
        else:  # a continuous one: Cauchy, whose tails are wider than any that has a mean
            width, middle = values.std(), values.mean()
            uniform = torch.rand(count, dtype=torch.float64, generator=generator)
            distance = (math.pi * (uniform - 0.5)).tan()
            proposed.append(middle + width * distance)
            log_proposal -= (math.pi * width * (1.0 + distance.square())).log()
    weights = (distribution.log_prob(torch.stack(proposed, -1)) - log_proposal).exp()
    assert float(weights.mean()) == pytest.approx(1.0, abs=5.0 * float(weights.std()) / math.sqrt(count))
    means = torch.stack([distribution.mean[0], (weights[:, None] * torch.stack(proposed, -1)).mean(0)])
    errors = torch.stack([drawn.std(0), (weights[:, None] * torch.stack(proposed, -1)).std(0) + drawn.std(0)])
    assert ((means - drawn.mean(0)).abs() < 5.0 * errors / math.sqrt(count)).all()


@pytest.mark.parametrize(
    "likelihood",
    [Bernoulli(3), Gaussian(3), BivariateGMM(3, num_components=1), GMM(3, num_components=6)],
    ids=lambda each: type(each).__name__,
)
def test_the_fit_is_a_maximum_of_the_likelihood(likelihood, make_x):
    """Maximum likelihood: the gradient at the fitted parameters is zero."""
    x = make_x(likelihood, 500, 3)
    x[:, 1] = 0.6 * x[:, 0] + 0.8 * x[:, 1] if not isinstance(likelihood, Bernoulli) else x[:, 1]
    params = likelihood.fit(x).requires_grad_()
    likelihood(params.expand(500, -1)).log_prob(x).mean().backward()
    torch.testing.assert_close(params.grad, torch.zeros_like(params), atol=1e-6, rtol=0)


def test_constant_and_single_values_can_be_fitted(likelihood):
    x = torch.tensor([[1.0, 0.0, 1.0]])
    for repeats in (1, 9):
        assert likelihood.fit(x.expand(repeats, 3)).isfinite().all()


def test_bernoulli_starts_even_and_fits_frequencies():
    likelihood = Bernoulli(3)
    assert likelihood(likelihood.initial_params()).mean.tolist() == [0.5, 0.5, 0.5]
    x = torch.tensor([[0.0, 0, 1], [0, 1, 1], [0, 0, 1], [0, 0, 0.5]], dtype=torch.float64)
    np.testing.assert_allclose(likelihood(likelihood.fit(x)).mean.numpy(), [1e-4, 0.25, 0.875], rtol=1e-6)


def test_gaussian_starts_standard_and_fits_mean_and_std_as_scipy():
    likelihood = Gaussian(3)
    start = likelihood(likelihood.initial_params())
    torch.testing.assert_close(start.loc, torch.zeros(3))
    torch.testing.assert_close(start.scale, torch.ones(3))
    x = torch.randn(200, 3, dtype=torch.float64) * torch.tensor([0.1, 1.0, 9.0]) + torch.tensor([5.0, -1.0, 0.0])
    fitted = likelihood(likelihood.fit(x))
    for d in range(3):
        np.testing.assert_allclose([float(fitted.loc[d]), float(fitted.scale[d])], stats.norm.fit(x[:, d].numpy()))


def test_bivariate_mixture_starts_with_equal_different_uncorrelated_components():
    likelihood = BivariateGMM(3, num_components=6)
    start = likelihood(likelihood.initial_params())
    torch.testing.assert_close(start.log_weights, torch.full((6,), -math.log(6.0)))
    torch.testing.assert_close(start.scale, torch.ones(6, 2))
    torch.testing.assert_close(start.correlation, torch.zeros(6))
    assert float(start.pen_logit.sigmoid()) == pytest.approx(0.1)
    distances = torch.pdist(start.loc)
    assert float(distances.min()) == pytest.approx(0.5)  # the side of a hexagon of radius 0.5
    torch.testing.assert_close(start.loc.mean(0), torch.zeros(2), atol=1e-6, rtol=0)
    one = BivariateGMM(3, num_components=1)
    torch.testing.assert_close(one(one.initial_params()).loc, torch.zeros(1, 2))


def test_bivariate_mixture_fits_the_moments_of_correlated_offsets():
    likelihood = BivariateGMM(3, num_components=6)
    torch.manual_seed(0)
    offsets = torch.randn(4000, 2, dtype=torch.float64) @ torch.tensor([[2.0, 0.6], [0.0, 0.5]]).double() + 3.0
    pen = (torch.arange(4000) % 5 == 0).double()
    x = torch.cat([offsets, pen[:, None]], -1)
    fitted = likelihood(likelihood.fit(x))
    torch.testing.assert_close(fitted.mean, x.mean(0))
    expected = np.cov(offsets.T.numpy(), ddof=0)
    normal = stats.multivariate_normal(offsets.mean(0).numpy(), expected)
    frequency = stats.bernoulli(0.2)
    log_prob = normal.logpdf(offsets.numpy()) + frequency.logpmf(pen.numpy())
    np.testing.assert_allclose(likelihood(likelihood.fit(x).expand(4000, -1)).log_prob(x).numpy(), log_prob, rtol=1e-6)


@pytest.mark.parametrize("kind", DENSITIES)
def test_min_std_is_the_smallest_std(kind):
    likelihood = kind(3, min_std=0.25)
    lowest = likelihood(torch.full((likelihood.param_dim,), -1e3, dtype=torch.float64)).scale
    torch.testing.assert_close(lowest, torch.full_like(lowest, 0.25))
    for minimum in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="min_std must be positive"):
            kind(3, min_std=minimum)


def test_correlation_stays_inside_minus_one_and_one():
    likelihood = BivariateGMM(3, num_components=6)
    extreme = likelihood(torch.full((2, likelihood.param_dim), 1e4) * torch.tensor([[1.0], [-1.0]]))
    assert float(extreme.correlation.abs().max()) == pytest.approx(MAX_CORRELATION)
    assert MAX_CORRELATION < 1.0
    x = torch.tensor([[0.1, -0.1, 0.0]]).expand(2, 3)
    assert extreme.log_prob(x).isfinite().all()


def test_values_that_are_no_probabilities_are_refused_by_the_bernoulli():
    Bernoulli(2).check(torch.tensor([[0.0, 1.0], [0.5, 0.2]]))
    for bad in (-0.1, 1.5, math.nan):
        with pytest.raises(ValueError, match=r"needs values in \[0, 1\].*likelihood=gaussian"):
            Bernoulli(2).check(torch.tensor([[0.0, bad]]))


def test_values_that_are_not_finite_are_refused():
    for bad in (math.nan, math.inf):
        for kind in (Gaussian, GMM):
            with pytest.raises(ValueError, match="finite"):
                kind(2).check(torch.tensor([[0.0, bad]]))
        with pytest.raises(ValueError, match="finite"):
            BivariateGMM(3).check(torch.tensor([[0.0, bad, 1.0]]))


def test_a_pen_between_up_and_down_is_refused():
    for bad in (0.5, -1.0, math.nan):
        with pytest.raises(ValueError, match=r"third value of every step to be 0 or 1"):
            BivariateGMM(3).check(torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, bad]]))


def test_sizes_are_refused_by_name():
    for kind in (Bernoulli, Gaussian, GMM, DiscretizedLogistics):
        with pytest.raises(ValueError, match="x_dim must be at least 1, got 0"):
            kind(0)
    for x_dim in (2, 4):
        with pytest.raises(ValueError, match=f"x_dim = 3.*these data have x_dim = {x_dim}.*likelihood=gaussian"):
            BivariateGMM(x_dim)
    for kind in (BivariateGMM, GMM, DiscretizedLogistics):
        with pytest.raises(ValueError, match="num_components must be at least 1, got 0"):
            kind(3, num_components=0)
    with pytest.raises(ValueError, match="levels must be at least 2, got 1"):
        DiscretizedLogistics(3, levels=1)
    for minimum in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="min_scale must be positive"):
            DiscretizedLogistics(3, min_scale=minimum)


def test_a_density_over_repeated_values_is_cautioned_against():
    x = torch.randn(1000, 3, generator=torch.Generator().manual_seed(0))
    for kind in DENSITIES:
        assert kind(3).caution(x) is None
    x[:, 1] = (x[:, 1] > 1.0).float()
    for kind in DENSITIES:
        assert "discrete values (8" in kind(3).caution(x)
    assert Bernoulli(3).caution(x) is None
    assert DiscretizedLogistics(3, levels=2).caution(x) is None
    x[:, 1:] = torch.stack([torch.randn(1000), x[:, 1]], -1)
    assert BivariateGMM(3).caution(x) is None  # the pen is discrete, and has a probability


@pytest.mark.parametrize("kind", DENSITIES)
def test_the_sigma_bias_is_the_raw_std_to_start_with(kind):
    """The paper's code starts with softplus(0.6) + 1e-4; without it the std is 1."""
    for bias, std in ((0.6, math.log1p(math.exp(0.6)) + 1e-4), (0.0, math.log(2.0) + 1e-4), (None, 1.0)):
        likelihood = kind(3, sigma_bias=bias)
        params = likelihood.initial_params()
        scale = likelihood(params).scale
        torch.testing.assert_close(scale, torch.full_like(scale, std))
        assert bias is None or int((params == bias).sum()) >= scale.numel()


def test_discrete_likelihoods_say_that_they_are():
    discrete = {Bernoulli: True, DiscretizedLogistics: True, Gaussian: False, GMM: False, BivariateGMM: False}
    assert {each: each.discrete for each in discrete} == discrete
