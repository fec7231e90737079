"""run_from: a new run of what another one computed, under what is typed."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra.types import RunMode

from experiments.config.resolvers import register_resolvers
from experiments.errors import UserError
from experiments.run.repeat import repeated_arguments
from tests.conf import raw
from tests.experiments.command_line import SMALL, WORDS, Apps, Run
from tests.experiments.sweep.prepared import composed_run, prepare

MINE = (*WORDS, *SMALL, "latent.z_dim=5", "optimizer.lr=2e-3", "trainer.max_steps=2")


@pytest.fixture(scope="module")
def home(apps: Apps, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a run, to be looked at and repeated only."""
    folder = tmp_path_factory.mktemp("repeat")
    ended = apps("train", *MINE, "hydra.run.dir=run", cwd=folder)
    assert ended.code == 0, ended.err
    return folder


@pytest.fixture(autouse=True)
def _resolvers() -> None:
    register_resolvers()


def fake(folder: Path, run: Path, *overrides: str) -> str:
    """A run's directory with these overrides, and another's config."""
    folder.mkdir()
    (folder / "config.yaml").write_text((run / "config.yaml").read_text())
    (folder / "overrides.yaml").write_text("".join(f"- {text}\n" for text in overrides))
    return f"run_from={folder}"


@pytest.mark.slow
def test_a_repeated_run_is_the_same_and_what_is_typed_wins(apps: Apps, home: Path):
    assert apps("train", "run_from=run", "hydra.run.dir=same", cwd=home).code == 0
    run, same = Run(home / "run"), Run(home / "same")
    for key in ("status", "config_hash", "figures", "step"):
        assert same.result[key] == run.result[key], key
    assert same.metrics == run.metrics

    # The repetition of a repetition, resumed in between with a longer training, which is the config that it has now.
    assert apps("train", "resume=same", "trainer.max_steps=3", cwd=home).code == 0
    assert same.result["config_hash"] != run.result["config_hash"]
    typed = ("seed=4", "latent=small", "latent.z_dim=7")
    assert apps("train", *typed, "run_from=same", "hydra.run.dir=other", cwd=home).code == 0
    other = Run(home / "other")
    assert (other.result["step"], other.result["seed"]) == (3, 4)
    assert other.checkpoint("best")["model"]["phi_z.0.weight"].shape == (raw("latent", "small")["width"], 7)
    text = (other.path / "config.yaml").read_text()
    assert "lr: 0.002" in text
    assert "z_dim: 7" in text


def test_a_group_that_is_typed_takes_the_place_of_the_former_one(home: Path, monkeypatch):
    monkeypatch.chdir(home)
    found = repeated_arguments(["run_from=run", "latent=small", "++optimizer.lr=1e-4"])
    assert found[-3:] == ["run_from=run", "latent=small", "++optimizer.lr=1e-4"]
    assert [word for word in found if word.startswith("latent=")] == ["latent=small"]
    assert [word for word in found if "optimizer.lr" in word] == ["++optimizer.lr=1e-4"]
    assert set(MINE) - {"latent=tiny", "optimizer.lr=2e-3"} <= set(found)
    assert repeated_arguments(["seed=1"]) == ["seed=1"]


def test_of_a_sweeps_job_one_run_is_made(apps: Apps, home: Path, tmp_path: Path):
    small = ("likelihood=bivariate_gmm", "figures=strokes", "trainer.max_steps=1", "hydra/launcher=basic")
    swept = ("latent.z_dim=2,3", "latent.h_dim=16", "seed=0")
    ended = apps("train", "sweep=latent_grid", *WORDS, *SMALL, *small, *swept, cwd=tmp_path)
    assert ended.code == 0, ended.err
    job = Run.all(tmp_path)[1]
    again = apps("train", f"run_from={job.path.relative_to(tmp_path)}", "hydra.run.dir=one", cwd=tmp_path)
    assert (again.code, again.err) == (0, "")
    assert "note" not in again.out
    one = Run(tmp_path / "one")
    assert len(Run.all(tmp_path)) == 3
    assert (one.result["config_hash"], one.result["figures"]) == (job.result["config_hash"], job.result["figures"])


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("run_from=nowhere", "nowhere: there is no such run directory"),
        ("run_from=.", ".: this is not a run directory (it has no config.yaml)"),
    ],
)
def test_no_run_is_one_clear_message(apps: Apps, tmp_path: Path, word: str, expected: str):
    ended = apps("train", word, cwd=tmp_path)
    assert ended.code == 1
    assert ended.err.startswith(f"error: {expected}")
    assert len(ended.err.splitlines()) == 1
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("arguments", [["--multirun", "run_from=run,run"], ["++run_from=run"]])
def test_it_is_never_passed_over_in_silence(home: Path, monkeypatch, arguments: list[str]):
    """Otherwise the suite's own defaults would be trained under that name."""
    monkeypatch.chdir(home)
    refused = None
    try:
        found = repeated_arguments(arguments)
    except UserError as error:
        refused = str(error)
    assert "run_from" in refused if refused else "latent.z_dim=5" in found


def test_overrides_that_do_not_compose_any_more_are_told(home: Path, tmp_path: Path):
    for number, bad in enumerate(("latent=gone", "model.gone=3", "latent=(")):
        word = fake(tmp_path / str(number), home / "run", *WORDS, f"'{bad}'")
        with pytest.raises(
            UserError, match=r"its overrides do not compose any more |Error parsing override 'latent=\('"
        ):
            repeated_arguments([word])


def test_defaults_that_have_changed_are_told_and_others_are_not(home: Path, tmp_path: Path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    word = fake(tmp_path / "copy", home / "run", *MINE)
    repeated_arguments([word])
    assert capfd.readouterr().out == ""
    config = tmp_path / "copy" / "config.yaml"
    config.write_text(config.read_text().replace("batch_size: 8", "batch_size: 7", 1))
    repeated_arguments([word])
    told = " ".join(capfd.readouterr().out.split())
    assert told.startswith("note the suite's own settings have changed since copy was made: ")
    assert told.endswith(": trainer.batch_size 7 -> 8")


def test_what_says_how_the_other_was_started_is_not_repeated(home: Path, tmp_path: Path):
    own = ("hydra/launcher=joblib", "hydra.mode=MULTIRUN", "multirun.fail_fast=true", "run_from=else", "resume=x")
    found = repeated_arguments([fake(tmp_path / "copy", home / "run", *MINE, *own), "seed=1"])
    assert found == [*MINE, f"run_from={tmp_path / 'copy'}", "seed=1"]


@pytest.mark.parametrize(("words", "own"), [((), "hydra.mode=RUN"), (("--multirun", "seed=1,2"), "hydra/sweeper=grid")])
def test_of_a_searchs_job_one_run_is_made_or_several_seeds(home: Path, tmp_path: Path, monkeypatch, words, own):
    monkeypatch.chdir(tmp_path)
    point = ("sweep=search", "optimizer.lr=1e-3", "latent.z_dim=4", "latent.h_dim=16", "objective.beta.start=0.5")
    point += ("objective.beta.steps=64", "trainer.batch_size=16")
    typed = [*words, fake(tmp_path / "copy", home / "run", *point)]
    found = repeated_arguments(typed)
    assert own in found
    if words:
        work = prepare(*(word for word in found if word != "--multirun"))
        work.lock.close()
        assert work.plan.points == [{"seed": "1"}, {"seed": "2"}]
    else:
        assert composed_run(*found).hydra.mode == RunMode.RUN
