"""Which directories the suite knows as its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.disk.ownership import LOCK, MARK, claim, is_own, mark
from experiments.errors import UserError
from experiments.sweep.plan import SweepPlan
from tests.faults.trees import OLD, SWEEPS, tree


@pytest.mark.parametrize(
    ("directory", "kind"),
    [
        *((path, "run") for path in OLD.iterdir() if path.name != "outputs"),
        *((path.parent, "run") for path in OLD.glob("outputs/*/*/*/result.json")),
        *((path, "sweep") for path in SWEEPS.iterdir()),
        *((path, "comparison") for path in (OLD / "outputs" / "comparisons").iterdir()),
    ],
)
def test_directories_of_earlier_versions_are_known(directory, kind):
    assert is_own(directory, kind)
    claim(directory, kind, "give another")


REPORTS = ("comparison.csv", "comparison.md", "sweep.html", "study.db", "figures/bounds.png")


def another_project(folder: Path) -> None:
    (folder / "checkpoints").mkdir()
    (folder / "config.yaml").write_text("model: {}\ndata: {}\ntrainer: {}\nseed: 0\n")


def plan_of_another(folder: Path) -> None:
    (folder / "sweep.json").write_text('{"command": "other"}')


def runs_beside_others(folder: Path) -> None:
    shutil.copytree(OLD / "finished", folder / "run")
    (folder / "sweep.md").write_text("mine")
    (folder / "thesis.tex").write_text("mine")


def runs_beside(name: str) -> Callable[[Path], None]:
    """Runs in a folder in which a person keeps a file that a report would have the name of."""

    def make(folder: Path) -> None:
        shutil.copytree(OLD / "finished", folder / "run")
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text("mine")

    return make


STRANGERS: dict[str, Callable[[Path], None]] = {
    **{f"runs beside a {name} of one's own": runs_beside(name) for name in REPORTS},
    "another project's run": another_project,
    "another program's sweep.json": plan_of_another,
    "runs beside other files": runs_beside_others,
    "a result": lambda folder: (folder / "result.json").write_text('{"status": "done"}'),
    "a mark": lambda folder: (folder / MARK).write_text("[]"),
    "a hidden file": lambda folder: (folder / ".gitignore").touch(),
}


@pytest.mark.parametrize("kind", ["run", "sweep", "comparison", "samples", "benchmark", None])
@pytest.mark.parametrize("stranger", STRANGERS)
def test_what_looks_alike_is_not_taken_for_the_suites_own(tmp_path, stranger, kind):
    STRANGERS[stranger](tmp_path)
    before = tree(tmp_path)
    with pytest.raises(UserError, match="which this suite has not written there; nothing was changed; give another"):
        claim(tmp_path, kind, "give another")
    assert tree(tmp_path) == before


def test_an_empty_folder_is_free_and_one_of_another_kind_is_not(tmp_path):
    for name in (LOCK, ".DS_Store"):
        (tmp_path / name).touch()
    claim(tmp_path, "run", "give another")
    mark(tmp_path, "sweep")
    with pytest.raises(UserError, match="holds a sweep of this suite; nothing was changed; give another"):
        claim(tmp_path, "run", "give another")


@pytest.mark.parametrize("version", [2, "1", None])
def test_what_a_newer_version_has_made_is_left_to_it(tmp_path, version):
    (tmp_path / MARK).write_text(json.dumps({"format": version, "kind": "run"}))
    with pytest.raises(UserError, match=r"\.vrnn\.json: was written by another version of this suite"):
        claim(tmp_path, "run", "give another")


@pytest.mark.parametrize("content", ['{"kind": "run"', "[]", '{"kind": []}', '{"kind": "thesis"}', "\\x00"])
def test_a_mark_that_is_none_is_no_mark(tmp_path, content):
    (tmp_path / MARK).write_text(content)
    with pytest.raises(UserError, match="which this suite has not written there"):
        claim(tmp_path, "run", "give another")


@pytest.mark.parametrize("overrides", [None, 5, "seed=1", {"seed": 1}, [["seed=1"]], [None]])
def test_a_mark_with_odd_content_gives_no_jobs(tmp_path, overrides):
    plan = SweepPlan(tmp_path, "", [], ["seed"], [], 2)
    mark(tmp_path / plan.name({"seed": "1"}), "run", overrides=overrides)
    assert plan.jobs() == []


def test_a_folder_in_which_a_start_was_killed_at_once_is_free(tmp_path):
    (tmp_path / f"{MARK}.tmp").touch()
    claim(tmp_path, "run", "give another")
