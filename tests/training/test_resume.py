"""Resumed = uninterrupted, bit for bit, wherever the run was cut."""

from __future__ import annotations

import functools
from dataclasses import replace

import pytest
import torch

from tests.parts import build_model
from vrnn.data.splits import Standardisation
from vrnn.models.base import SequenceModel
from vrnn.training.checkpoint import CheckpointError
from vrnn.training.schedules import Constant, OneCycle


def other(name: str, likelihood: str, seed: int) -> SequenceModel:
    """A model of conf/, whose first weights depend on the seed."""
    model = build_model(name, likelihood=likelihood)
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01 * torch.randn_like(parameter))
    return model


DATA = {
    "equal": ({}, {}),
    "ragged": ({"ragged": True}, {}),
    "ragged, drawn anew": ({"ragged": True, "drawn": True}, {"likelihood": "bernoulli"}),
    "ragged, in torch": ({"ragged": True}, {"loop": "torch"}),
    "ragged, cut in time": ({"ragged": True}, {"tbptt": 2}),
    **{
        f"{name}, ragged, cut in time": ({"ragged": True}, {"tbptt": 2, "build": functools.partial(other, name)})
        for name in ("srnn", "storn", "dkf")
    },
}


def assert_same(found: object, expected: object) -> None:
    """Bit-identical trees of tensors and plain values, but for the seconds that they took."""
    if isinstance(expected, dict):
        assert found.keys() == expected.keys()
        for name in expected:
            if name != "seconds":
                assert_same(found[name], expected[name])
    elif isinstance(expected, torch.Tensor):
        assert torch.equal(found, expected)
    elif isinstance(expected, list):
        assert len(found) == len(expected)
        for mine, theirs in zip(found, expected, strict=True):
            assert_same(mine, theirs)
    else:
        assert found == expected


def assert_same_runs(found, expected) -> None:
    assert_same(found.metrics, expected.metrics)
    for name in ("last.pt", "best.pt"):
        assert_same(found.checkpoint(name), expected.checkpoint(name))
    assert_same(found.model.state_dict(), expected.model.state_dict())
    assert found.progress.step == expected.progress.step


@pytest.fixture(scope="module", params=DATA)
def settings(request: pytest.FixtureRequest, make_splits) -> dict:
    data, arguments = DATA[request.param]
    return {"splits": make_splits(**data), "schedule": OneCycle(), **arguments}


@pytest.fixture(scope="module")
def whole(train, settings, tmp_path_factory):
    """The uninterrupted run."""
    return train(tmp_path_factory.mktemp("whole"), **settings)


hardest = pytest.mark.parametrize("settings", ["ragged, drawn anew"], indirect=True)


# 6 batches an epoch, 3 epochs, a checkpoint every 4 updates and at each epoch's end, metrics every 5.
@pytest.mark.parametrize(
    "stop_at",
    [
        pytest.param(2, id="before the first checkpoint and line"),
        pytest.param(4, id="at a periodic checkpoint"),
        pytest.param(5, id="after a periodic checkpoint, at a line"),
        pytest.param(6, id="at the first epoch's last batch"),
        pytest.param(7, id="at an epoch's first batch"),
        pytest.param(12, id="at the second epoch's last batch"),
        pytest.param(17, id="before the last batch of all"),
    ],
)
@hardest
def test_stopped_and_resumed_equals_uninterrupted(run, settings, whole, stop_at: int):
    stopped = run("cut", **settings, stop_at=stop_at)
    assert stopped.progress is None
    assert stopped.checkpoint("last.pt")["progress"]["step"] == stop_at
    assert_same_runs(run("cut", **settings, resume=True), whole)


@pytest.mark.parametrize(
    ("kill_at", "reached"),
    [
        pytest.param(("advance", 5), 4, id="after a periodic checkpoint"),
        pytest.param(("advance", 6), 4, id="at an epoch's last batch, before validation"),
        pytest.param(("valid/kl", 12), 8, id="after best.pt and the line of metrics, before last.pt"),
        pytest.param(("train/loss", 15), 12, id="after a line of metrics"),
    ],
)
@hardest
def test_killed_and_resumed_equals_uninterrupted(run, settings, whole, kill_at: tuple, reached: int, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        run("cut", **settings, kill_at=kill_at)
    assert torch.load(tmp_path / "cut" / "last.pt", weights_only=True)["progress"]["step"] == reached
    assert_same_runs(run("cut", **settings, resume=True), whole)


def test_stopped_after_every_single_batch_equals_uninterrupted(run, settings, whole):
    part = run("cut", **settings, stop_at=0)
    interruptions = 1
    while part.progress is None:
        part = run("cut", **settings, stop_at=0, resume=True)
        interruptions += part.progress is None
    assert interruptions == 17  # the 18th batch is the last
    assert_same_runs(part, whole)


@hardest
def test_more_epochs_by_resume_equal_a_longer_run(run, settings):
    settings = {**settings, "schedule": Constant()}  # OneCycle follows the new total
    longer = run("longer", **settings, max_epochs=4)
    assert run("extended", **settings, max_epochs=2).progress.epoch == 2
    assert_same_runs(run("extended", **settings, max_epochs=4, resume=True), longer)


@hardest
def test_resuming_a_finished_run_changes_nothing(run, settings):
    first = run("run", **settings)
    before = {name: first.checkpoint(name) for name in ("last.pt", "best.pt")} | {"metrics": first.metrics}
    again = run("run", **settings, resume=True)
    assert again.progress.step == 18
    assert_same({name: again.checkpoint(name) for name in ("last.pt", "best.pt")} | {"metrics": again.metrics}, before)


def test_the_seconds_add_up_over_resumes(run):
    stopped = run(stop_at=8)
    before = stopped.checkpoint("last.pt")["progress"]["seconds"]
    assert run(resume=True).progress.seconds > before > 0.0


def test_the_rate_follows_the_optimizer_and_not_the_file(run):
    """The base rate of a resume is the optimizer's own, so that factors are not multiplied upon factors."""
    run(schedule=lambda step, total: 0.5, stop_at=8)
    resumed = run(schedule=lambda step, total: 0.5, resume=True, log_every=1)
    rates = {line["train/learning_rate"] for line in resumed.metrics if "train/learning_rate" in line}
    assert rates == {0.5 * 1e-2}


def test_resuming_where_nothing_was_saved_is_refused_by_path(run):
    with pytest.raises(CheckpointError, match=r"nowhere/last\.pt: there is no such checkpoint"):
        run("nowhere", resume=True)


def test_weights_of_another_standardisation_are_not_gone_on_with(run, make_splits):
    run(max_epochs=1)
    other = replace(make_splits(), standardisation=Standardisation(torch.zeros(3), torch.tensor([1.0, 1.0, 1.001])))
    with pytest.raises(CheckpointError, match=r"last\.pt: its weights were trained under another standardisation"):
        run(splits=other, max_epochs=2, resume=True)
