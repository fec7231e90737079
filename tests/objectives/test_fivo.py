"""The bound of a particle filter on the suite's models: against IWAE, loops, chunks, and its own gradient."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from tests.conf import options
from tests.objectives.linear_gaussian import ClosedForm, observe, turning
from tests.parts import build_model
from vrnn.batch import Batch
from vrnn.models.base import SequenceModel, at
from vrnn.objectives.elbo import ELBO
from vrnn.objectives.fivo import FIVO, RESAMPLING, effective_sample_size
from vrnn.objectives.iwae import IWAE
from vrnn.training.recompute import Recomputed

LENGTHS = [2, 5, 1, 4]
K = 6
PLAIN = ELBO(lambda _: 1.0, lambda _: 0.0)


@pytest.fixture(params=options("model"))
def model(request: pytest.FixtureRequest) -> SequenceModel:
    """Every model of conf/, found there."""
    return build_model(request.param)


@pytest.fixture
def batch(model: SequenceModel, make_batch) -> Batch:
    return make_batch(model, lengths=LENGTHS)


@pytest.fixture
def noise(model: SequenceModel, make_noise, sizes) -> Tensor:
    return make_noise(sizes.B * K, sizes.T, FIVO(K).noise_dim(model))


def test_without_resampling_it_is_iwae_with_the_same_noise(model: SequenceModel, batch: Batch, noise: Tensor):
    found, expected = FIVO(K, ess_threshold=0.0)(model, batch, 0, noise), IWAE(K)(model, batch, 0, noise[..., :-1])
    torch.testing.assert_close(found[:3], expected[:3])  # loss, bound, sums
    torch.testing.assert_close(found.kl, expected.kl)
    gradients = [
        torch.autograd.grad(each.loss, list(model.parameters()), materialize_grads=True) for each in (found, expected)
    ]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("threshold", [0.0, 0.5, 1.0])
def test_one_particle_is_iwae_with_one_sample(model: SequenceModel, batch: Batch, noise: Tensor, threshold: float):
    found = FIVO(1, ess_threshold=threshold)(model, batch, 0, noise[::K])
    torch.testing.assert_close(found.bound, IWAE(1)(model, batch, 0, noise[::K, :, :-1]).bound)


def by_loop(model: SequenceModel, x: Tensor, noise: Tensor, objective: FIVO) -> float:
    """Algorithm 1 of Maddison et al. (2017) for one sequence x [T, D], particle by particle, in plain probabilities."""
    inputs = model.prepare(Batch.of(x[None]))
    states, weights, log_p = [model.initial_state(1) for _ in range(K)], [1.0 / K] * K, 0.0
    for t in range(len(x)):
        if 1.0 / sum(weight**2 for weight in weights) < objective.ess_threshold * K:
            uniform = torch.special.ndtr(noise[:, t, -1])
            ancestors = objective.ancestors(torch.tensor([weights]).double(), uniform[None])[0].tolist()
            states, weights = [states[k] for k in ancestors], [1.0 / K] * K
        for k in range(K):
            terms, states[k] = model.step(at(inputs, t), states[k], noise[k : k + 1, t, :-1])
            weights[k] *= math.exp(float(terms.log_px.detach() + terms.log_ratio.detach()))
        log_p += math.log(sum(weights))
        weights = [weight / sum(weights) for weight in weights]
    return log_p


@pytest.mark.parametrize("resampling", RESAMPLING)
def test_the_bound_is_that_of_a_loop_over_particles(model: SequenceModel, batch: Batch, noise: Tensor, resampling: str):
    objective = FIVO(K, resampling, ess_threshold=0.95)
    found = objective(model, batch, 0, 2.0 * noise)
    loops = [
        by_loop(model, batch.x[row, :length], 2.0 * noise[row * K : (row + 1) * K], objective)
        for row, length in enumerate(LENGTHS)
    ]
    assert found.bound.tolist() == pytest.approx(loops)
    never = FIVO(K, ess_threshold=0.0)(model, batch, 0, 2.0 * noise)
    assert model.z_dim == 0 or not torch.allclose(found.bound, never.bound)  # something was resampled


def test_without_latents_it_is_exact(make_rnn, make_batch, make_noise):
    model = make_rnn()
    batch = make_batch(model, lengths=LENGTHS)
    estimate = FIVO(K, ess_threshold=1.0)(model, batch, 0, make_noise(4 * K, 5, 1))
    torch.testing.assert_close(estimate.bound, PLAIN(model, batch, 0, torch.zeros(4, 5, 0)).bound)
    torch.testing.assert_close(estimate.ess, torch.where(batch.mask, K, 0.0).double())
    assert FIVO(K).kind(model) == "exact"


def test_two_chunks_with_the_particles_carried_over_are_one_filter(make_vrnn, make_batch, make_noise, sizes):
    model = make_vrnn("lstm")
    batch, noise = make_batch(model, lengths=LENGTHS), 2.0 * make_noise(sizes.B * K, sizes.T, sizes.Z + 1)
    objective = FIVO(K, ess_threshold=0.95)
    state, bounds = None, []
    for chunk, eps in zip(batch.chunks(2), noise.split(2, 1), strict=True):
        estimate = objective(model, chunk, 0, eps, state)
        state = estimate.state
        bounds.append(estimate.bound)
    torch.testing.assert_close(sum(bounds), objective(model, batch, 0, noise).bound)


def test_nan_in_the_padding_changes_nothing(model: SequenceModel, batch: Batch, noise: Tensor):
    outcomes = []
    for fill in (0.0, math.nan):
        dirty = Batch.of(torch.where(batch.mask[..., None], batch.x, fill), batch.lengths)
        estimate = FIVO(K, "multinomial", 1.0, resampling_gradient=True)(model, dirty, 0, noise)
        gradients = torch.autograd.grad(estimate.loss, list(model.parameters()), materialize_grads=True)
        outcomes.append([estimate.bound, estimate.kl, estimate.ess, estimate.loss, *gradients])
    for with_zero, with_nan in zip(*outcomes, strict=True):
        assert with_zero.isfinite().all()
        assert torch.equal(with_zero, with_nan)


def test_computing_the_steps_again_gives_the_same_gradient(make_vrnn, make_batch, make_noise, sizes):
    model = make_vrnn()
    batch, noise = make_batch(model, lengths=LENGTHS), make_noise(sizes.B * K, sizes.T, sizes.Z + 1)
    losses = [FIVO(K)(each, batch, 0, noise).loss for each in (model, Recomputed(model, 2))]
    torch.testing.assert_close(*losses)
    torch.testing.assert_close(*(torch.autograd.grad(loss, list(model.parameters())) for loss in losses))


class Shifted(nn.Module):
    """A closed-form model whose proposal is moved by a parameter times what the particle's own z_{t-1} is."""

    def __init__(self, shift: float):
        super().__init__()
        self.inner = ClosedForm(turning(noise=0.05), "prior")
        self.shift = nn.Parameter(torch.tensor(shift).double())
        self.z_dim = self.inner.z_dim
        self.initial_state, self.prepare = self.inner.initial_state, self.inner.prepare

    def step(self, inputs, state, noise):
        moved = noise + self.shift
        terms, after = self.inner.step(inputs, state, moved)
        log_q = -0.5 * (noise.square() - moved.square()).sum(-1)  # q moves with it, and the density of its noise
        return terms._replace(log_ratio=terms.log_ratio - log_q), after


