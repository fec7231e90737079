"""The training loop: what an update does, what is kept, when it ends."""

from __future__ import annotations

import functools
import math

import pytest
import torch

from vrnn.batch import Batch
from vrnn.objectives.elbo import ELBO
from vrnn.training import checkpoint
from vrnn.training.evaluation import evaluate
from vrnn.training.progress import Diverged
from vrnn.training.references import independent
from vrnn.training.trainer import Trainer

SGD = functools.partial(torch.optim.SGD, lr=1.0)
STEPS_PER_EPOCH = 6  # 23 sequences, 4 at a time


def update_norm(before: dict, after: dict) -> float:
    return math.sqrt(sum(float((after[name] - before[name]).double().square().sum()) for name in before))


def weights(model: torch.nn.Module) -> dict:
    return {name: value.clone() for name, value in model.state_dict().items()}


def finite(content: dict) -> bool:
    return all(value.isfinite().all() for value in content["model"].values())


def test_training_learns_what_the_past_tells(run, make_splits, elbo):
    splits = make_splits(num=200, ragged=True)
    optimizer = functools.partial(torch.optim.Adam, lr=1e-2)
    end = run(splits=splits, optimizer=optimizer, max_epochs=10, batch_size=20, log_every=10)
    bounds = [line["valid/log_likelihood"] for line in end.metrics if "valid/kl" in line]
    losses = [line["train/loss"] for line in end.metrics if "train/loss" in line]
    assert len(bounds) == len(losses) == 10
    assert losses[-1] < losses[0] - 1.5
    reference = float(independent(end.model.likelihood, splits.train, splits.valid).bounds.mean())
    assert bounds[0] < reference
    assert bounds[-1] > reference + 1.5


def test_the_gradient_is_clipped_before_the_step(run, make_vrnn):
    start = weights(make_vrnn().float())
    for clip in (0.01, None):
        end = run(f"clip {clip}", optimizer=SGD, max_epochs=None, max_steps=1, log_every=1, max_grad_norm=clip)
        norm = end.metrics[0]["train/gradient_norm"]  # of the gradient as it was
        assert norm > 0.1
        assert update_norm(start, end.model.state_dict()) == pytest.approx(norm if clip is None else clip, rel=1e-4)


def test_the_rate_is_the_optimizers_times_the_schedules_factor_of_the_step(run):
    asked = []

    def schedule(step: int, total_steps: int) -> float:
        asked.append((step, total_steps))
        return 0.1 * (step + 1)

    optimizer = functools.partial(torch.optim.SGD, lr=0.01)
    end = run(optimizer=optimizer, schedule=schedule, max_epochs=2, max_steps=8, log_every=1)
    assert asked == [(step, 8) for step in range(8)]
    rates = [line["train/learning_rate"] for line in end.metrics if "train/learning_rate" in line]
    assert rates == pytest.approx([0.001 * (step + 1) for step in range(8)])


class RecordingELBO(ELBO):
    """Remembers the batches and the steps that it was asked about."""

    def __init__(self):
        super().__init__(lambda _: 1.0, lambda _: 0.0)
        self.seen: list[tuple[int, list[int]]] = []
        self.noise: list[torch.Tensor] = []

    def __call__(self, model, batch: Batch, step, noise, state=None):
        if torch.is_grad_enabled():
            self.seen.append((step, batch.index.tolist()))
            self.noise.append(noise)
        return super().__call__(model, batch, step, noise, state)


def test_every_epoch_visits_every_training_sequence_once_in_another_order_with_new_noise(run):
    objective = RecordingELBO()
    run(objective=objective, max_epochs=2)
    assert [step for step, _ in objective.seen] == list(range(2 * STEPS_PER_EPOCH))
    epochs = [
        [i for _, batch in objective.seen[start : start + STEPS_PER_EPOCH] for i in batch]
        for start in (0, STEPS_PER_EPOCH)
    ]
    assert sorted(epochs[0]) == sorted(epochs[1]) == list(range(23))
    assert epochs[0] != epochs[1]
    values = torch.cat([noise.flatten() for noise in objective.noise])
    assert len(values.unique()) > 0.999 * len(values)


