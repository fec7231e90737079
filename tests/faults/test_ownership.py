"""A start in a folder that is not the suite's own is refused, and changes nothing there."""

from __future__ import annotations

import shutil

import pytest

from experiments.disk.ownership import mark
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.run.starts import START, claim_run, require_room
from experiments.run.state import Job
from experiments.sweep.job import put_previous_aside
from experiments.sweep.plan import SweepPlan
from tests.experiments.command_line import SMALL, WORDS, Run
from tests.experiments.sweep.prepared import composed_run, prepare
from tests.faults.trees import resolvers, thesis, tree

pytestmark = pytest.mark.usefixtures("resolvers")
__all__ = ["resolvers", "thesis"]

MULTIRUN = ("latent=tiny", "seed=0")
HOLDS = "holds notes, thesis.tex, which this suite has not written there; nothing was changed; give another"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ([*MULTIRUN, "hydra.sweep.dir=.", "hydra.sweep.subdir=."], f".: {HOLDS} hydra.sweep.dir"),
        ([*MULTIRUN, "hydra.sweep.dir=.", "hydra.sweep.subdir=${hydra.job.num}"], f".: {HOLDS} hydra.sweep.dir"),
        ([*MULTIRUN, "hydra.sweep.dir=.", "hydra.sweep.subdir=${job_name:seed}"], f".: {HOLDS} hydra.sweep.dir"),
        ([*MULTIRUN, "hydra.sweep.dir=."], f".: {HOLDS} hydra.sweep.dir"),
        ([*MULTIRUN, "hydra.sweep.dir=.", "hydra.output_subdir=record"], f".: {HOLDS} hydra.sweep.dir"),
        (["sweep=search", "hydra.sweep.dir=."], f".: {HOLDS} hydra.sweep.dir"),
        (["sweep=search", "hydra.sweep.dir=.", "hydra.sweep.subdir=${seed}"], f".: {HOLDS} hydra.sweep.dir"),
        (["hydra.run.dir=."], f".: {HOLDS} hydra.run.dir"),
        (["hydra.run.dir=.", "hydra.output_subdir=.hydra"], f".: {HOLDS} hydra.run.dir"),
        (["hydra.run.dir=notes"], "notes: holds a.txt, which this suite has not written there"),
        (["hydra.run.dir=thesis.tex"], "thesis.tex: this is a file, and a folder is expected"),
    ],
)
def test_a_start_in_a_users_folder_is_refused_before_anything_is_written(monkeypatch, thesis, words, expected):
    monkeypatch.chdir(thesis)
    before = tree(thesis)
    with pytest.raises(UserError) as caught:
        claim_run(composed_run(*words)) if words[0].startswith("hydra.run.dir") else prepare(*words)
    assert str(caught.value).startswith(expected)
    assert tree(thesis) == before


@pytest.mark.parametrize(
    "words",
    [
        ("--multirun", *WORDS, *SMALL, "seed=0", "hydra.sweep.dir=.", "hydra.sweep.subdir=."),
        (*WORDS, *SMALL, "hydra.run.dir=."),
    ],
)
def test_the_command_says_so_and_ends_with_an_error(apps, thesis, words):
    before = tree(thesis)
    ended = apps("train", *words, cwd=thesis)
    assert (ended.code, ended.out) == (1, "")
    assert ended.err.startswith(f"error: .: {HOLDS}")
    assert len(ended.err.splitlines()) == 1
    assert tree(thesis) == before


