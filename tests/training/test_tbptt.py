"""Truncated back-propagation through time: one update a chunk, the state carried on, no gradient through it."""

from __future__ import annotations

import functools
import math

import pytest
import torch

from tests.training.conftest import CONSTANT, SETTINGS
from tests.training.test_resume import assert_same_runs
from vrnn.batch import Batch
from vrnn.objectives.elbo import ELBO
from vrnn.objectives.iwae import IWAE
from vrnn.training.evaluation import evaluate
from vrnn.training.fit import Fit
from vrnn.training.progress import Observer
from vrnn.training.schedules import OneCycle
from vrnn.training.trainer import Trainer

SGD = functools.partial(torch.optim.SGD, lr=0.05)


class Recording(ELBO):
    """Remembers what each update was asked about."""

    def __init__(self):
        super().__init__(lambda _: 1.0, lambda _: 0.0)
        self.batches: list[Batch] = []
        self.noise: list[torch.Tensor] = []
        self.states: list[tuple | None] = []
        self.steps: list[int] = []

    def __call__(self, model, batch: Batch, step, noise, state=None):
        if torch.is_grad_enabled():
            self.batches.append(batch)
            self.noise.append(noise)
            self.states.append(state)
            self.steps.append(step)
        return super().__call__(model, batch, step, noise, state)


@pytest.mark.parametrize("tbptt", [6, 100])
def test_chunks_as_long_as_the_sequences_change_nothing(run, make_splits, tbptt: int):
    settings = {"splits": make_splits(ragged=True), "schedule": OneCycle()}
    whole = run("whole", **settings)
    cut = run("cut", **settings, tbptt=tbptt)
    assert_same_runs(cut, whole)


@pytest.mark.parametrize("tbptt", [1, 2, 4])
def test_a_batch_has_as_many_updates_as_its_longest_sequence_has_chunks(run, make_splits, tbptt: int):
    splits, objective, totals = make_splits(ragged=True), Recording(), set()

    def schedule(step: int, total_steps: int) -> float:
        totals.add(total_steps)
        return 1.0

    end = run(splits=splits, objective=objective, schedule=schedule, tbptt=tbptt, max_epochs=2)
    expected = sum(
        math.ceil(max(splits.train.lengths[index].tolist()) / tbptt)
        for epoch in range(2)
        for index in splits.train.shuffled(4, 0, epoch)
    )
    assert expected > 12  # 12 batches, and more updates than those
    assert totals == {expected}
    assert end.progress.step == expected
    assert objective.steps == list(range(expected))
    assert (end.progress.epoch, end.progress.batch) == (2, 0)
    steps = sum(int(batch.mask.sum()) for batch in objective.batches)
    assert steps == 2 * int(splits.train.lengths.sum())  # every step of every sequence once an epoch
    assert max(batch.steps for batch in objective.batches) == tbptt


def test_the_updates_of_every_epoch_are_counted_in_its_own_order(make_splits, make_vrnn, elbo, tmp_path):
    """Where there is more than one bucket, sequences of other lengths share a batch in each epoch."""
    splits = make_splits(num=100, ragged=True)
    trainer = Trainer(**SETTINGS | {"batch_size": 3, "tbptt": 1})
    model = make_vrnn().float()
    fit = Fit(trainer.settings, model, elbo, splits, SGD, CONSTANT, 0, tmp_path, Observer())
    by_epoch = [
        sum(int(splits.train.lengths[index].max()) for index in splits.train.shuffled(3, 0, epoch))
        for epoch in range(4)
    ]
    assert len(set(by_epoch)) > 1
    assert [fit.updates_in(epochs) for epochs in range(1, 5)] == [sum(by_epoch[:epochs]) for epochs in range(1, 5)]


def test_the_limit_in_updates_may_lie_within_a_batch(run, make_splits):
    end = run(splits=make_splits(ragged=True), tbptt=1, max_epochs=None, max_steps=7)
    assert end.progress.step == end.checkpoint("last.pt")["progress"]["step"] == 7


