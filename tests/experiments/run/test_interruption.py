"""Kills, Ctrl-C and termination: what is left behind, and that a resumed run is the one that was never stopped."""

from __future__ import annotations

import shlex
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.experiments.command_line import ODD, QUOTED, Apps, Ended, Run


def assert_same(run: Run, whole: Run) -> None:
    """The same metrics, figures and weights, bit for bit; only the clock differs."""
    assert run.metrics == whole.metrics
    for key in ("status", "error", "seed", "step", "best_step", "figures", "parameters", "config_hash"):
        assert run.result[key] == whole.result[key], key
    for name in ("last", "best"):
        found, expected = run.checkpoint(name), whole.checkpoint(name)
        assert found["model"].keys() == expected["model"].keys()
        assert all(torch.equal(found["model"][key], expected["model"][key]) for key in expected["model"])
    found, expected = run.checkpoint("last"), whole.checkpoint("last")
    assert torch.equal(found["generator"], expected["generator"])
    assert {**found["progress"], "seconds": 0} == {**expected["progress"], "seconds": 0}
    with np.load(run.path / "test_sequences.npz") as found, np.load(whole.path / "test_sequences.npz") as expected:
        assert np.array_equal(found["bounds"], expected["bounds"])
        assert np.array_equal(found["lengths"], expected["lengths"])


def interrupted(apps: Apps, number: int, run: Run, *arguments: str, cwd: Path) -> Ended:
    """Sends a signal to a run in the midst of its second epoch."""
    call = apps.start("train", *arguments, cwd=cwd)
    run.wait_for_lines(14, call)
    call.kill(number)
    return call.ended()


def test_the_undisturbed_run_is_what_was_asked_for(whole: Run):
    assert whole.result["status"] == "done"
    assert whole.result["step"] == 44
    assert [line["step"] for line in whole.metrics if "train/loss" in line] == list(range(1, 45))
    assert [line["step"] for line in whole.metrics if "valid/kl" in line] == [10, 20, 30, 40, 44]
    assert whole.result["seed"] == 3
    assert whole.checkpoint("best")["model"]["phi_z.0.weight"].shape == (32, 5)


@pytest.mark.slow
def test_killed_and_resumed_equals_undisturbed(apps, long, whole, tmp_path):
    run = Run(tmp_path / ODD)
    ended = interrupted(apps, signal.SIGKILL, run, *long, "logger=wandb", f"hydra.run.dir={QUOTED}", cwd=tmp_path)
    assert ended.code == -signal.SIGKILL
    assert not (run.path / "result.json").exists()
    assert 0 < run.checkpoint("last")["progress"]["step"] < 44
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 99, "epo')  # a line that the kill cut short

    ended = apps("train", f"resume={QUOTED}", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert_same(run, whole)
    folders = sorted(folder.name for folder in run.path.glob("wandb/offline-run-*"))
    assert len(folders) == 2
    assert len({name.rpartition("-")[2] for name in folders}) == 1  # one id: W&B sees one run
    assert [path.name for path in tmp_path.iterdir()] == [ODD]


@pytest.mark.slow
def test_ctrl_c_says_how_to_go_on_and_the_command_works(apps, long, whole, tmp_path, monkeypatch):
    run = Run(tmp_path / ODD)
    ended = interrupted(apps, signal.SIGINT, run, *long, f"hydra.run.dir={QUOTED}", cwd=tmp_path)
    assert ended.code == 130
    assert "Stopping after this update and saving." in ended.err
    assert "Traceback" not in ended.err
    monkeypatch.setenv("PATH", apps.environment["PATH"])
    (command,) = [line.partition("go on with: ")[2] for line in ended.out.splitlines() if "go on with: " in line]
    step = run.checkpoint("last")["progress"]["step"]
    assert 13 <= step < 44
    assert step == run.metrics[-1]["step"]  # what was done is kept, to the last update
    assert (run.result["status"], run.result["error"], run.result["step"]) == ("interrupted", None, step)

    python, *module, argument = shlex.split(command)
    assert (shutil.which(python), module) == (sys.executable, ["-m", "experiments.train"])
    ended = apps("train", argument, cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert_same(run, whole)


@pytest.mark.slow
def test_terminated_and_resumed_from_elsewhere_equals_undisturbed(apps, long, whole, tmp_path):
    run = Run(tmp_path / "run")
    ended = interrupted(apps, signal.SIGTERM, run, *long, "hydra.run.dir=run", cwd=tmp_path)
    assert ended.code == 143
    assert "Traceback" not in ended.err
    assert run.result["status"] == "interrupted"

    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    moved = Run(shutil.move(run.path, elsewhere / "moved"))
    assert apps("train", f"resume={moved.path}", cwd=elsewhere).code == 0
    assert_same(moved, whole)
    assert [path.name for path in elsewhere.iterdir()] == ["moved"]


@pytest.mark.slow
def test_ctrl_c_ends_a_whole_multirun(apps, long, tmp_path):
    jobs = ("--multirun", *long, "seed=0,1", "hydra.sweep.dir=sweep", "hydra.sweep.subdir=${seed}")
    ended = interrupted(apps, signal.SIGINT, Run(tmp_path / "sweep" / "0"), *jobs, cwd=tmp_path)
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert Run(tmp_path / "sweep" / "0").result["status"] == "interrupted"
    assert not (tmp_path / "sweep" / "1").exists()


@pytest.mark.slow
def test_ctrl_c_that_comes_too_late_for_a_job_keeps_the_next_from_beginning(apps, long, tmp_path):
    """While a job is measured and drawn."""
    jobs = ("--multirun", *long, "seed=0,1", "hydra.sweep.dir=sweep", "hydra.sweep.subdir=${seed}")
    call = apps.start("train", *jobs, cwd=tmp_path)
    run = Run(tmp_path / "sweep" / "0")
    deadline = time.monotonic() + 60.0
    while not (run.path / "test_sequences.npz").exists():
        assert time.monotonic() < deadline
        time.sleep(0.002)
    call.kill(signal.SIGINT)
    ended = call.ended()
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert run.result["status"] == "done"
    assert not (tmp_path / "sweep" / "1").exists()
