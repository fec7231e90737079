"""The densities against torch.distributions, scipy, quadrature and their own samples."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch.distributions import Independent, Normal
from torch.distributions import kl_divergence as torch_kl

from vrnn.distributions import Bernoulli, BivariateMixture, DiagonalNormal, kl_divergence

B, T, D, M = 4, 5, 3, 6


def rand(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def normal(*shape: int, seed: int = 0) -> DiagonalNormal:
    return DiagonalNormal(rand(*shape, seed=seed), rand(*shape, seed=seed + 1).exp())


def mixture(*shape: int, components: int = M, seed: int = 0) -> BivariateMixture:
    parts = iter(range(seed, seed + 5))
    return BivariateMixture(
        rand(*shape, components, seed=next(parts)).log_softmax(-1),
        rand(*shape, components, 2, seed=next(parts)),
        (0.5 * rand(*shape, components, 2, seed=next(parts))).exp(),
        0.9 * rand(*shape, components, seed=next(parts)).tanh(),
        rand(*shape, seed=next(parts)),
    )


def covariance(scale: torch.Tensor, correlation: torch.Tensor) -> np.ndarray:
    """Covariance [2, 2] from scale [2] and correlation []."""
    sx, sy, rho = *scale.tolist(), float(correlation)
    return np.array([[sx * sx, rho * sx * sy], [rho * sx * sy, sy * sy]])


def pen_points(*shape: int, seed: int = 9) -> torch.Tensor:
    x = rand(*shape, 3, seed=seed)
    return torch.cat([x[..., :2], (x[..., 2:] > 0).double()], -1)


def test_kl_of_a_normal_to_itself_is_zero():
    q = normal(B, T, D)
    assert kl_divergence(q, q).shape == (B, T)
    torch.testing.assert_close(kl_divergence(q, q), torch.zeros(B, T, dtype=torch.float64), atol=1e-14, rtol=0)


def test_kl_agrees_with_torch_and_is_not_symmetric():
    q, p = normal(B, T, D), normal(B, T, D, seed=7)
    expected = torch_kl(Independent(Normal(*q), 1), Independent(Normal(*p), 1))
    torch.testing.assert_close(kl_divergence(q, p), expected)
    assert not torch.allclose(kl_divergence(q, p), kl_divergence(p, q))


def test_normal_log_prob_agrees_with_scipy():
    p, x = normal(B, T, D), rand(B, T, D, seed=5)
    expected = stats.norm(p.loc.numpy(), p.scale.numpy()).logpdf(x.numpy()).sum(-1)
    np.testing.assert_allclose(p.log_prob(x).numpy(), expected)


def test_bernoulli_log_prob_agrees_with_scipy():
    p, x = Bernoulli(rand(B, T, D)), (rand(B, T, D, seed=5) > 0).double()
    expected = stats.bernoulli(p.mean.numpy()).logpmf(x.numpy()).sum(-1)
    np.testing.assert_allclose(p.log_prob(x).numpy(), expected)


def test_bernoulli_log_prob_of_soft_targets_is_minus_the_cross_entropy():
    p, x = Bernoulli(rand(B, T, D)), rand(B, T, D, seed=5).sigmoid()
    expected = (x * p.mean.log() + (1 - x) * (1 - p.mean).log()).sum(-1)
    torch.testing.assert_close(p.log_prob(x), expected)


def test_bernoulli_sums_to_one():
    p = Bernoulli(rand(D))
    corners = torch.cartesian_prod(*[torch.tensor([0.0, 1.0], dtype=torch.float64)] * D)  # [2^D, D]
    total = Bernoulli(p.logits.expand(len(corners), D)).log_prob(corners).exp().sum()
    assert float(total) == pytest.approx(1.0, abs=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_bernoulli_and_pen_stay_finite_where_probabilities_would_not(dtype: torch.dtype):
    for logit in (-200.0, -40.0, 40.0, 200.0):
        logits = torch.full((2, 1), logit, dtype=dtype, requires_grad=True)
        log_prob = Bernoulli(logits).log_prob(torch.tensor([[0.0], [1.0]], dtype=dtype))
        pen = mixture(2)._replace(pen_logit=logits[:, 0].double())
        log_pen = pen.log_prob(torch.tensor([[0.0, 0.0, 0.0], [0.0, 0.0, 1.0]], dtype=torch.float64))
        (log_prob.sum() + log_pen.sum()).backward()
        assert log_prob.isfinite().all()
        assert log_pen.isfinite().all()
        assert logits.grad.isfinite().all()
        assert float(log_prob.detach().min()) == pytest.approx(-abs(logit), rel=1e-3)


def test_mixture_log_prob_agrees_with_scipy():
    p, x = mixture(T), pen_points(T)
    expected = []
    for t in range(T):
        density = sum(
            float(p.log_weights[t, m].exp())
            * stats.multivariate_normal(p.loc[t, m].numpy(), covariance(p.scale[t, m], p.correlation[t, m])).pdf(
                x[t, :2].numpy()
            )
            for m in range(M)
        )
        expected.append(np.log(density) + stats.bernoulli(float(p.pen_logit[t].sigmoid())).logpmf(int(x[t, 2])))
    np.testing.assert_allclose(p.log_prob(x).numpy(), expected)


def test_a_mixture_of_one_uncorrelated_component_is_two_normals_and_a_pen():
    p, x = mixture(B, T, components=1), pen_points(B, T)
    p = p._replace(correlation=torch.zeros_like(p.correlation))
    offsets = DiagonalNormal(p.loc[..., 0, :], p.scale[..., 0, :]).log_prob(x[..., :2])
    pen = Bernoulli(p.pen_logit[..., None]).log_prob(x[..., 2:])
    torch.testing.assert_close(p.log_prob(x), offsets + pen)


def test_equal_components_are_one():
    one, x = mixture(B, T, components=1), pen_points(B, T)
    many = BivariateMixture(
        mixture(B, T).log_weights,  # any weights
        *(one[i].expand(B, T, M, *one[i].shape[3:]) for i in (1, 2, 3)),
        one.pen_logit,
    )
    torch.testing.assert_close(many.log_prob(x), one.log_prob(x))


def test_densities_integrate_to_one():
    p = mixture()
    axis = torch.linspace(-20.0, 20.0, 501, dtype=torch.float64)
    cell = float(axis[1] - axis[0]) ** 2
    grid = torch.cartesian_prod(axis, axis)
    pen = torch.zeros(len(grid), 1, dtype=torch.float64)
    many = p._replace(pen_logit=p.pen_logit.expand(len(grid)))
    total = sum(many.log_prob(torch.cat([grid, pen + up], -1)).exp().sum() for up in (0.0, 1.0))
    assert float(total) * cell == pytest.approx(1.0, abs=1e-6)
    plane = DiagonalNormal(p.loc[0], p.scale[0])
    assert float(plane.log_prob(grid).exp().sum()) * cell == pytest.approx(1.0, abs=1e-6)


def test_mixture_log_prob_does_not_underflow_far_from_every_component():
    assert mixture(T).log_prob(torch.full((T, 3), 1e3, dtype=torch.float64)).isfinite().all()


def moments(p: BivariateMixture) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean [2] and covariance [2, 2] of the offsets, by the law of total covariance."""
    weights = p.log_weights.exp()
    mean = weights @ p.loc
    within = torch.stack(
        [torch.from_numpy(covariance(s, r)) for s, r in zip(p.scale, p.correlation, strict=True)]
    )  # [M, 2, 2]
    centred = p.loc - mean
    return mean, (weights[:, None, None] * (within + centred[:, :, None] * centred[:, None, :])).sum(0)


