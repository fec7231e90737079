"""Kills, Ctrl-C and termination: what is left behind, and that a resumed run is the one that was never stopped."""

from __future__ import annotations

import re
import shlex
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from experiments.app import CONF
from experiments.errors import UserError
from experiments.names import register_resolvers
from experiments.resume import resumed_arguments, resumed_config
from experiments.run_directory import RunDirectory
from tests.experiments.command_line import Apps, Run

ODD = "a run, of=mine's"  # what has a meaning to the shell, to Hydra, or to both
QUOTED = "'a run, of=mine\\'s'"


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


def interrupted(apps: Apps, number: int, run: Run, *arguments: str, cwd: Path):
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
    assert "stopping at the next step" in ended.err
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


# What may change with a resume


@pytest.fixture
def copy(whole: Run, tmp_path: Path) -> Run:
    """The undisturbed run, to be changed."""
    return Run(shutil.copytree(whole.path, tmp_path / "copy"))


def snapshot(run: Run) -> dict[str, bytes]:
    """All files but Hydra's own, which it writes before it asks anybody."""
    files = [path for path in run.path.rglob("*") if path.is_file() and path.parent.name != ".hydra"]
    return {str(path.relative_to(run.path)): path.read_bytes() for path in files}


def test_a_longer_limit_goes_on_where_the_run_had_ended(apps, whole, copy):
    assert apps("train", "resume=copy", "trainer.max_steps=47", cwd=copy.path.parent).code == 0
    assert copy.metrics[: len(whole.metrics)] == whole.metrics
    assert [line["step"] for line in copy.metrics[len(whole.metrics) :]] == [45, 46, 47, 47]
    assert (copy.result["step"], copy.result["seed"]) == (47, 3)
    assert copy.checkpoint("last")["progress"]["step"] == 47


def test_what_would_change_the_results_is_refused_and_nothing_is_touched(apps, copy, tmp_path):
    before = snapshot(copy)
    ended = apps("train", "resume=copy", "trainer.max_steps=47", "latent.z_dim=6", cwd=tmp_path)
    assert ended.code == 1
    assert ended.err.startswith("error: latent.z_dim=6: a resumed run keeps its own config; only logger, ")
    assert "trainer.max_steps" in ended.err
    assert "copy/config.yaml" in ended.err
    assert snapshot(copy) == before


@pytest.fixture
def resumed(whole: Run, monkeypatch: pytest.MonkeyPatch) -> Callable[..., DictConfig]:
    """The config that the undisturbed run would go on with, under an override."""
    register_resolvers()

    def resumed(override: str) -> DictConfig:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = compose("train", ["resume=somewhere", override], return_hydra_config=True)
        monkeypatch.setattr(HydraConfig.instance(), "cfg", cfg)
        return resumed_config(RunDirectory.existing(whole.path), cfg)

    return resumed


@pytest.mark.parametrize(
    "override",
    [
        "seed=4",
        "data=speech",
        "data.seed=5",
        "optimizer=adam",
        "optimizer.lr=2e-3",
        "trainer=default",
        "trainer.batch_size=4",
        "experiment=mnist_rows",
        "+latent.more=1",
        "~schedule",
    ],
)
def test_whatever_else_would_is_refused_too(resumed, override):
    with pytest.raises(UserError, match=f"^{re.escape(override)}: a resumed run keeps its own config"):
        resumed(override)


@pytest.mark.parametrize(
    ("override", "value"),
    [
        ("trainer.patience=2", 2),
        ("++data.root=/new/place", "/new/place"),
        ("logger=wandb", "offline"),
        ("trainer.test=false", False),
    ],
)
def test_what_cannot_may_change_and_all_else_is_the_runs_own(resumed, whole, override, value):
    key = override.split("=")[0].lstrip("+")
    cfg, own = resumed(override), OmegaConf.load(whole.path / "config.yaml")
    assert OmegaConf.select(cfg, "logger.mode" if key == "logger" else key) == value
    OmegaConf.update(cfg, key, None, merge=False)
    OmegaConf.update(own, key, None, merge=False, force_add=True)
    assert {**cfg, "resume": None} == own


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["seed=3"], ["seed=3"]),
        (["resume=null", "seed=3"], ["resume=null", "seed=3"]),
        (["resume=run"], ["resume=run", "hydra.run.dir='run'"]),
        (["resume='run'"], ["resume='run'", "hydra.run.dir='run'"]),
        (["resume=nowhere", "resume=run"], ["resume=nowhere", "resume=run", "hydra.run.dir='run'"]),
        (["resume=12"], ["resume=12", "hydra.run.dir='12'"]),
        ([f"resume={QUOTED}"], [f"resume={QUOTED}", f"hydra.run.dir={QUOTED}"]),
        (["resume=run", "data.root=/new"], ["resume=run", "++data.root=/new", "hydra.run.dir='run'"]),
        (["resume=run,12"], ["resume=run,12"]),  # Hydra says that this is for multiruns
        (["resume='run"], ["resume='run"]),  # and that this is no value
    ],
)
def test_the_run_directory_becomes_hydras_own(tmp_path, monkeypatch, arguments, expected):
    monkeypatch.chdir(tmp_path)
    for name in ("run", "12", ODD):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").touch()
    assert resumed_arguments(arguments) == expected


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["resume=nowhere"], "nowhere: there is no such run directory"),
        (["resume='no, where'"], "no, where: there is no such run directory"),
        (["resume=empty"], "empty: this is not a run directory"),
        (["resume=run", "--multirun"], "resume=run: one run goes on at a time; leave out --multirun"),
        (["-m", "resume=run"], "resume=run: one run goes on at a time; leave out --multirun"),
    ],
)
def test_what_cannot_be_resumed_is_refused(tmp_path, monkeypatch, arguments, expected):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=f"^{expected}"):
        resumed_arguments(arguments)


def test_a_directory_to_resume_is_not_made(apps, tmp_path):
    ended = apps("train", "resume=nowhere", cwd=tmp_path)
    assert ended.code == 1
    assert ended.err.startswith("error: nowhere: there is no such run directory; ")
    assert list(tmp_path.iterdir()) == []


def test_a_run_without_a_checkpoint_starts_again(apps, copy, tmp_path):
    shutil.rmtree(copy.path / "checkpoints")
    ended = apps("train", "resume=copy", "trainer.max_steps=2", cwd=tmp_path)
    assert ended.code == 0
    assert "no checkpoint had been written yet" in ended.out
    assert [line["step"] for line in copy.metrics] == [1, 2, 2]
    assert (copy.result["status"], copy.result["step"]) == ("done", 2)
