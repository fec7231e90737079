"""Multiruns on the command line: where their jobs lie, who may run them, and what is told of those that fail."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from experiments.config.resolvers import register_resolvers
from experiments.disk.ownership import mark
from experiments.errors import UserError
from experiments.sweep.plan import SweepPlan
from tests.experiments.command_line import SMALL, WORDS, Apps, Run
from tests.experiments.sweep.prepared import prepare

BASE = ("latent=tiny", "optimizer.lr=1e-3", "seed=0,1")
TINY = ("--multirun", *WORDS, *SMALL, "trainer.max_steps=1", "hydra/launcher=basic")


def results(folder: Path) -> dict[str, tuple[int, bytes]]:
    """Every job's result.json: when it was written, and what is in it."""
    files = sorted(folder.glob("outputs/sweeps/*/*/result.json"))
    return {file.parent.name: (file.stat().st_mtime_ns, file.read_bytes()) for file in files}


# Before any job begins


@pytest.fixture(autouse=True)
def _resolvers() -> None:
    register_resolvers()


OWN = """# @package _global_
# An experiment that is a sweep.
hydra:
  mode: MULTIRUN
  sweeper:
    params:
      seed: 0,1
"""


def test_an_experiment_of_ones_own_may_be_a_sweep_and_its_jobs_are_repeated(apps: Apps, tmp_path):
    option = tmp_path / "mine" / "experiment" / "own.yaml"
    option.parent.mkdir(parents=True)
    option.write_text(OWN)
    small = (*WORDS, *SMALL, "trainer.max_steps=1", "hydra/launcher=basic")
    assert apps("train", "--config-dir", "mine", "experiment=own", *small, cwd=tmp_path).code == 0
    (sweep,) = tmp_path.glob("outputs/sweeps/own-*")
    assert SweepPlan.read(sweep).points == [{"seed": "0"}, {"seed": "1"}]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("multirun.max_parallel=0", "multirun.max_parallel=0: expected an integer of at least 1"),
        ("trainer.device=tpu", "trainer.device=tpu: device 'tpu' is not available"),
    ],
)
def test_a_wrong_setting_of_the_whole_is_told_before_anything_is_made(monkeypatch, tmp_path, word, expected):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=f"^{expected}"):
        prepare(*BASE, word)
    assert not list(tmp_path.iterdir())


# Jobs