def test_the_seed_alone_decides(run):
    ends = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.manual_seed(len(ends))
        ends.append(run(name, seed=seed, max_epochs=1))
    state = [end.checkpoint("last.pt")["model"] for end in ends]
    assert all(torch.equal(state[0][name], state[1][name]) for name in state[0])
    assert not all(torch.equal(state[0][name], state[2][name]) for name in state[0])


def test_the_metrics_are_means_since_the_last_line(run, elbo):
    every, third = run("every", log_every=1, max_epochs=1), run("third", log_every=3, max_epochs=1)
    single = [line for line in every.metrics if "train/loss" in line]
    means = [line for line in third.metrics if "train/loss" in line]
    assert [line["step"] for line in means] == [3, 6]
    for name in ("train/loss", "train/gradient_norm"):
        assert means[0][name] == pytest.approx(sum(line[name] for line in single[:3]) / 3)
    for name in ("train/log_likelihood", "train/kl"):  # over 4 + 4 + 3 sequences
        assert means[1][name] == pytest.approx(
            sum(num * line[name] for num, line in zip((4, 4, 3), single[3:], strict=True)) / 11
        )
    assert means[0]["train/log_likelihood"] == pytest.approx(5 * means[0]["train/log_likelihood_per_step"])


def test_the_limits_are_epochs_and_steps_whichever_comes_first(run):
    assert run("a", max_epochs=2, max_steps=100).progress.step == 12
    stopped = run("b", max_epochs=2, max_steps=8)
    assert (stopped.progress.step, stopped.progress.epoch, stopped.progress.batch) == (8, 1, 2)
    assert stopped.checkpoint("last.pt")["progress"]["step"] == 8
    assert [line["step"] for line in stopped.metrics if "valid/kl" in line] == [6, 8]
    assert run("c", max_epochs=None, max_steps=7).progress.step == 7


def test_best_holds_the_best_weights_and_not_the_last(run, elbo, make_splits):
    """Two good epochs, then leaps that spoil the weights."""
    splits = make_splits()
    end = run(splits=splits, schedule=lambda step, _: 1.0 if step < 12 else 60.0, max_epochs=4)
    bounds = {line["step"]: line["valid/log_likelihood"] for line in end.metrics if "valid/kl" in line}
    assert list(bounds) == [6, 12, 18, 24]
    assert max(bounds, key=bounds.get) == 12
    best = end.checkpoint("best.pt")
    assert (best["step"], end.progress.best_step, end.progress.stale) == (12, 12, 2)
    end.model.load_state_dict(best["model"])
    found = evaluate(end.model, elbo, splits.valid, batch_size=9, seed=0, step=12)
    assert float(found.bounds.mean()) == pytest.approx(end.progress.best, rel=1e-5)
    assert end.progress.best == bounds[12]


def test_validation_looks_at_the_plain_bound(run, make_splits):
    """With a beta of 100 the loss is far from the bound that is reported."""
    splits = make_splits()
    end = run(splits=splits, objective=ELBO(lambda _: 100.0, lambda _: 5.0), max_epochs=1)
    plain = ELBO(lambda _: 1.0, lambda _: 0.0)
    expected = evaluate(end.model, plain, splits.valid, batch_size=3, seed=0)
    assert end.metrics[-1]["valid/log_likelihood"] == pytest.approx(float(expected.bounds.mean()), rel=1e-5)


def test_patience_ends_training_after_validations_without_improvement(run, make_vrnn):
    end = run(schedule=lambda step, total: 0.0, patience=2, max_epochs=50)
    assert (end.progress.step, end.progress.epoch) == (3 * STEPS_PER_EPOCH, 3)
    assert (end.progress.best_step, end.progress.stale) == (STEPS_PER_EPOCH, 2)
    start = make_vrnn().float().state_dict()
    assert all(torch.equal(value, start[name]) for name, value in end.checkpoint("best.pt")["model"].items())
    again = run(schedule=lambda step, total: 0.0, patience=2, max_epochs=50, resume=True)
    assert again.progress.step == end.progress.step


