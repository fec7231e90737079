"""Two multiruns at a time: each has its directory, and only one process works in it."""

from __future__ import annotations

import signal
import time

import pytest

from experiments.sweep.plan import SweepPlan
from tests.experiments.command_line import SMALL, WORDS, Apps, Run
from tests.experiments.sweep.test_sweeps import TINY


@pytest.mark.slow
def test_two_sweeps_at_once_do_not_touch_each_other_and_the_same_one_waits_its_turn(apps: Apps, tmp_path):
    long = ("--multirun", *WORDS, *SMALL, "hydra/launcher=basic", "trainer.max_steps=3000")
    mine, other = (*long, "seed=0,1"), (*TINY, "seed=0,2")
    call, another = (apps.start("train", *words, cwd=tmp_path) for words in (mine, other))
    deadline = time.monotonic() + 60.0
    while "folder " not in call.out.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    refused, ended = apps("train", *mine, cwd=tmp_path), another.ended()
    assert not call.is_over  # the first start lives
    assert (ended.code, refused.code) == (0, 1)
    assert refused.err.startswith("error: outputs/sweeps/train-")
    assert refused.err.endswith("these jobs are running already; wait for the end of it, or stop it first\n")
    assert len(refused.err.splitlines()) == 1

    call.kill(signal.SIGKILL)
    call.ended()
    found = {
        tuple(SweepPlan.read(file.parent).keys): file.parent for file in tmp_path.glob("outputs/sweeps/*/sweep.json")
    }
    assert len(list(tmp_path.glob("outputs/sweeps/*"))) == 2
    assert list(found) == [("seed",)]
    statuses = [run.result["status"] for run in Run.all(tmp_path) if (run.path / "result.json").exists()]
    assert statuses == ["done", "done"]  # the other one's

    call = apps.start("train", *mine, cwd=tmp_path)  # taken over
    (sweep,) = {run.path.parent for run in Run.all(tmp_path) if not (run.path / "result.json").exists()}
    (first,) = sweep.glob("seed-0-*")
    number = len(Run(first).metrics)
    deadline = time.monotonic() + 60.0
    while len(Run(first).metrics) <= number and time.monotonic() < deadline:
        time.sleep(0.02)
    call.kill(signal.SIGTERM)
    ended = call.ended()
    assert ended.code == 143, ended.err
    assert Run(first).result["status"] == "interrupted"
    assert not list(sweep.glob("seed-1-*"))