@pytest.mark.parametrize("recurrence", ["gru", "lstm"])
def test_the_first_batch_is_updated_as_by_hand(run, make_splits, make_vrnn, recurrence: str):
    """Each chunk: loss from the detached state of the one before, gradient, clip, step; the noise as it was."""
    build = functools.partial(make_vrnn, recurrence)
    objective, model = Recording(), build().float()
    first = math.ceil(6 / 2)
    splits = make_splits(num=4, ragged=True)
    settings = {"splits": splits, "build": build, "optimizer": SGD, "max_grad_norm": 0.5, "tbptt": 2}
    end = run(objective=objective, max_epochs=None, max_steps=first, **settings)
    optimizer, state = SGD(model.parameters()), None
    whole = splits.train.batch(splits.train.shuffled(4, 0, 0)[0])
    assert whole.steps == 6
    for update, noise in enumerate(objective.noise):
        steps = slice(2 * update, 2 * update + 2)
        chunk = Batch.of(whole.x[:, steps], (whole.lengths - 2 * update).clamp(0, 2))
        terms, state = model(chunk, noise, state)
        loss = torch.where(chunk.mask, terms.kl - terms.log_px, 0.0).sum() / chunk.mask.sum()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        state = type(state)(*(field.detach() for field in state))
        if update + 1 < first:
            torch.testing.assert_close(objective.states[update + 1], state, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(dict(end.model.state_dict()), dict(model.state_dict()), rtol=1e-5, atol=1e-6)


def test_no_gradient_flows_through_the_border_of_a_chunk_and_none_of_another_batch(run, make_splits):
    objective = Recording()
    run(splits=make_splits(ragged=True), objective=objective, max_epochs=1, tbptt=2)
    begin = [state is None for state in objective.states]
    assert sum(begin) == 6  # at the start of each of the 6 batches, and nowhere else
    former = None
    for batch, state in zip(objective.batches, objective.states, strict=True):
        if state is None:
            former = batch.index
        else:
            assert torch.equal(batch.index, former)
            assert all(field.any() and not field.requires_grad for field in state)


def test_every_chunk_has_new_noise(run, make_splits):
    objective = Recording()
    run(splits=make_splits(ragged=True), objective=objective, max_epochs=1, tbptt=2)
    values = torch.cat([noise.flatten() for noise in objective.noise])
    assert len(values.unique()) > 0.999 * len(values)


@pytest.mark.parametrize("tbptt", [None, 2])
def test_metrics_of_training_are_of_whole_sequences(run, make_splits, make_rnn, tbptt: int | None):
    """With a rate of 0 and no noise, one line over a whole epoch is the exact mean over the training set."""
    splits = make_splits(ragged=True)
    settings = {"splits": splits, "build": make_rnn, "schedule": lambda step, total: 0.0, "tbptt": tbptt}
    updates = run("count", **settings, max_epochs=1).progress.step
    end = run(**settings, max_epochs=1, log_every=updates)
    (line,) = (line for line in end.metrics if "train/loss" in line)
    found = evaluate(end.model, Recording(), splits.train, batch_size=23, seed=0)
    assert line["train/log_likelihood"] == pytest.approx(float(found.bounds.mean()), rel=1e-5)
    steps = int(splits.train.lengths.sum())
    assert line["train/log_likelihood_per_step"] == pytest.approx(float(found.bounds.sum()) / steps, rel=1e-5)


def test_importance_samples_carry_states_of_their_own(run, make_splits, make_vrnn):
    """4 sequences with 3 samples each: 12 states, also in the chunk after; training goes on to the end."""
    end = run(splits=make_splits(ragged=True), objective=IWAE(3), tbptt=2, max_epochs=1, log_every=1)
    assert end.progress.epoch == 1
    start = make_vrnn().float().state_dict()
    assert not all(torch.equal(value, start[name]) for name, value in end.model.state_dict().items())