@pytest.mark.parametrize("log_every", [1, 1000])
def test_a_loss_that_is_not_finite_ends_training_and_keeps_the_checkpoint_from_before(run, tmp_path, log_every: int):
    def explode(step: int, total_steps: int) -> float:
        return 1e-3 if step < 8 else 1e25

    with pytest.raises(Diverged, match=r"(loss|gradient norm) is (nan|inf).*smaller learning rate"):
        run(optimizer=SGD, schedule=explode, max_epochs=3, checkpoint_every=4, log_every=log_every)
    last = checkpoint.load(tmp_path / "run" / "last.pt", "cpu")
    assert last["progress"]["step"] == 8
    assert finite(last)
    again = run(optimizer=SGD, schedule=lambda step, total: 1e-3, max_epochs=3, resume=True)
    assert finite({"model": again.model.state_dict()})


def test_weights_that_are_not_finite_are_not_saved(run, tmp_path):
    """Loss and gradient are finite, but Adam without epsilon divides 0 by 0 where nothing pays for the prior."""
    optimizer, objective = functools.partial(torch.optim.Adam, eps=0.0), ELBO(lambda _: 1.0, lambda _: 1e3)
    with pytest.raises(Diverged, match="weight is not finite at step 1"):
        run(optimizer=optimizer, objective=objective, checkpoint_every=1)
    assert not (tmp_path / "run" / "last.pt").exists()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "train",
            r"the (loss|gradient norm) is nan at step \d+ .*; train, sequence 2, step 1, dimension 1: the value is",
        ),
        (
            "valid",
            r"the validation bound is nan at step 6 .*; valid, sequence 2, step 1, dimension 1: the value is nan;",
        ),
    ],
)
def test_data_that_are_not_finite_end_training_and_the_optimizer_is_not_blamed(run, make_splits, name, message):
    splits = make_splits()
    getattr(splits, name).values[2 * 5 + 1, 1] = math.nan
    with pytest.raises(Diverged, match=f"^the data are at fault: {message} ") as caught:
        run(splits=splits)
    assert f"; {name}, sequence 2, step 1, dimension 1: the value is nan; correct" in str(caught.value)
    assert "optimizer" not in str(caught.value)


def test_a_validation_bound_that_is_not_finite_on_finite_data_ends_training(run, make_splits):
    splits = make_splits()
    splits.valid.values[0, 0] = 3e38
    with pytest.raises(Diverged, match=r"^training diverged: the validation bound is (nan|-inf) at step 6 .*rate"):
        run(splits=splits)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"max_epochs": 0}, "max_epochs must be at least 1, got 0"),
        ({"max_steps": -1}, "max_steps must be at least 1, got -1"),
        ({"patience": 0}, "patience must be at least 1, got 0"),
        ({"batch_size": 0}, "batch_size must be at least 1, got 0"),
        ({"eval_batch_size": 0}, "eval_batch_size must be at least 1, got 0"),
        ({"log_every": 0}, "log_every must be at least 1, got 0"),
        ({"checkpoint_every": 0}, "checkpoint_every must be at least 1, got 0"),
        ({"max_epochs": None}, "max_epochs and max_steps are both null"),
        ({"max_grad_norm": 0.0}, "max_grad_norm must be positive, or null for no clipping; got 0.0"),
        ({"max_grad_norm": math.nan}, "max_grad_norm must be positive"),
        ({"tbptt": 0}, "tbptt must be at least 1, got 0"),
        ({"device": "tpu9"}, "device 'tpu9' is not available"),
    ],
)
def test_settings_out_of_range_are_refused_by_name(change: dict, message: str):
    good = {"max_epochs": 1, "max_steps": None, "batch_size": 1, "eval_batch_size": 1, "max_grad_norm": 1.0}
    with pytest.raises(ValueError, match=message):
        Trainer(**{**good, "patience": None, "log_every": 1, "checkpoint_every": 1, "device": "cpu", **change})
