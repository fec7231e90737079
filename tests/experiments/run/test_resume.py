"""What may change when a run goes on, and what is refused."""

from __future__ import annotations

import re
import shutil
import signal
from collections.abc import Callable

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from experiments.cli.app import CONF
from experiments.config.resolvers import register_resolvers
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.run.resume import resumed_arguments, resumed_config
from tests.experiments.command_line import ODD, QUOTED, Run


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


def test_a_finished_result_stays_until_the_longer_training_is_done(apps, copy):
    before, lines = copy.result, len(copy.metrics)
    call = apps.start("train", "resume=copy", "trainer.max_steps=4000", cwd=copy.path.parent)
    copy.wait_for_lines(lines + 3, call)
    call.kill(signal.SIGINT)
    ended = call.ended()
    assert ended.code == 130, ended.err
    assert "the result of the shorter training stays until then" in ended.out
    assert copy.result == before
    reached = copy.checkpoint("last")["progress"]["step"]
    assert 44 < reached < 4000

    assert apps("train", "resume=copy", f"trainer.max_steps={reached + 1}", cwd=copy.path.parent).code == 0
    assert (copy.result["status"], copy.result["step"]) == ("done", reached + 1)


def test_what_would_change_the_results_is_refused_and_nothing_is_touched(apps, copy, tmp_path):
    before = snapshot(copy)
    ended = apps("train", "resume=copy", "trainer.max_steps=47", "latent.z_dim=6", cwd=tmp_path)
    assert ended.code == 1
    assert ended.err.startswith("error: latent.z_dim=6: a resumed run keeps its own config; only data.root, ")
    assert "trainer.max_steps" in ended.err
    assert "copy/config.yaml" in ended.err
    assert snapshot(copy) == before


@pytest.fixture
def resumed(whole: Run) -> Callable[..., DictConfig]:
    """The config that the undisturbed run would go on with, under an override."""
    register_resolvers()

    def resumed(override: str) -> DictConfig:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            cfg = compose("train", ["resume=somewhere", override], return_hydra_config=True)
        return resumed_config(RunDirectory.existing(whole.path), cfg, ["resume=somewhere", override])

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
        (["resume=run", "data.max_memory_gb=1"], ["resume=run", "++data.max_memory_gb=1", "hydra.run.dir='run'"]),
        (["resume=run", "data.verify=false"], ["resume=run", "++data.verify=false", "hydra.run.dir='run'"]),
        (["resume='run"], ["resume='run"]),  # Hydra says that this is no value
    ],
)
def test_the_run_directory_becomes_hydras_own(tmp_path, monkeypatch, arguments, expected):
    monkeypatch.chdir(tmp_path)
    for name in ("run", "12", ODD):
        (tmp_path / name).mkdir()
        (tmp_path / name / "config.yaml").touch()
    assert resumed_arguments(arguments) == expected


@pytest.mark.parametrize("flags", [[], ["--multirun"]])
def test_several_runs_are_not_resumed_at_once(flags):
    with pytest.raises(UserError, match=r"^resume=run,12: expected one run directory$"):
        resumed_arguments([*flags, "resume=run,12"])


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