def test_only_with_the_term_of_the_ancestors_is_the_gradient_that_of_the_expectation():
    """Against central differences of the mean bound over 20,000 filters, with common random numbers."""
    num, steps, samples = 20_000, 3, 2
    x = observe(turning(), 1, steps, seed=4).expand(num, -1, -1)
    noise = torch.randn(num * samples, steps, 3, generator=torch.Generator().manual_seed(0)).double()

    def gradients(shift: float, own: bool) -> tuple[float, float]:
        """Mean over the filters of the gradient of each, and its standard error."""
        model = Shifted(shift)
        objective = FIVO(samples, "multinomial", 1.0, resampling_gradient=own)
        halves = []
        for part in range(20):
            rows = slice(part * num // 20, (part + 1) * num // 20)
            eps = noise[rows.start * samples : rows.stop * samples]
            loss = objective(model, Batch.of(x[rows]), 0, eps).loss
            halves.append(-steps * float(torch.autograd.grad(loss, model.shift)[0]))
        values = torch.tensor(halves)
        return float(values.mean()), float(values.std()) / math.sqrt(len(values))

    with torch.no_grad():
        width = 0.2
        up, down = (
            FIVO(samples, "multinomial", 1.0)(Shifted(0.5 + side), Batch.of(x), 0, noise).bound
            for side in (width, -width)
        )
    slopes = (up - down) / (2 * width)
    expected, error = float(slopes.mean()), float(slopes.std()) / math.sqrt(num)
    whole, whole_error = gradients(0.5, own=True)
    biased, biased_error = gradients(0.5, own=False)
    assert abs(whole - expected) < 4 * math.hypot(whole_error, error)
    assert abs(biased - expected) > 6 * math.hypot(biased_error, error)


# Resampling


@pytest.mark.parametrize("resampling", RESAMPLING)
def test_particles_go_on_as_often_as_their_weights_say(resampling: str):
    weights = torch.tensor([0.0, 0.5, 0.2, 0.0, 0.3, 0.0]).double()
    uniforms = torch.rand(20_000, K, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    ancestors = RESAMPLING[resampling](weights.expand(20_000, -1), uniforms)
    times = torch.stack([(ancestors == k).sum(1) for k in range(K)], 1).double()
    torch.testing.assert_close(times.mean(0), K * weights, atol=0.05, rtol=0.0)
    assert not times[:, weights == 0.0].any()
    if resampling == "systematic":
        assert ((times - K * weights).abs() < 1.0).all()
        assert (ancestors.diff(dim=1) >= 0).all()


@pytest.mark.parametrize("resampling", RESAMPLING)
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_no_particle_of_weight_zero_is_found_at_either_end(resampling: str, dtype: torch.dtype):
    weights = torch.zeros(3, 1000, dtype=dtype)
    weights[0, 1:-1], weights[1, 500], weights[2, ::2] = 1.0 / 998.0, 1.0, 1.0 / 500.0
    for uniform in (0.0, 0.5, 1.0):  # Phi of 9 is 1 in float32
        ancestors = RESAMPLING[resampling](weights, torch.full_like(weights, uniform))
        assert (weights.gather(1, ancestors) > 0.0).all()


def test_the_effective_sample_size_is_one_for_one_weight_and_k_for_equal_ones():
    weights = torch.tensor([[1.0, 0.0, 0.0, 0.0], [0.25, 0.25, 0.25, 0.25], [0.5, 0.5, 0.0, 0.0]]).double()
    torch.testing.assert_close(effective_sample_size(weights.log()), torch.tensor([1.0, 4.0, 2.0]).double())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"num_samples": 0}, "num_samples must be at least 1, got 0"),
        ({"resampling": "residual"}, "resampling must be multinomial or systematic, got 'residual'"),
        ({"ess_threshold": 1.5}, "ess_threshold must lie between 0"),
        ({"ess_threshold": math.nan}, "ess_threshold must lie between 0"),
        ({"resampling_gradient": True}, "resampling_gradient needs resampling=multinomial"),
    ],
)
def test_wrong_arguments_are_answered_by_name(arguments: dict, message: str):
    with pytest.raises(ValueError, match=message):
        FIVO(**{"num_samples": 4, **arguments})
