"""Nothing is deleted, moved or overwritten that the suite cannot show to be its own."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from experiments.errors import UserError
from experiments.jobs import Job, put_former_aside, read_job
from experiments.names import register_resolvers
from experiments.ownership import LOCK, MARK, claim, is_own, mark, read_mark
from experiments.removal import clear, discard, drop_unfinished, put_aside
from experiments.run_directory import RunDirectory, config_hash, write_whole
from experiments.starts import START, require_room
from experiments.sweep_plan import SweepPlan
from experiments.sweeps import Sweep
from tests.experiments.command_line import SMALL, WORDS, Run

OLD = Path(__file__).parent / "old" / "format1"
SWEEPS = OLD / "outputs" / "sweeps"


def tree(folder: Path) -> dict[str, str]:
    """Everything below a folder: the hash of each file, the goal of each link."""

    def content(path: Path) -> str:
        if path.is_symlink():
            return f"-> {os.readlink(path)}"
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"

    return {str(path.relative_to(folder)): content(path) for path in sorted(folder.rglob("*"))}


@pytest.fixture(autouse=True)
def _resolvers() -> None:
    register_resolvers()


@pytest.fixture
def thesis(tmp_path: Path) -> Path:
    """A user's folder."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "notes" / "a.txt").write_text("a thought")
    return tmp_path


# A start in a folder of somebody else's

MULTIRUN = ("--multirun", "latent=tiny", "seed=0")
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
        Sweep().prepare(words)
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
        Sweep().prepare(["-m", "seed=0,1", "hydra.sweep.subdir=${hydra.job.num}", *given])
    assert tree(tmp_path) == before
    name = SweepPlan(directory, "", [], ["seed"], [], None).name({"seed": "1"})
    (directory / "1").rename(directory / name)
    before = tree(tmp_path)
    with pytest.raises(UserError, match=f"{name}: holds a.txt, which this suite has not written there"):
        Sweep().prepare(["-m", "seed=0,1", f"hydra.sweep.dir={directory.relative_to(tmp_path)}"])
    assert tree(tmp_path) == before


@pytest.mark.parametrize(
    "words",
    [
        ["-m", "seed=0,1", "hydra.sweep.subdir=."],
        ["-m", "seed=0,1", "hydra.sweep.dir=empty", "hydra.sweep.subdir=same"],
        ["-m", "seed=0", "latent.z_dim=2,3", "hydra.sweep.subdir=${seed}"],
        ["sweep=latent_grid", "hydra.sweep.subdir=${hydra.job.name}"],
        ["sweep=search", "hydra.sweep.subdir=same"],
    ],
)
def test_jobs_of_a_multirun_do_not_share_a_directory(monkeypatch, tmp_path, words):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    before = tree(tmp_path)
    with pytest.raises(UserError, match=r"^hydra.sweep.subdir=.*: several jobs would share "):
        Sweep().prepare(words)
    assert tree(tmp_path) == before


def test_nor_where_that_is_found_out_late(monkeypatch, copy):
    """A search names its jobs as it goes."""
    run = RunDirectory(copy.path)
    monkeypatch.setenv(START, "this one")
    mark(run.path, "run", start="this one")
    before = tree(run.path)
    with pytest.raises(UserError, match="another job of this multirun works in this directory"):
        put_former_aside(run, Job(run, "stale", run.read_result()))
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
    assert Run(tmp_path / "one").result["status"] == "failed"
    assert apps("train", *words, cwd=tmp_path).code == 0
    assert Run(tmp_path / "one").result["status"] == "done"


def test_a_refused_resume_keeps_what_the_run_has_come_to(apps, copy, tmp_path):
    RunDirectory(copy.path).write_result(copy.result | {"status": "interrupted"})
    mark(copy.path, "run")
    before = tree(tmp_path)
    ended = apps("train", "resume=copy", "trainer.log_every=0", cwd=tmp_path)
    assert (ended.code, ended.err[:25]) == (1, "error: trainer.log_every=")
    assert tree(tmp_path) == before


# What is taken away and moved


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


@pytest.mark.parametrize("in_the_way", [Path.touch, lambda path: path.symlink_to("thesis.tex")])
def test_a_file_that_is_written_whole_leaves_a_users_file_beside_it(thesis, in_the_way):
    in_the_way(thesis / "result.json.tmp")
    before = tree(thesis)
    write_whole(thesis / "result.json", "{}")
    assert tree(thesis) == before | {"result.json": hashlib.sha256(b"{}").hexdigest()}


