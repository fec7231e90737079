"""Multiruns that are killed, interrupted, terminated or orphaned: what is left, and that the end is the same."""

from __future__ import annotations

import contextlib
import csv
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from tests.experiments.command_line import SMALL, WORDS, Apps, Call, Run

# Three updates an epoch, six jobs.
GRID = (
    "--multirun",
    *WORDS,
    *SMALL[:-1],
    "trainer.batch_size=16",
    "trainer.max_steps=9",
    "optimizer.lr=1e-3,2e-3",
    "seed=0,1,2",
)


def jobs(folder: Path) -> list[Run]:
    """Every job's directory."""
    return [Run(path.parent) for path in sorted(folder.glob("outputs/sweeps/*/*/overrides.yaml"))]


def computed(run: Run) -> tuple[object, ...]:
    """What a job came to, without the clock."""
    keys = ("status", "error", "seed", "step", "best_step", "figures", "parameters", "config_hash")
    return run.path.name, run.metrics, [run.result[key] for key in keys]


def assert_same_weights(run: Run, other: Run) -> None:
    for name in ("last", "best"):
        found, expected = (each.checkpoint(name)["model"] for each in (run, other))
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[key], expected[key]) for key in expected)


def written(run: Run) -> tuple[int, bytes]:
    file = run.path / "result.json"
    return file.stat().st_mtime_ns, file.read_bytes()


def is_over(run: Run) -> bool:
    return (run.path / "result.json").exists()


