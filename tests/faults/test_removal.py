"""What is taken away and moved: files of names that the suite writes itself, and nothing else."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
from pathlib import Path

import pytest

from experiments.disk.files import write_whole
from experiments.disk.ownership import LOCK, MARK, MEASURED_LATER, claim, mark
from experiments.disk.removal import clear, discard, drop_unfinished, put_aside
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.run.state import read_job
from tests.experiments.command_line import Run
from tests.faults.trees import thesis, tree

__all__ = ["thesis"]


@pytest.fixture
def mixed(copy: Run, tmp_path: Path) -> tuple[Path, dict[str, str]]:
    """A run's directory with files of its user's and links, and what of it is nobody's business."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    shutil.move(copy.path / "figures", elsewhere / "figures")
    (copy.path / "figures").symlink_to(elsewhere / "figures")
    shutil.move(copy.path / "checkpoints" / "last.pt", elsewhere / "last.pt")
    (copy.path / "checkpoints" / "last.pt").symlink_to(elsewhere / "last.pt")
    for name in ("notes.md", "checkpoints/mine.pt", "evaluations/mine.txt", "samples/mine.png", "result.json.old"):
        (copy.path / name).parent.mkdir(exist_ok=True)
        (copy.path / name).write_text("mine")
    own = {f"copy/{name}" for name in ("checkpoints/best.pt", "metrics.jsonl", "test_sequences.npz")}
    own |= {f"copy/{name}" for name in ("overrides.yaml", "result.json", "config.yaml", "data.json")}
    before = tree(tmp_path)
    assert own <= set(before)
    return copy.path, {name: content for name, content in before.items() if name not in own}


def test_a_run_that_begins_anew_loses_what_the_suite_wrote_and_nothing_else(mixed, tmp_path):
    directory, others = mixed
    clear(directory)
    assert tree(tmp_path) == others


def test_what_is_put_aside_never_takes_the_place_of_anything(mixed, tmp_path):
    directory, others = mixed
    result = (directory / "result.json").read_bytes()
    for number in range(3):
        place = put_aside(directory, "former-1")
        assert place.name == ("former-1" if number == 0 else f"former-1-{number + 1}")
        assert (place / "result.json").read_bytes() == result
        shutil.copytree(place, directory, dirs_exist_ok=True)
    clear(directory)
    found = tree(tmp_path)
    assert {name: content for name, content in found.items() if "/former-1" not in name} == others
    assert sum(name.endswith("checkpoints/best.pt") for name in found) == 3


@pytest.mark.parametrize("last", range(1, 8))
def test_what_is_put_aside_is_whole_though_a_kill_comes_between(monkeypatch, copy, last):
    """All of it lies in one folder after the next start, and the job is known as one of another config until then."""
    before = {name: content for name, content in tree(copy.path).items() if content != "folder" and name[0] != "."}
    rename, moved = Path.rename, []

    def killed(path: Path, target: Path) -> Path:
        moved.append(path)
        if len(moved) == last:
            raise KeyboardInterrupt
        return rename(path, target)

    with monkeypatch.context() as patch:
        patch.setattr(Path, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            put_aside(copy.path, "former-1")
    assert read_job(RunDirectory(copy.path), "another").state == "stale"
    place = put_aside(copy.path, "former-1")
    assert tree(place).items() >= before.items()
    assert not {path.name for path in copy.path.iterdir()} - {"former-1", LOCK, MARK}


@pytest.mark.parametrize("before", [None, {MARK, "sweep.json", "study.db", LOCK}, {"study.db", "notes.txt"}])
def test_a_multirun_that_never_began_takes_away_what_it_made(tmp_path, before):
    directory = tmp_path / "sweep"
    mark(directory, "sweep")
    names = {MARK, "sweep.json", "study.db", "multirun.yaml", LOCK, ".stop", *(before or ())}
    for name in names - {MARK}:
        (directory / name).write_text("")
    discard(directory, before)
    assert {path.name for path in directory.glob("*")} == (before or set())
    assert directory.exists() == (before is not None)


def test_nothing_is_taken_away_where_any_job_was_begun(tmp_path):
    mark(tmp_path / "sweep", "sweep")
    mark(tmp_path / "sweep" / "job", "run")
    (tmp_path / "sweep" / "study.db").touch()
    before = tree(tmp_path)
    discard(tmp_path / "sweep", None)
    assert tree(tmp_path) == before


@pytest.mark.parametrize("name", ["figures", "checkpoints/last.pt", "metrics.jsonl", "evaluations", LOCK, MARK])
def test_nothing_is_written_through_a_link(copy, tmp_path, name):
    (tmp_path / "elsewhere").mkdir()
    path = copy.path / name
    if path.exists():
        shutil.move(path, tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere" / path.name)
    with pytest.raises(UserError, match=f"copy/{name}: this is a link, and what it leads to would be overwritten"):
        claim(copy.path, "run", "give another")
    later = name in ("evaluations", LOCK, MARK)  # what an evaluation may write
    with pytest.raises(UserError) if later else contextlib.nullcontext():
        claim(copy.path, "run", "give another", written=MEASURED_LATER)


@pytest.mark.parametrize("in_the_way", [Path.touch, lambda path: path.symlink_to("thesis.tex")])
def test_a_file_that_is_written_whole_leaves_a_users_file_beside_it(thesis, in_the_way):
    in_the_way(thesis / "result.json.tmp")
    before = tree(thesis)
    write_whole(thesis / "result.json", "{}")
    assert tree(thesis) == before | {"result.json": hashlib.sha256(b"{}").hexdigest()}


def test_what_a_kill_has_left_half_written_goes_and_nothing_like_it(copy):
    before = tree(copy.path)
    for name in ("result.json.tmp", "config.yaml.1.tmp", f"{MARK}.tmp", "evaluations/iwae-40.json.tmp"):
        (copy.path / name).parent.mkdir(exist_ok=True)
        (copy.path / name).touch()
    (copy.path / "mine.json.tmp").touch()
    drop_unfinished(copy.path, "run")
    found = tree(copy.path)
    assert found.keys() - before.keys() == {"mine.json.tmp", "evaluations"}
