"""A search by Optuna, killed and started again: as many trials as asked for, none of them twice, none left open."""

from __future__ import annotations

import os
import signal
import time
import warnings
from pathlib import Path

import pytest

from tests.experiments.command_line import SMALL, WORDS, Apps, Run
from tests.experiments.sweep.test_sweep_stops import wait, workers

SEARCH = (
    "sweep=search",
    *WORDS,
    *SMALL,
    "likelihood=bivariate_gmm",
    "figures=strokes",
    "hydra/launcher=basic",
    "multirun.stop_below=null",
    "multirun.max_parallel=2",
    "trainer.batch_size=8",
    "objective.beta.start=0.5",
    "objective.beta.steps=64",
    "latent.h_dim=16",
)


def trials(folder: Path) -> list:
    """What the study holds."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import optuna

        (directory,) = folder.glob("outputs/sweeps/*")
        return optuna.load_study(study_name=directory.name, storage=f"sqlite:///{directory}/study.db").trials


def states(folder: Path) -> list[str]:
    return [trial.state.name for trial in trials(folder)]


def test_a_second_signal_ends_a_search_without_its_report_and_leaves_no_worker(apps: Apps, tmp_path: Path):
    command = [word for word in SEARCH if word != "hydra/launcher=basic"]
    call = apps.start("train", *command, "hydra/launcher=joblib", "trainer.max_steps=100000", cwd=tmp_path)
    wait(call, lambda: len(list(tmp_path.glob("outputs/sweeps/*/*/metrics.jsonl"))) == 2)
    assert len(workers(call.pid)) == 2
    for pid in workers(call.pid):
        os.kill(pid, signal.SIGSTOP)  # in the midst of an update that takes long: no call to stop reaches it
    os.kill(call.pid, signal.SIGINT)
    os.kill(call.pid, signal.SIGTERM)  # of the same signal one alone would arrive
    ended = call.ended()
    assert ended.code == 130
    assert "Traceback" not in ended.err
    assert not workers(call.pid)
    assert not list(tmp_path.glob("outputs/sweeps/*/*/result.json"))  # which a worker that goes on would write
    assert not list(tmp_path.glob("outputs/sweeps/*/sweep.*m*"))  # .html and .md


def test_hydras_own_sweeper_is_refused(apps: Apps, tmp_path: Path):
    ended = apps("train", "--multirun", *WORDS, *SMALL, "seed=0,1", "hydra/sweeper=basic", cwd=tmp_path)
    assert ended == (1, "", "error: hydra/sweeper=basic: expected grid or search; leave it out for a grid\n")
    assert not list(tmp_path.iterdir())


@pytest.mark.slow
def test_a_killed_search_goes_on_and_comes_to_its_number_of_trials(apps: Apps, tmp_path: Path):
    command = (*SEARCH, "trainer.max_steps=12", "trainer.checkpoint_every=2", "hydra.sweeper.n_trials=4")
    call = apps.start("train", *command, cwd=tmp_path)
    deadline = time.monotonic() + 90.0
    while time.monotonic() < deadline:  # the third is in its midst, of the second pair
        whole = {file.parent for file in tmp_path.glob("outputs/sweeps/*/*/result.json")}
        open_ones = [run for run in Run.all(tmp_path) if run.path not in whole]
        if len(whole) >= 2 and open_ones and (open_ones[0].path / "checkpoints" / "last.pt").exists():
            break
        time.sleep(0.002)
    call.kill(signal.SIGKILL)
    call.ended()
    assert "RUNNING" in states(tmp_path)
    assert "COMPLETE" in states(tmp_path)
    done = {run.path: (run.path / "result.json").stat().st_mtime_ns for run in Run.all(tmp_path) if is_over(run)}
    (interrupted,) = [run.path for run in Run.all(tmp_path) if not is_over(run)]

    ended = apps("train", *command, cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    found = states(tmp_path)
    assert found.count("COMPLETE") == 4
    assert not {"RUNNING", "WAITING"} & set(found)
    points = [tuple(sorted(trial.params.items())) for trial in trials(tmp_path) if trial.state.name == "COMPLETE"]
    assert len(set(points)) == 4
    runs = Run.all(tmp_path)
    assert len(runs) == 4
    assert all(run.result["status"] == "done" for run in runs)
    assert {path: (path / "result.json").stat().st_mtime_ns for path in done} == done
    assert Run(interrupted).result["status"] == "done"
    assert [line["step"] for line in Run(interrupted).metrics if "train/loss" in line] == list(range(1, 13))

    # A longer search goes on with it; a shorter one has nothing to do.
    longer = apps("train", *command[:-1], "hydra.sweeper.n_trials=5", cwd=tmp_path)
    assert longer.code == 0
    assert (states(tmp_path).count("COMPLETE"), len(Run.all(tmp_path))) == (5, 5)
    shorter = apps("train", *command[:-1], "hydra.sweeper.n_trials=3", cwd=tmp_path)
    assert (shorter.code, shorter.err) == (0, "")
    assert "5 jobs, 5 done already" in shorter.out
    assert "not done" not in shorter.out


def is_over(run: Run) -> bool:
    return (run.path / "result.json").exists()


@pytest.mark.slow
def test_trials_that_diverge_are_told_like_other_failures_and_do_not_end_the_search(apps: Apps, tmp_path: Path):
    command = (*SEARCH, "latent.z_dim=2", "optimizer.lr=1e-3,1e30,1e31", "hydra.sweeper.sampler.seed=1")
    ended = apps("train", *command, "hydra.sweeper.n_trials=5", cwd=tmp_path)
    kinds = {run.path: run.result["status"] for run in Run.all(tmp_path)}
    failed = [run for run in Run.all(tmp_path) if run.result["status"] == "failed"]
    assert failed
    assert "done" in kinds.values()
    assert all(run.result["error"]["kind"] == "Diverged" for run in failed)
    assert not {"RUNNING", "WAITING"} & set(states(tmp_path))
    assert sum(trial.state.name == "COMPLETE" for trial in trials(tmp_path)) > 0
    lines = ended.err.splitlines()
    assert len(lines) == len(failed), ended.err
    assert all(line.startswith("error: optimizer.lr=1e+3") and "training diverged" in line for line in lines)


@pytest.mark.slow
def test_a_search_in_which_nothing_succeeded_says_so_without_a_traceback(apps: Apps, tmp_path: Path):
    command = (*SEARCH, "latent.z_dim=2,3", "optimizer.lr=1e30", "hydra.sweeper.n_trials=1")
    for _ in range(2):
        ended = apps("train", *command, cwd=tmp_path)
        assert ended.code == 1
        assert "Traceback" not in ended.err
        assert states(tmp_path) == ["FAIL"]  # it diverged: that counts, and is not tried again


@pytest.mark.slow
def test_a_search_ends_though_its_sampler_proposes_a_point_twice(apps: Apps, tmp_path: Path):
    command = (*SEARCH, "latent.z_dim=2,3", "optimizer.lr=1e-3", "trainer.max_steps=1", "hydra.sweeper.n_trials=3")
    command = (*command, "hydra.output_subdir=record")  # which nobody but Hydra asks about
    for _ in range(2):
        ended = apps("train", *command, cwd=tmp_path)
        assert (ended.code, ended.err) == (0, "")
        assert states(tmp_path) == ["COMPLETE"] * 3
        number = len(Run.all(tmp_path))
        words = f"{number} of {number} jobs were begun: all done. {3 - number} of 3 trials had a point that was tried"
        assert words in " ".join(ended.out.split())
    points = {trial.params["latent.z_dim"] for trial in trials(tmp_path)}
    assert len(Run.all(tmp_path)) == len(points) <= 2