@pytest.mark.parametrize("look", [("--cfg", "job"), ("--info", "defaults")])
def test_looking_at_a_sweep_takes_no_lock_and_makes_no_directory(apps: Apps, tmp_path, look):
    ended = apps("train", *look, "sweep=latent_grid", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert ended.out
    assert not list(tmp_path.iterdir())


def test_a_sweep_of_one_job_is_a_sweep(apps: Apps, tmp_path):
    ended = apps("train", *TINY, "seed=5", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert [run.result["status"] for run in Run.all(tmp_path)] == ["done"]
    assert "done already" in apps("train", *TINY, "seed=5", cwd=tmp_path).out


@pytest.mark.parametrize("word", ["latent=tiny,nosuch", "no.such.key=1,2", "latent=nosuch,tiny"])
def test_what_cannot_be_composed_refuses_the_whole_sweep(apps: Apps, tmp_path, word):
    ended = apps("train", *TINY, word, "seed=0,1", cwd=tmp_path)
    assert ended.code == 1
    assert "Traceback" not in ended.err
    assert word.split("=")[0] in ended.err
    assert not list(tmp_path.rglob("overrides.yaml"))
    assert not list(tmp_path.rglob("config.yaml"))
    assert not [path for path in tmp_path.glob("outputs/sweeps/*/*") if path.is_dir()]


def test_of_a_sweep_none_of_which_can_begin_only_its_own_files_go(apps: Apps, tmp_path):
    mine = tmp_path / "mine"
    mark(mine, "sweep")
    (mine / "notes.txt").touch()
    ended = apps("train", *TINY, "latent.z_dim=2,3", "data=handwriting,speech", "hydra.sweep.dir=mine", cwd=tmp_path)
    assert ended.code == 1
    assert len(ended.err.splitlines()) == 1
    assert ended.err.startswith("error: data=speech latent.z_dim=2: this job does not compose, so none was begun: ")
    assert sorted(path.name for path in mine.iterdir()) == [".vrnn.json", "notes.txt"]


def test_a_folder_of_ones_own_options_makes_no_difference(apps: Apps, tmp_path):
    """Two sweeps with --config-dir do not share a directory, and each can be gone on with."""
    option = tmp_path / "mine" / "latent" / "own.yaml"
    option.parent.mkdir(parents=True)
    shutil.copy(Path(__file__).parents[3] / "conf" / "latent" / "tiny.yaml", option)
    command = ("--config-dir", str(tmp_path / "mine"), *TINY)
    for size in ("2,3", "2,4"):
        assert apps("train", *command, "latent=own", f"latent.z_dim={size}", cwd=tmp_path).code == 0
    plans = [SweepPlan.read(file.parent) for file in tmp_path.glob("outputs/sweeps/*/sweep.json")]
    found = sorted([point["latent.z_dim"] for point in plan.points] for plan in plans)
    assert found == [["2", "3"], ["2", "4"]]


@pytest.mark.slow
def test_failures_of_every_kind_are_told_once_and_keep_nobody_from_the_end(apps: Apps, tmp_path):
    """Settings that are found to be impossible, and a divergence."""
    swept = ("optimizer.lr=-1,1e30,1e-3,2e-3", "seed=99999999999999999999,0")
    command = (*TINY, "trainer.max_steps=2", *swept)
    ended = apps("train", *command, cwd=tmp_path)
    (directory,) = tmp_path.glob("outputs/sweeps/*")
    jobs = SweepPlan.read(directory).jobs()
    assert {found.job.run.path for found in jobs} == {path.parent for path in directory.glob("*/.vrnn.json")}
    failed = [found for found in jobs if found.job.state == "failed"]
    assert [found.words for found in jobs if found.job.state == "done"] == [
        "optimizer.lr=0.001 seed=0",
        "optimizer.lr=0.002 seed=0",
    ]
    assert {found.job.result["error"]["kind"] for found in failed} == {"UserError", "Diverged"}
    assert ended.code == len(failed) == 6
    lines = ended.err.splitlines()
    assert len(lines) == len(failed)
    for found in failed:
        (line,) = [line for line in lines if line.startswith(f"error: {found.words}: ")]
        assert found.job.result["error"]["message"] in line
        assert "traceback" not in line
        assert "traceback" not in found.job.result["error"]
    assert "6 of 8 jobs are not done; go on with: python -m experiments.train" in ended.out

    status = apps("status", f"dir={directory}", cwd=tmp_path)
    text = " ".join(status.out.split())
    assert (status.code, status.err) == (0, "")
    assert "6 failed, 2 done" in text
    assert all(f"{found.words}: failed: " in text for found in failed)

    # Failed jobs are left alone where that is asked for; without, they are tried again. What is done stays.
    before = results(tmp_path)
    left = apps("train", *command, "multirun.retry_failed=false", cwd=tmp_path)
    assert (left.code, left.err) == (6, "")
    assert results(tmp_path) == before

    # A result that was made with another config is shown so, put aside, and made anew.
    stale = next(found.job.run for found in jobs if found.job.state == "done")
    old = json.loads(stale.result_file.read_text()) | {"config_hash": "0123456789abcdef", "identity_rule": 2}
    stale.result_file.write_text(json.dumps(old))
    text = " ".join(apps("status", f"dir={directory}", cwd=tmp_path).out.split())
    assert "6 failed, 1 stale, 1 done" in text
    before = results(tmp_path)
    again = apps("train", *command, cwd=tmp_path)
    assert again.code == 6
    assert "8 jobs, 1 done already" in again.out
    assert sorted(again.err.splitlines()) == sorted(lines)
    after = results(tmp_path)
    done = {found.job.run.path.name for found in jobs if found.job.state == "done"} - {stale.path.name}
    assert {name for name in before if before[name] == after[name]} == done
    assert json.loads(after[stale.path.name][1])["status"] == "done"
    assert json.loads((stale.path / "former-0123456789abcdef" / "result.json").read_text()) == old


@pytest.mark.slow
def test_a_job_whose_config_cannot_be_resolved_is_a_failure_like_others(apps: Apps, tmp_path):
    ended = apps("train", *TINY, "optimizer.lr=1e-3,${nosuch}", cwd=tmp_path)
    assert ended.code == 1
    assert [run.result["status"] for run in Run.all(tmp_path)].count("done") == 1
    (directory,) = tmp_path.glob("outputs/sweeps/*")
    assert "1 failed, 1 done" in " ".join(apps("status", f"dir={directory}", cwd=tmp_path).out.split())
    assert len(ended.err.splitlines()) == 1
    assert "nosuch" in ended.err
