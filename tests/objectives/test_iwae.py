"""The importance-weighted bound: against loops, quadrature, the ELBO and its own scatter."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from vrnn.batch import Batch
from vrnn.models.base import SequenceModel
from vrnn.models.vrnn import VRNN
from vrnn.objectives.elbo import ELBO
from vrnn.objectives.iwae import IWAE

LENGTHS = [2, 5, 1, 4]
K = 6
PLAIN = ELBO(lambda _: 1.0, lambda _: 0.0)


@pytest.fixture
def batch(model: VRNN, make_batch) -> Batch:
    return make_batch(model, lengths=LENGTHS)


@pytest.fixture
def noise(make_noise, sizes) -> Tensor:
    return make_noise(sizes.B * K, sizes.T, sizes.Z)


def log_weights(model: SequenceModel, batch: Batch, noise: Tensor) -> Tensor:
    """log w_k of every sequence and sample, one sample at a time [B, K]."""
    columns = []
    for sample in range(K):
        terms, _ = model(batch, noise[sample::K])
        values = terms.log_px + terms.log_ratio
        columns.append(torch.stack([row[:length].sum() for row, length in zip(values, batch.lengths, strict=True)]))
    return torch.stack(columns, 1)


def test_bound_loss_and_sums_are_those_of_a_loop_over_samples(model: VRNN, batch: Batch, noise):
    weights = log_weights(model, batch, noise).detach()
    expected = weights.exp().mean(1).log()
    estimate = IWAE(K)(model, batch, 0, noise)
    torch.testing.assert_close(estimate.bound, expected)
    assert float(estimate.loss.detach()) == pytest.approx(-float(expected.sum()) / sum(LENGTHS))
    kl = torch.stack([model(batch, noise[sample::K])[0].kl for sample in range(K)]).mean(0).detach()
    torch.testing.assert_close(estimate.kl, torch.where(batch.mask, kl, 0.0))
    sums = {"log_likelihood": expected.sum(), "kl": estimate.kl.sum(), "sequences": 4.0, "steps": 12.0}
    assert {name: float(value) for name, value in estimate.sums.items()} == pytest.approx(
        {name: float(value) for name, value in sums.items()}
    )


def test_only_the_loss_carries_gradient(model: VRNN, batch: Batch, noise):
    estimate = IWAE(K)(model, batch, 0, noise)
    assert estimate.loss.requires_grad
    assert not any(value.requires_grad for value in (estimate.bound, estimate.kl, estimate.variance))
    assert not any(value.requires_grad for value in estimate.sums.values())


def test_the_gradient_is_that_of_every_sample_by_its_share_of_the_weights(model: VRNN, batch: Batch, noise):
    """grad log 1/K sum_k w_k = sum_k w_k / (sum_j w_j) grad log w_k (Burda et al. 2016, eq. 10 to 12)."""
    parameters = list(model.parameters())
    weights = log_weights(model, batch, noise)
    by_share = -(weights.softmax(1).detach() * weights).sum() / sum(LENGTHS)
    found = torch.autograd.grad(IWAE(K)(model, batch, 0, noise).loss, parameters)
    torch.testing.assert_close(found, torch.autograd.grad(by_share, parameters, materialize_grads=True))


def test_nan_in_the_padding_changes_nothing(model: VRNN, batch: Batch, noise):
    outcomes = []
    for fill in (0.0, math.nan):
        dirty = Batch.of(torch.where(batch.mask[..., None], batch.x, fill), batch.lengths)
        estimate = IWAE(K)(model, dirty, 0, noise)
        gradients = torch.autograd.grad(estimate.loss, list(model.parameters()), materialize_grads=True)
        outcomes.append([estimate.bound, estimate.kl, estimate.variance, estimate.loss, *gradients])
    for with_zero, with_nan in zip(*outcomes, strict=True):
        assert with_zero.isfinite().all()
        assert torch.equal(with_zero, with_nan)


def test_each_sequence_has_the_bound_of_itself_alone_however_long_the_others(make_vrnn, make_batch, noise):
    model = make_vrnn("lstm")
    batch = make_batch(model, lengths=LENGTHS)
    together = IWAE(K)(model, batch, 0, noise)
    for row, length in enumerate(LENGTHS):
        alone = Batch.of(batch.x[row : row + 1, :length])
        estimate = IWAE(K)(model, alone, 0, noise[row * K : (row + 1) * K, :length])
        torch.testing.assert_close(estimate.bound, together.bound[row : row + 1])
        torch.testing.assert_close(estimate.variance, together.variance[row : row + 1])
        torch.testing.assert_close(estimate.kl[0], together.kl[row, :length])


def test_one_sample_is_the_single_weight_whose_mean_is_the_elbo(make_vrnn, make_batch, make_noise, sizes):
    model, num = make_vrnn(), 20_000
    batch = make_batch(model, size=1, steps=3)
    noise = make_noise(num, 3, sizes.Z)
    many = batch.repeated(num)
    with torch.no_grad():
        terms, _ = model(many, noise)
        found = IWAE(1)(model, many, 0, noise)
        elbo = PLAIN(model, many, 0, noise).bound
    torch.testing.assert_close(found.bound, (terms.log_px + terms.log_ratio).sum(1))
    assert found.variance is None
    difference = found.bound - elbo  # paired, so that only log_ratio + kl scatters
    assert float(difference.std()) > 0.1
    assert abs(float(difference.mean())) < 4 * float(difference.std()) / math.sqrt(num)


@torch.no_grad()
def exact_log_likelihood(model: VRNN, x: Tensor) -> float:
    """log p(x_1, x_2) of x [2, D] by quadrature over two latents of one dimension."""
    axis = torch.linspace(-9.0, 9.0, 181, dtype=torch.float64)[:, None]
    log_cell = math.log(float(axis[1] - axis[0]))

    def inside(z: Tensor, x_t: Tensor, h: Tensor) -> Tensor:
        """log p(z | h) p(x_t | z, h) dz."""
        return (
            model.prior(h).log_prob(z) + model.emission(model.phi_z(z), h).log_prob(x_t.expand(len(z), -1)) + log_cell
        )

    start = model.initial_state(len(axis))
    first = inside(axis, x[0], start.h)  # [G]
    hoisted = model.recurrence.from_x(model.phi_x(x[0]))
    h = model.recurrence(hoisted.expand(len(axis), -1), model.phi_z(axis), start).h  # [G, H]
    grid = axis.repeat(len(axis), 1), h.repeat_interleave(len(axis), 0)
    second = inside(grid[0], x[1], grid[1]).view(len(axis), -1).logsumexp(1)  # [G]
    return float((first + second).logsumexp(0))


@pytest.mark.parametrize(("recurrence", "likelihood"), [("gru", "gaussian"), ("lstm", "gmm"), ("gru", "bernoulli")])
def test_bounds_grow_with_the_samples_from_the_elbo_to_the_exact_log_likelihood(
    recurrence: str, likelihood: str, make_vrnn, make_x, make_noise
):
    """On nested groups of the same draws each bound is below the next, by Jensen's inequality, at every draw."""
    model, num = make_vrnn(recurrence, likelihood, z_dim=1), 9600
    with torch.no_grad():
        model.posterior_net.head.bias[1] += 1.0  # wider than the prior, so that the weights have no heavy tail
    x, noise = make_x(model.likelihood, 2, 3), make_noise(num, 2, 1)
    bounds, errors = {}, {}
    with torch.no_grad():
        for samples in (1, 4, 40, 400, num):
            found = IWAE(samples)(model, Batch.of(x[None]).repeated(num // samples), 0, noise).bound
            bounds[samples] = float(found.mean())
            errors[samples] = float(found.std(correction=0)) / math.sqrt(len(found))
        elbo = float(PLAIN(model, Batch.of(x[None]).repeated(num), 0, noise).bound.mean())
    exact = exact_log_likelihood(model, x)
    assert list(bounds.values()) == sorted(bounds.values())
    assert bounds[4] > bounds[1] + 0.05
    assert elbo == pytest.approx(bounds[1], abs=4 * errors[1])
    for samples in (1, 4, 40):
        assert bounds[samples] < exact + 4 * errors[samples]
    assert elbo < exact - 0.05
    assert bounds[num] == pytest.approx(exact, abs=0.03)


@pytest.mark.parametrize("samples", [5, 40])
@pytest.mark.parametrize("spread", [0.3, 1.0, 5.0])
def test_the_variance_is_that_of_the_bound_over_repeated_draws(samples: int, spread: float, make_noise):
    """Also where a few weights make the sum: standard deviations of log w up to 5 nats, or 150 times in w."""
    weights = spread * make_noise(4000, samples)
    bounds = weights.logsumexp(1) - math.log(samples)
    found = IWAE(samples).variance(weights)
    assert found.shape == (4000,)
    assert 0.9 < float(found.mean() / bounds.var()) < 1.4  # the jackknife errs upwards (Efron and Stein 1981)


def test_the_variance_of_a_models_bound_is_that_over_repeated_noise(make_vrnn, make_batch, make_noise, sizes):
    model, repeats, samples = make_vrnn(), 1000, 20
    sequence = make_batch(model, size=1, steps=3)
    with torch.no_grad():
        found = IWAE(samples)(model, sequence.repeated(repeats), 0, make_noise(repeats * samples, 3, sizes.Z))
    assert found.variance.shape == (repeats,)
    assert float(found.variance.mean()) == pytest.approx(float(found.bound.var()), rel=0.2)


def test_the_variance_of_equal_weights_is_zero_and_that_of_small_ones_is_of_first_order(make_noise):
    assert float(IWAE(7).variance(make_noise(5, 1).expand(5, 7)).abs().max()) < 1e-24
    weights = 1e-3 * make_noise(5, 7) - 400.0
    torch.testing.assert_close(IWAE(7).variance(weights), weights.var(1) / 7, rtol=0.01, atol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_variance_of_two_weights_is_the_square_of_half_their_distance(dtype: torch.dtype):
    """Each bound without the other is the other's log weight, also where the smaller one is lost beside the larger."""
    weights = torch.tensor([[-3.0, -5.0], [-100.0, -40.0]], dtype=dtype)
    assert IWAE(2).variance(weights).tolist() == pytest.approx([1.0, 900.0], rel=1e-5)


@pytest.mark.parametrize("likelihood", ["gaussian", "discretized_logistics"])
def test_without_latents_every_number_of_samples_is_exact(likelihood: str, make_rnn, make_batch):
    model = make_rnn(likelihood=likelihood)
    batch = make_batch(model, lengths=LENGTHS)
    plain = PLAIN(model, batch, 0, torch.zeros(4, 5, 0))
    assert PLAIN.kind(model) == "exact"
    gradient = torch.autograd.grad(plain.loss, list(model.parameters()))
    for samples in (1, 3):
        estimate = IWAE(samples)(model, batch, 0, torch.zeros(4 * samples, 5, 0))
        assert IWAE(samples).kind(model) == "exact"
        torch.testing.assert_close(estimate.bound, plain.bound)
        torch.testing.assert_close(torch.autograd.grad(estimate.loss, list(model.parameters())), gradient)
        assert not estimate.kl.any()
        assert samples == 1 or float(estimate.variance.abs().max()) < 1e-20


def test_with_latents_it_is_an_estimate(make_vrnn):
    assert IWAE(1).kind(make_vrnn()) == IWAE(40).kind(make_vrnn()) == "estimate"


def test_the_carried_state_is_that_of_each_sample(make_vrnn, make_batch, noise):
    """Within one chunk samples keep to their own past: with K = 1 row, cut and whole give the same weights."""
    model = make_vrnn("lstm")
    batch = make_batch(model, lengths=LENGTHS)
    folded, state, total = batch.repeated(K), None, 0.0
    for start, chunk in zip((0, 2, 4), batch.chunks(2), strict=True):
        steps = slice(start, start + 2)
        estimate = IWAE(K)(model, chunk, 0, noise[:, steps], state)
        single = IWAE(1)(model, chunk.repeated(K), 0, noise[:, steps], state)
        state, total = estimate.state, total + single.bound
    torch.testing.assert_close(total, IWAE(1)(model, folded, 0, noise).bound)


def test_no_samples_are_refused_by_name():
    with pytest.raises(ValueError, match="num_samples must be at least 1, got 0"):
        IWAE(0)