def wait(call: Call, condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 120.0
    while not condition():
        try:
            os.kill(call.pid, 0)
        except ProcessLookupError:
            pytest.fail(f"ended too early: {call.err.read_text()}")
        assert time.monotonic() < deadline, call.out.read_text() + call.err.read_text()
        time.sleep(0.01)


def workers(group: int) -> dict[int, str]:
    """Processes of a call's group that run jobs, or wait for some, and live: their numbers and command lines."""
    command = ["ps", "-e", "-ww", "-o", "pid=,pgid=,stat=,args="]
    lines = [
        line.split(None, 3) for line in subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    ]
    living = [(int(pid), args) for pid, leader, stat, args in lines if int(leader) == group and stat[0] != "Z"]
    return {pid: args for pid, args in living if "popen_loky" in args}


@pytest.mark.slow
def test_killed_in_its_midst_and_started_again_a_sweep_is_the_undisturbed_one(apps: Apps, tmp_path: Path):
    undisturbed, disturbed = tmp_path / "undisturbed", tmp_path / "disturbed"
    for folder in (undisturbed, disturbed):
        folder.mkdir()
    ended = apps("train", *GRID, "logger=none", "hydra/launcher=basic", cwd=undisturbed)
    assert (ended.code, ended.err) == (0, "")
    expected = jobs(undisturbed)
    assert len(expected) == 6

    command = (*GRID, "logger=wandb", "hydra/launcher=joblib")
    call = apps.start("train", *command, cwd=disturbed)
    # One job at least is done, another one has saved something and is in its midst.
    wait(
        call,
        lambda: (
            any(is_over(run) for run in jobs(disturbed))
            and any((run.path / "metrics.jsonl").exists() for run in jobs(disturbed) if not is_over(run))
        ),
    )
    call.kill(signal.SIGKILL)
    assert call.ended().code == -signal.SIGKILL
    done = {run.path.name: written(run) for run in jobs(disturbed) if is_over(run)}
    assert 1 <= len(done) < 6

    again = (*reversed(command[1:-1]), "hydra/launcher=basic", "--multirun")  # in whatever order, wherever jobs run
    ended = apps("train", *again, cwd=disturbed)
    assert (ended.code, ended.err) == (0, "")
    found = jobs(disturbed)
    assert list(map(computed, found)) == list(map(computed, expected))
    for run, other in zip(found, expected, strict=True):
        assert_same_weights(run, other)
    assert {run.path.name: written(run) for run in found if run.path.name in done} == done
    assert ended.out.count("done already  ") == len(done)

    (sweep,) = {run.path.parent for run in found}
    assert sweep.name == expected[0].path.parent.name
    with (sweep / "sweep.csv").open(newline="") as file:
        rows = [line for line in csv.DictReader(file) if any(line.values())]
    assert sorted((float(row["optimizer.lr"]), int(row["seed"])) for row in rows) == [
        (rate, seed) for rate in (1e-3, 2e-3) for seed in (0, 1, 2)
    ]
    ids = {}
    for run in found:
        folders = {path.name.rpartition("-")[2] for path in run.path.glob("wandb/offline-run-*")}
        (ids[run.path.name],) = folders  # one id, over all starts
        assert f'"{ids[run.path.name]}"' in (run.path / "wandb" / "identity.json").read_text()
    assert len(set(ids.values())) == 6


# The long job outlives all that is done to it; the third fails at once; the last one is the run `whole`.
CHAIN = "trainer.max_steps=400,1,0,44"


@pytest.mark.slow
def test_whatever_stops_a_sweep_the_jobs_save_and_the_next_start_goes_on(apps: Apps, long, whole: Run, tmp_path: Path):
    shared = [word for word in long if not word.startswith("trainer.max_steps")]
    command = ("--multirun", *shared, CHAIN, "trainer.test=true")
    pair = (*command, "hydra/launcher=joblib", "multirun.max_parallel=2")

    def job(steps: int) -> Run:
        (found,) = tmp_path.glob(f"outputs/sweeps/*/max-steps-{steps}-*") or [tmp_path / "none"]
        return Run(found)

    def lines(steps: int) -> int:
        files = list(tmp_path.glob(f"outputs/sweeps/*/max-steps-{steps}-*/metrics.jsonl"))
        return files[0].read_bytes().count(b"\n") if files else 0

    def assert_saved(steps: int) -> None:
        run = job(steps)
        assert run.result["status"] == "interrupted"
        assert run.checkpoint("last")["progress"]["step"] == run.metrics[-1]["step"] == run.result["step"]

    # The first failure stops the others.
    ended = apps("train", *pair, "multirun.fail_fast=true", cwd=tmp_path)
    assert ended.code == 3, ended.err
    assert ended.err == "error: trainer.max_steps=0: max_steps must be at least 1, got 0\n"
    assert_saved(400)
    assert not list(tmp_path.glob("outputs/sweeps/*/max-steps-44-*/config.yaml"))
    first = written(job(1))

    # Ctrl-C: the terminal tells the whole group.
    before = lines(400)
    call = apps.start("train", *pair, cwd=tmp_path)
    wait(call, lambda: lines(400) > before and lines(44) >= 14)
    call.kill(signal.SIGINT)
    ended = call.ended()
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert "stopped; go on with: python -m experiments.train --multirun " in ended.out
    assert not workers(call.pid)
    assert_saved(400)
    assert_saved(44)

    # The parent is killed: its workers notice, and who starts the same again waits for them.
    before = lines(400)
    call = apps.start("train", *pair, cwd=tmp_path)
    wait(call, lambda: lines(400) > before and lines(44) >= 24)
    os.kill(call.pid, signal.SIGKILL)
    call.ended()
    group = call.pid
    call = apps.start("train", *command, "hydra/launcher=basic", cwd=tmp_path)
    with contextlib.suppress(ProcessLookupError):
        wait(call, lambda: "folder " in call.out.read_text())
        wait(call, lambda: "max_steps=0" in call.err.read_text() or (lines(400) >= 390 and not workers(group)))
    assert_saved(44)  # by its orphaned worker, while the new start was at other jobs
    assert not workers(group)

    # One at a time, terminated: what comes later is not begun.
    os.kill(call.pid, signal.SIGTERM)
    ended = call.ended()
    assert ended.code == 143
    assert "Traceback" not in ended.err
    before = written(job(44))
    ended = apps("train", *command, "hydra/launcher=basic", cwd=tmp_path)
    assert ended.code == 1  # the impossible one
    assert written(job(44)) != before
    assert written(job(1)) == first
    assert job(44).metrics == whole.metrics
    assert {key: job(44).result[key] for key in ("figures", "step", "config_hash")} == {
        key: whole.result[key] for key in ("figures", "step", "config_hash")
    }
    assert_same_weights(job(44), whole)
    assert [line["step"] for line in job(400).metrics if "train/loss" in line] == list(range(1, 401))
    shutil.rmtree(tmp_path)
