"""The mixture of diagonal normals against torch.distributions, scipy, quadrature and its own samples."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from vrnn.distributions import DiagonalNormal, Mixture, choose

B, T, D, M = 4, 5, 3, 6


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def mixture(*shape: int, dims: int = D, components: int = M) -> Mixture:
    return Mixture(
        rand(*shape, components, seed=0).log_softmax(-1),
        2.0 * rand(*shape, components, dims, seed=1),
        (0.5 * rand(*shape, components, dims, seed=2)).exp(),
    )


def of_torch(p: Mixture) -> MixtureSameFamily:
    return MixtureSameFamily(Categorical(logits=p.log_weights), Independent(Normal(p.loc, p.scale), 1))


def test_log_prob_and_mean_agree_with_torch():
    p, x = mixture(B, T), rand(B, T, D, seed=5)
    torch.testing.assert_close(p.log_prob(x), of_torch(p).log_prob(x))
    torch.testing.assert_close(p.mean, of_torch(p).mean)


def test_one_component_is_a_normal():
    p, x = mixture(B, T, components=1), rand(B, T, D, seed=5)
    one = DiagonalNormal(p.loc[..., 0, :], p.scale[..., 0, :])
    torch.testing.assert_close(p.log_prob(x), one.log_prob(x))
    torch.testing.assert_close(p.mean, one.mean)


def test_equal_components_are_one_whatever_their_weights():
    one, x = mixture(B, T, components=1), rand(B, T, D, seed=5)
    many = Mixture(mixture(B, T).log_weights, one.loc.expand(B, T, M, D), one.scale.expand(B, T, M, D))
    torch.testing.assert_close(many.log_prob(x), one.log_prob(x))
    torch.testing.assert_close(many.mean, one.mean)


def test_one_set_of_weights_is_shared_by_all_dimensions():
    """So the dimensions of a mixture depend on each other, and its marginals do not multiply to it."""
    p, x = mixture(B, T), rand(B, T, D, seed=5)
    marginals = sum(
        Mixture(p.log_weights, *(f[..., d, None] for f in p[1:])).log_prob(x[..., d, None]) for d in range(D)
    )
    assert not torch.allclose(p.log_prob(x), marginals, atol=0.1)


@pytest.mark.parametrize(("dims", "points"), [(1, 4001), (2, 401)])
def test_integrates_to_one(dims: int, points: int):
    p = mixture(dims=dims)
    axis = torch.linspace(-20.0, 20.0, points, dtype=torch.float64)
    grid = torch.cartesian_prod(*[axis] * dims).view(-1, dims)
    cell = float(axis[1] - axis[0]) ** dims
    assert float(p.log_prob(grid).exp().sum()) * cell == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_far_from_every_component_the_nearest_one_decides(dtype: torch.dtype):
    """exp of these is 0 in floating point; equal scales leave a closed form."""
    loc = torch.tensor([[0.0], [1.0]], dtype=dtype, requires_grad=True)
    p = Mixture(torch.tensor([0.25, 0.75], dtype=dtype).log(), loc, torch.ones(2, 1, dtype=dtype))
    for x, weight, distance in ((1e3, 0.75, 999.0), (-1e3, 0.25, 1e3)):
        log_prob = p.log_prob(torch.tensor([x], dtype=dtype))
        expected = math.log(weight) - 0.5 * distance**2 - 0.5 * math.log(2 * math.pi)
        assert float(log_prob.detach()) == pytest.approx(expected, rel=1e-6)
        (gradient,) = torch.autograd.grad(log_prob, loc)
        assert float(gradient.abs().sum()) == pytest.approx(distance, rel=1e-6)


def test_samples_have_its_moments_and_its_marginals():
    num, p = 100_000, mixture()
    x = Mixture(*(field.expand(num, *field.shape) for field in p)).sample(torch.Generator().manual_seed(0))
    assert x.shape == (num, D)
    weights = p.log_weights.exp()
    centred = p.loc - p.mean
    within = torch.diag_embed(p.scale.square())
    covariance = (weights[:, None, None] * (within + centred[:, :, None] * centred[:, None, :])).sum(0)
    assert ((x.mean(0) - p.mean).abs() < 4 * (covariance.diag() / num).sqrt()).all()
    torch.testing.assert_close(x.T.cov(), covariance, rtol=0.03, atol=0.03)
    for d in range(D):
        marginal = MixtureSameFamily(Categorical(weights), Normal(p.loc[:, d], p.scale[:, d]))
        cdf = marginal.cdf(x[:, d].sort().values).numpy()
        assert np.abs(cdf - (np.arange(num) + 0.5) / num).max() < 1.95 / math.sqrt(num)  # Kolmogorov, 0.1 %


def test_choose_draws_each_component_as_often_as_its_weight_says():
    log_weights = rand(2, M, seed=3).log_softmax(-1)
    choice = choose(log_weights.expand(50_000, 2, M), torch.Generator().manual_seed(0))
    assert choice.shape == (50_000, 2)
    for column, weights in zip(choice.T, log_weights.exp(), strict=True):
        counts = np.bincount(column.numpy(), minlength=M)
        assert stats.chisquare(counts, 50_000 * weights.numpy()).pvalue > 1e-3


@pytest.mark.parametrize("shape", [(), (B, T)])
def test_one_seed_gives_one_draw_whatever_the_global_generator(shape: tuple):
    p, draws = mixture(*shape), []
    for seed in (0, 0, 1):
        torch.manual_seed(len(draws))
        draws.append(p.sample(torch.Generator().manual_seed(seed)))
    assert draws[0].shape == p.mean.shape == (*shape, D)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
