"""The discretized mixture of logistics: a probability over the points of a grid, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from vrnn.distributions import DiscretizedLogisticMixture

B, T, D, M = 4, 5, 3, 6
LEVELS = pytest.mark.parametrize("levels", [2, 3, 256, 65536])


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def grid(levels: int, dtype: torch.dtype = torch.float64) -> torch.Tensor:
    return torch.linspace(-1.0, 1.0, levels, dtype=dtype)


def mixture(*shape: int, levels: int = 256, scale: float = 0.1) -> DiscretizedLogisticMixture:
    """[*shape, D] values with M components each, some of them beyond the grid."""
    return DiscretizedLogisticMixture(
        rand(*shape, D, M, seed=0).log_softmax(-1),
        0.8 * rand(*shape, D, M, seed=1),
        scale * (0.5 * rand(*shape, D, M, seed=2)).exp(),
        levels,
    )


def one_value(p: DiscretizedLogisticMixture, d: int) -> DiscretizedLogisticMixture:
    return p._replace(**{name: getattr(p, name)[..., d, None, :] for name in ("log_weights", "loc", "scale")})


def by_scipy(p: DiscretizedLogisticMixture, d: int) -> np.ndarray:
    """Probabilities of all points of the grid for value d, by differences of distribution functions [levels]."""
    edges = np.concatenate([[-np.inf], (grid(p.levels)[1:] + grid(p.levels)[:-1]).numpy() / 2, [np.inf]])
    cdf = stats.logistic(p.loc[d].numpy(), p.scale[d].numpy()).cdf(edges[:, None])  # [levels + 1, M]
    return np.diff(cdf, axis=0) @ p.log_weights[d].exp().numpy()


@LEVELS
@pytest.mark.parametrize("scale", [1e-6, 1e-3, 0.1, 1e3])
def test_sums_to_one_over_the_grid(levels: int, scale: float):
    p = mixture(levels=levels, scale=scale)
    for d in range(D):
        total = one_value(p, d).log_prob(grid(levels)[:, None]).exp().sum()
        assert float(total) == pytest.approx(1.0, abs=1e-9)


@pytest.mark.parametrize("levels", [2, 3, 256])
@pytest.mark.parametrize("scale", [0.01, 0.1, 2.0])
def test_probabilities_are_scipys_differences_of_distribution_functions(levels: int, scale: float):
    p = mixture(levels=levels, scale=scale)
    for d in range(D):
        found = one_value(p, d).log_prob(grid(levels)[:, None]).exp().numpy()
        np.testing.assert_allclose(found, by_scipy(p, d), rtol=1e-8, atol=1e-14)


def test_values_of_a_step_are_independent():
    p = mixture(B, T)
    x = grid(256)[torch.randint(256, (B, T, D), generator=torch.Generator().manual_seed(0))]
    found = p.log_prob(x)
    assert found.shape == (B, T)
    torch.testing.assert_close(found, sum(one_value(p, d).log_prob(x[..., d, None]) for d in range(D)))


def test_equal_components_are_one_whatever_their_weights():
    p, x = mixture(B, T), grid(256)[torch.arange(B * T * D).view(B, T, D) % 256]
    one = p._replace(log_weights=torch.zeros(B, T, D, 1).double(), loc=p.loc[..., :1], scale=p.scale[..., :1])
    many = p._replace(loc=one.loc.expand(B, T, D, M), scale=one.scale.expand(B, T, D, M))
    torch.testing.assert_close(many.log_prob(x), one.log_prob(x))
    torch.testing.assert_close(many.mean, one.mean)


@LEVELS
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("width", [0.05, 1.0, 1e6], ids="{} bins wide".format)
@pytest.mark.parametrize("loc", [-1e3, -1.0, 0.3, 1e3])
def test_values_and_gradients_are_finite_however_far_and_however_narrow(
    levels: int, dtype: torch.dtype, width: float, loc: float
):
    scale = torch.full((1, 1), width * 2.0 / (levels - 1), dtype=dtype, requires_grad=True)
    where = torch.full((1, 1), loc, dtype=dtype, requires_grad=True)
    points = grid(levels, dtype)[[0, 1 % levels, levels // 2, -1], None]
    log_prob = DiscretizedLogisticMixture(torch.zeros(1, 1, dtype=dtype), where, scale, levels).log_prob(points)
    assert log_prob.isfinite().all()
    assert (log_prob <= 0.0).all()
    for gradient in torch.autograd.grad(log_prob.sum(), (where, scale)):
        assert gradient.isfinite().all()


def test_far_away_the_logarithm_falls_as_that_of_the_tail():
    """log p of a bin far in the tail is -distance / scale plus a constant, where the probability itself is 0."""
    p = DiscretizedLogisticMixture(*(torch.tensor([[v]]).double() for v in (0.0, -0.9, 1e-3)), levels=256)
    log_prob = p.log_prob(grid(256)[100:, None])
    assert float(log_prob.min()) < -1500.0
    step = (2 / 255) / 1e-3
    torch.testing.assert_close(log_prob.diff()[:-1], torch.full((154,), -step).double())  # the last bin has the tail


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("levels", [2, 21])
def test_samples_are_points_of_the_grid_as_often_as_their_probabilities_say(levels: int, dtype: torch.dtype):
    num, p = 20_000, mixture(levels=levels, scale=0.2)
    fields = (field.to(dtype).expand(num, D, M) for field in p[:3])
    x = DiscretizedLogisticMixture(*fields, levels).sample(torch.Generator().manual_seed(0))
    assert x.shape == (num, D)
    assert x.dtype == dtype
    nearest = ((x + 1.0) * (0.5 * (levels - 1))).round()
    torch.testing.assert_close(grid(levels, dtype)[nearest.long()], x, rtol=0, atol=1e-6)
    for d in range(D):
        counts = np.bincount(nearest[:, d].long().numpy(), minlength=levels)
        expected = num * by_scipy(p, d)
        rare = expected < 5  # too few for the approximation: counted together
        counts, expected = (np.append(v[~rare], v[rare].sum()) for v in (counts, expected))
        keep = expected > 0
        assert stats.chisquare(counts[keep], expected[keep]).pvalue > 1e-3
    assert abs(np.corrcoef(x.T.numpy()) - np.eye(D)).max() < 4 / num**0.5


def test_the_mean_is_that_of_the_components_inside_the_grid():
    p = mixture(levels=256, scale=0.01)._replace(loc=torch.linspace(-0.5, 0.7, D * M).view(D, M).double())
    for d in range(D):
        expected = grid(256) @ torch.from_numpy(by_scipy(p, d))
        assert float(p.mean[d]) == pytest.approx(float(expected), abs=1e-3)
    outside = p._replace(loc=p.loc + 50.0)
    assert torch.equal(outside.mean, torch.ones(D, dtype=torch.float64))


@pytest.mark.parametrize("shape", [(), (B, T)])
def test_one_seed_gives_one_draw_whatever_the_global_generator(shape: tuple):
    p, draws = mixture(*shape), []
    for seed in (0, 0, 1):
        torch.manual_seed(len(draws))
        draws.append(p.sample(torch.Generator().manual_seed(seed)))
    assert draws[0].shape == p.mean.shape == (*shape, D)
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
