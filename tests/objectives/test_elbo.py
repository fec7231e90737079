"""The ELBO against sums by hand, and what may and may not touch the bound."""

from __future__ import annotations

import math

import pytest
import torch

from vrnn.batch import Batch
from vrnn.models.vrnn import VRNN
from vrnn.objectives.base import Objective, masked_sum
from vrnn.objectives.elbo import ELBO
from vrnn.objectives.schedules import Linear

LENGTHS = [2, 5, 1, 4]
PLAIN = ELBO(Linear(1.0, 1.0, 0), Linear(0.0, 0.0, 0))


@pytest.fixture
def batch(model: VRNN, make_batch) -> Batch:
    return make_batch(model, lengths=LENGTHS)


@pytest.fixture
def noise(make_noise, sizes) -> torch.Tensor:
    return make_noise(sizes.B, sizes.T, sizes.Z)


def terms_by_hand(model: VRNN, batch: Batch, noise: torch.Tensor) -> list[list[tuple[float, float]]]:
    """(log_px, kl) of every real step of every sequence."""
    terms, _ = model(batch, noise)
    return [
        [(float(terms.log_px[row, t].detach()), float(terms.kl[row, t].detach())) for t in range(length)]
        for row, length in enumerate(LENGTHS)
    ]


def test_masked_sum_adds_real_steps_only_whatever_stands_in_the_others():
    values = torch.tensor([[1.0, 2.0, math.nan], [4.0, math.inf, 6.0]])
    mask = torch.tensor([[True, True, False], [True, False, True]])
    assert masked_sum(values, mask).tolist() == [3.0, 10.0]


def test_bound_loss_and_sums_are_those_of_the_real_steps(model: VRNN, batch: Batch, noise):
    by_hand = terms_by_hand(model, batch, noise)
    bounds = [sum(log_px - kl for log_px, kl in steps) for steps in by_hand]
    estimate = PLAIN(model, batch, 0, noise)
    assert estimate.bound.tolist() == pytest.approx(bounds)
    assert float(estimate.loss.detach()) == pytest.approx(-sum(bounds) / sum(LENGTHS))
    assert {name: float(value) for name, value in estimate.sums.items()} == pytest.approx(
        {
            "log_likelihood": sum(bounds),
            "kl": sum(kl for steps in by_hand for _, kl in steps),
            "sequences": len(LENGTHS),
            "steps": sum(LENGTHS),
        }
    )
    torch.testing.assert_close(estimate.state, model(batch, noise)[1])


def test_only_the_loss_carries_gradient(model: VRNN, batch: Batch, noise):
    estimate = PLAIN(model, batch, 0, noise)
    assert estimate.loss.requires_grad
    assert not estimate.bound.requires_grad
    assert not any(value.requires_grad for value in estimate.sums.values())


def test_beta_and_free_nats_change_the_loss_per_step_and_never_the_bound(model: VRNN, batch: Batch, noise):
    by_hand = terms_by_hand(model, batch, noise)
    floor = sorted(kl for steps in by_hand for _, kl in steps)[4]  # some steps below, some above
    plain, weighted = PLAIN(model, batch, 7, noise), ELBO(lambda _: 0.3, lambda _: floor)(model, batch, 7, noise)
    expected = sum(0.3 * max(kl, floor) - log_px for steps in by_hand for log_px, kl in steps) / sum(LENGTHS)
    assert float(weighted.loss.detach()) == pytest.approx(expected)
    assert torch.equal(weighted.bound, plain.bound)
    assert weighted.sums == plain.sums


def test_schedules_are_asked_for_the_step(make_vrnn, make_batch, noise):
    model = make_vrnn()
    batch = make_batch(model)
    ramp = ELBO(Linear(0.0, 1.0, 10), Linear(2.0, 0.0, 10))
    for step, beta, floor in ((0, 0.0, 2.0), (5, 0.5, 1.0), (10, 1.0, 0.0), (99, 1.0, 0.0)):
        fixed = ELBO(lambda _, beta=beta: beta, lambda _, floor=floor: floor)
        assert torch.equal(ramp(model, batch, step, noise).loss, fixed(model, batch, 0, noise).loss)