@pytest.mark.parametrize("given", [[], ["hydra.sweep.dir=mine"]])
def test_a_folder_in_the_place_of_a_job_is_left_alone(monkeypatch, tmp_path, given):
    monkeypatch.chdir(tmp_path)
    directory = tmp_path / (given[0].partition("=")[2] if given else "outputs/sweeps/train")
    mark(directory, "sweep")
    (directory / "1").mkdir()
    (directory / "1" / "a.txt").write_text("a thought")
    before = tree(tmp_path)
    with pytest.raises(UserError, match=r"/1: holds a.txt, which this suite has not written there"):
        prepare("seed=0,1", "hydra.sweep.subdir=${hydra.job.num}", *given)
    assert tree(tmp_path) == before
    name = SweepPlan(directory, "", [], ["seed"], [], None).name({"seed": "1"})
    (directory / "1").rename(directory / name)
    before = tree(tmp_path)
    with pytest.raises(UserError, match=f"{name}: holds a.txt, which this suite has not written there"):
        prepare("seed=0,1", f"hydra.sweep.dir={directory.relative_to(tmp_path)}")
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    "words",
    [
        ["seed=0,1", "hydra.sweep.subdir=."],
        ["seed=0,1", "hydra.sweep.dir=empty", "hydra.sweep.subdir=same"],
        ["seed=0", "latent.z_dim=2,3", "hydra.sweep.subdir=${seed}"],
        ["seed=0,1", "hydra.sweep.subdir=${hydra.job.name}"],
        ["sweep=search", "hydra.sweep.subdir=same"],
    ],
)
def test_jobs_of_a_multirun_do_not_share_a_directory(monkeypatch, tmp_path, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    before = tree(tmp_path)
    with pytest.raises(UserError, match=r"^hydra.sweep.subdir=.*: several jobs would share "):
        prepare(*words)
    assert tree(tmp_path) == before


def test_nor_where_that_is_found_out_late(monkeypatch, copy):
    """A search names its jobs as it goes."""
    run = RunDirectory(copy.path)
    monkeypatch.setenv(START, "this one")
    mark(run.path, "run", start="this one")
    before = tree(run.path)
    with pytest.raises(UserError, match="another job of this multirun works in this directory"):
        put_previous_aside(run, Job(run, "stale", run.read_result()))
    assert tree(run.path) == before


# A start where a run lies

STATES = {
    "finished": lambda run: None,
    "failed": lambda run: run.write_result(run.read_result() | {"status": "failed"}),
    "interrupted": lambda run: run.write_result(run.read_result() | {"status": "interrupted"}),
    "interrupted, without a result": lambda run: run.result_file.unlink(),
    "interrupted, without checkpoints": lambda run: (run.result_file.unlink(), shutil.rmtree(run.checkpoints)),
}


@pytest.mark.parametrize("state", STATES)
def test_a_run_is_not_replaced_by_another_in_its_directory(copy, state):
    run = RunDirectory(copy.path)
    STATES[state](run)
    before = tree(run.path)
    with pytest.raises(UserError) as caught:
        require_room(run)
    held = f"{run.path}: holds {'a' if state in ('finished', 'failed') else 'an'} {state.partition(',')[0]} run"
    assert str(caught.value).startswith(
        f"{held}, which is not replaced; give another hydra.run.dir, or go on with it: "
    )
    assert str(caught.value).endswith(f"experiments.train resume={run.path}")
    assert tree(run.path) == before


@pytest.mark.parametrize("more", [[], ["hydra.output_subdir=.hydra", "hydra/job_logging=default"]])
def test_a_start_in_a_finished_runs_directory_changes_nothing(apps, copy, tmp_path, more):
    before = tree(tmp_path)
    ended = apps("train", *WORDS, *SMALL, "hydra.run.dir=copy", *more, cwd=tmp_path)
    assert ended.code == 1
    assert ended.err.startswith("error: copy: holds a finished run, which is not replaced")
    assert tree(tmp_path) == before


def test_after_a_refused_start_the_directory_is_free(apps, tmp_path):
    words = (*WORDS, *SMALL, "trainer.max_steps=1", "hydra.run.dir=one")
    assert apps("train", *words, "latent.z_dim=0", cwd=tmp_path).code == 1
    assert not (tmp_path / "one").exists()
    assert apps("train", *words, cwd=tmp_path).code == 0
    assert Run(tmp_path / "one").result["status"] == "done"


def test_a_refused_resume_keeps_what_the_run_has_come_to(apps, copy, tmp_path):
    RunDirectory(copy.path).write_result(copy.result | {"status": "interrupted"})
    mark(copy.path, "run")
    before = tree(tmp_path)
    ended = apps("train", "resume=copy", "trainer.log_every=0", cwd=tmp_path)
    assert (ended.code, ended.err[:25]) == (1, "error: trainer.log_every=")
    assert tree(tmp_path) == before