# Which directories are the suite's own


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


def another_project(folder: Path) -> None:
    (folder / "checkpoints").mkdir()
    (folder / "config.yaml").write_text("model: {}\ndata: {}\ntrainer: {}\nseed: 0\n")


def plan_of_another(folder: Path) -> None:
    (folder / "sweep.json").write_text('{"command": "other"}')


def runs_beside_others(folder: Path) -> None:
    shutil.copytree(OLD / "finished", folder / "run")
    (folder / "sweep.md").write_text("mine")
    (folder / "thesis.tex").write_text("mine")


STRANGERS: dict[str, Callable[[Path], None]] = {
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


# The plan of a sweep


def test_the_jobs_of_a_search_are_found_without_hydras_record(tmp_path):
    (old,) = SWEEPS.glob("search-*")
    sweep = Path(shutil.copytree(old, tmp_path / "sweep"))
    for record in sweep.glob("*/.hydra"):
        shutil.rmtree(record)
    assert [found.job.state for found in SweepPlan.read(sweep).jobs()] == ["done", "done"]


def test_a_job_is_known_by_what_it_was_begun_with(tmp_path):
    """Though its overrides have changed since, as where it was resumed with another value of what the sweep varies."""
    plan = SweepPlan(tmp_path, "", [], ["trainer.max_steps"], [], 2)
    job = tmp_path / plan.name({"trainer.max_steps": "2"})
    mark(job, "run", overrides=["trainer.max_steps=2", "seed=0"])
    RunDirectory(job).write_overrides(["seed=0", "trainer.max_steps=9"])
    assert [found.settings for found in plan.jobs()] == [{"trainer.max_steps": "2"}]


# A job that a person has taken further


def test_a_job_that_was_resumed_further_stays_until_it_is_told_otherwise(apps, tmp_path):
    work = Path(shutil.copytree(OLD, tmp_path / "work"))
    (sweep,) = work.glob("outputs/sweeps/train-*")
    command = SweepPlan.read(sweep).command.split()[3:]
    job, other = sorted(sweep.glob("z-dim-*"))
    assert apps("train", f"resume={job.relative_to(work)}", "trainer.max_steps=6", cwd=work).code == 0
    before = tree(job)
    ended = apps("train", *command, cwd=work)
    assert (ended.code, ended.err) == (0, "")
    first = ended.out.splitlines()[0]
    assert first.startswith(f"kept        {job.relative_to(work)}: resume= has taken it further than this asks for")
    assert tree(job) == before
    (line,) = [line for line in (sweep / "sweep.md").read_text().splitlines() if "resumed further" in line]
    assert "to 6 updates: it is kept, and not counted beside those with less training" in line
    assert "2 jobs: 1 done, 1 resumed." in (sweep / "sweep.md").read_text()

    changed = read_mark(job)["config_hash"]
    assert read_job(RunDirectory(job), changed).state == "resumed"
    assert read_job(RunDirectory(job), "another").state == "stale"
    assert config_hash(RunDirectory(other).read_config()) != changed

    ended = apps("train", *command, "multirun.replace_resumed=true", cwd=work)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(f"put aside   {job.relative_to(work)}: ")
    assert Run(job).result["step"] == 4
    (former,) = job.glob("former-*")
    kept = {name: content for name, content in before.items() if not name.startswith(".") and content != "folder"}
    assert kept.items() <= tree(former).items()
    assert json.loads((former / "result.json").read_text())["step"] == 6


def test_what_a_kill_has_left_half_written_goes_and_nothing_like_it(copy):
    before = tree(copy.path)
    for name in ("result.json.tmp", "config.yaml.1.tmp", f"{MARK}.tmp", "evaluations/iwae-40.json.tmp"):
        (copy.path / name).parent.mkdir(exist_ok=True)
        (copy.path / name).touch()
    (copy.path / "mine.json.tmp").touch()
    drop_unfinished(copy.path, "run")
    found = tree(copy.path)
    assert found.keys() - before.keys() == {"mine.json.tmp", "evaluations"}


def test_a_folder_in_which_a_start_was_killed_at_once_is_free(tmp_path):
    (tmp_path / f"{MARK}.tmp").touch()
    claim(tmp_path, "run", "give another")