def test_mixture_samples_have_its_moments():
    num, p = 200_000, mixture()
    many = BivariateMixture(*(field.expand(num, *field.shape) for field in p))
    x = many.sample(torch.Generator().manual_seed(0))
    assert x.shape == (num, 3)
    mean, cov = moments(p)
    error = (cov.diag() / num).sqrt()
    assert ((x[:, :2].mean(0) - mean).abs() < 4 * error).all()
    torch.testing.assert_close(x[:, :2].T.cov(), cov, rtol=0.03, atol=0.01)
    assert set(x[:, 2].tolist()) == {0.0, 1.0}
    assert float(x[:, 2].mean()) == pytest.approx(float(p.pen_logit.sigmoid()), abs=0.005)
    torch.testing.assert_close(p.mean, torch.cat([mean, p.pen_logit.sigmoid()[None]]))


def test_normal_and_bernoulli_samples_have_their_moments():
    num, p, q = 200_000, normal(D), Bernoulli(rand(D, seed=3))
    x = DiagonalNormal(*(field.expand(num, D) for field in p)).sample(torch.Generator().manual_seed(0))
    assert ((x.mean(0) - p.mean).abs() < 4 * p.scale / num**0.5).all()
    torch.testing.assert_close(x.T.cov(), p.scale.square().diag(), rtol=0.02, atol=0.02 * float(p.scale.max() ** 2))
    bits = Bernoulli(q.logits.expand(num, D)).sample(torch.Generator().manual_seed(0))
    torch.testing.assert_close(bits.mean(0), q.mean, rtol=0, atol=0.005)


def test_normal_rsample_is_loc_plus_scale_times_noise():
    p, noise = normal(B, D), rand(B, D, seed=4)
    torch.testing.assert_close(p.rsample(noise), p.loc + p.scale * noise)


@pytest.mark.parametrize(
    "p",
    [normal(B, T, D), Bernoulli(rand(B, T, D)), mixture(B, T), mixture()],
    ids=["normal", "bernoulli", "mixture", "one mixture"],
)
def test_one_seed_gives_one_draw_whatever_the_global_generator(p):
    draws = []
    for seed in (0, 0, 1):
        torch.manual_seed(len(draws))
        draws.append(p.sample(torch.Generator().manual_seed(seed)))
    assert draws[0].shape == p.mean.shape
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