def test_kl_below_the_free_nats_earns_no_gradient(make_vrnn, make_batch, noise):
    """With every step below, what is left of the loss is the emission's part."""
    model = make_vrnn()
    batch = make_batch(model)
    ELBO(lambda _: 1.0, lambda _: 1e3)(model, batch, 0, noise).loss.backward()
    assert not any(parameter.grad.any() for parameter in model.prior_net.parameters() if parameter.grad is not None)
    assert model.posterior_net.from_a.weight.grad.any()


def test_the_gradient_of_the_loss_is_that_of_finite_differences(model: VRNN, batch: Batch, noise):
    objective = ELBO(lambda _: 0.7, lambda _: 0.0)
    for parameter in (model.posterior_net.from_b.weight, model.recurrence.from_z.weight, model.emission_net.head.bias):
        (gradient,) = torch.autograd.grad(objective(model, batch, 0, noise).loss, parameter)
        place = int(gradient.abs().argmax())
        ends = []
        for epsilon in (1e-5, -1e-5):
            with torch.no_grad():
                parameter.view(-1)[place] += epsilon
                ends.append(float(objective(model, batch, 0, noise).loss))
                parameter.view(-1)[place] -= epsilon
        assert (ends[0] - ends[1]) / 2e-5 == pytest.approx(float(gradient.view(-1)[place]), rel=1e-6)


def test_repeating_the_batch_changes_neither_loss_nor_gradient(model: VRNN, batch: Batch, noise):
    """Nats per step: a clip on the gradient's norm means the same for every batch size."""
    outcomes = []
    for repeats in (1, 3):
        many = Batch.of(batch.x.repeat(repeats, 1, 1), batch.lengths.repeat(repeats))
        loss = PLAIN(model, many, 0, noise.repeat(repeats, 1, 1)).loss
        outcomes.append([loss, *torch.autograd.grad(loss, list(model.parameters()))])
    torch.testing.assert_close(*outcomes)


@pytest.mark.parametrize("steps", [1, 2, 3, 5])
def test_the_chunks_of_ragged_sequences_add_up_to_the_whole(model: VRNN, batch: Batch, noise, steps: int):
    """Some sequences are over before the last chunk: there they have no step, and their state stays as it was."""
    state, bound, loss, kl = None, 0.0, 0.0, []
    for start, chunk in zip(range(0, 5, steps), batch.chunks(steps), strict=True):
        estimate = PLAIN(model, chunk, 0, noise[:, start : start + steps], state)
        state, bound = estimate.state, bound + estimate.bound
        loss += estimate.loss * estimate.sums["steps"]
        kl.append(estimate.kl)
    whole = PLAIN(model, batch, 0, noise)
    torch.testing.assert_close(bound, whole.bound)
    torch.testing.assert_close(loss / sum(LENGTHS), whole.loss)
    torch.testing.assert_close(torch.cat(kl, 1), whole.kl)
    torch.testing.assert_close(state, whole.state)


def test_the_kl_of_every_step_is_zero_where_padded(model: VRNN, batch: Batch, noise):
    estimate = PLAIN(model, batch, 0, noise)
    by_hand = terms_by_hand(model, batch, noise)
    assert not estimate.kl.requires_grad
    for row, steps in zip(estimate.kl.tolist(), by_hand, strict=True):
        assert row == pytest.approx([kl for _, kl in steps] + [0.0] * (5 - len(steps)))
    assert estimate.variance is None


def test_an_elbo_of_a_latent_model_is_a_lower_bound_and_of_another_exact(make_vrnn, make_rnn):
    assert PLAIN.kind(make_vrnn()) == "lower_bound"
    assert PLAIN.kind(make_rnn()) == "exact"


def test_an_objective_that_does_not_say_what_changes_with_the_updates_cannot_be_made():
    """A CUDA graph would go on with the numbers that it was captured with."""

    class Silent(Objective):
        name, num_samples = "silent", 1
        __call__, kind = ELBO.__call__, ELBO.kind

    with pytest.raises(TypeError, match=r"abstract method '?weights"):
        Silent()
