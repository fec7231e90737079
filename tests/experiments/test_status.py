"""How a sweep stands, from what lies there: states, fractions, counts; at any width and height."""

from __future__ import annotations

import io
import json
from collections import Counter
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from experiments.disk.locks import locked
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.sweep.overview import JobProgress, overview
from experiments.sweep.plan import SweepPlan
from tests.experiments.command_line import SMALL, WORDS, Apps
from tests.faults.trees import OLD

STATES = ("running", "done", "failed", "waiting", "interrupted")
BOUND = "valid/log_likelihood"


def made(plan: SweepPlan, seed: int, state: str) -> None:
    """A job in this state, its metrics being those of two of four epochs."""
    run = RunDirectory(plan.directory / plan.name({"seed": str(seed)}))
    if state == "waiting":
        return
    run.path.mkdir()
    run.config_file.write_text((OLD / "finished" / "config.yaml").read_text())
    for epoch, bound in enumerate((-90.0 - seed, -80.0 - seed, -85.0 - seed)[: 2 + seed % 2], start=1):
        run.metrics.write(
            {
                "step": 5 * epoch,
                "epoch": epoch,
                "total_steps": 20,
                "seconds": 10.0 * epoch,
                BOUND: bound,
                "kind": "lower_bound",
            }
        )
    about = {"config_hash": "x", "step": 10, "figures": {}}
    figure = {"value": -80.0 - seed, "kind": "lower_bound", "count": 5, "unit": "nats", "space": "raw"}
    if state == "done":
        run.write_result({**about, "status": "done", "figures": {BOUND: figure}, "stopped": "ended early"})
    if state == "failed":
        error = {"kind": "Diverged", "message": "the loss is nan"}
        run.write_result({**about, "status": "failed", "error": error})


@pytest.fixture
def plan(tmp_path: Path):
    """Ten jobs, two in each state; those that run are held by this process."""
    plan = SweepPlan(tmp_path, "go on", [], ["seed"], [{"seed": str(seed)} for seed in range(10)], None)
    plan.write()
    assert replace(SweepPlan.read(tmp_path), is_read=False) == plan
    with ExitStack() as locks:
        for seed in range(10):
            state = STATES[seed % 5]
            made(plan, seed, state)
            if state == "running":
                locks.enter_context(locked(tmp_path / plan.name({"seed": str(seed)})))
        yield plan


def printed(plan: SweepPlan, width: int, height: int | None = None) -> list[str]:
    file = io.StringIO()
    Console(file=file, width=width).print(overview(plan, plan.jobs(), height))
    return file.getvalue().splitlines()


def test_every_job_stands_as_its_directory_tells(plan: SweepPlan):
    found = [JobProgress(job) for job in plan.jobs()]
    assert [one.state for one in found] == [STATES[seed % 5] for seed in range(10)]
    for seed, one in enumerate(found):
        epochs = 2 + seed % 2
        assert one.fraction == {"done": 1.0, "waiting": 0.0}.get(one.state, epochs / 4) or one.state == "waiting"
        assert one.best == (None if one.state == "waiting" else -80.0 - seed)
        assert one.left == (pytest.approx(10.0 * (4 - epochs)) if one.state == "running" else None)
        assert one.remark == {"done": "ended early", "failed": "failed: Diverged: the loss is nan"}.get(one.state, "")
    hashes = {plan.name({"seed": "1"}): "another"}
    assert [job.job.state for job in plan.jobs(hashes)].count("stale") == 1


@pytest.mark.parametrize("width", [80, 200])
def test_the_counts_add_up_at_any_width(plan: SweepPlan, width: int):
    lines = printed(plan, width)
    text = " ".join(" ".join(lines).split())
    assert max(map(len, lines)) <= width
    assert "2 running, 2 failed, 2 interrupted, 2 done, 2 waiting" in text
    assert text.count("seed=2: failed: Diverged: the loss is nan") == 1
    assert text.count("seed=1: ended early") == 1
    assert "≥ -81.00" in text
    rows = [line.split() for line in lines if len(line.split()) > 1 and line.split()[1] in STATES]
    assert Counter(row[1] for row in rows) == {state: 2 for state in STATES}
    assert "left" in text


@pytest.mark.parametrize("height", [9, 12, 15])
def test_jobs_that_do_not_fit_are_counted(plan: SweepPlan, height: int):
    lines = printed(plan, 100, height)
    assert len(lines) <= height
    rows = [line for line in lines if len(line.split()) > 1 and line.split()[1] in STATES]
    more = sum(int(line.split()[1]) for line in lines if line.startswith("and "))
    assert len(rows) + more == 10
    assert len(rows) >= 3
    assert rows[0].split()[1] == "running"


def test_a_search_counts_no_trial_below_nothing(tmp_path: Path):
    """One that was shortened holds more trials than it asks for."""
    plan = SweepPlan(tmp_path, "go on", [], ["seed"], [], 1)
    for seed in (1, 6):
        made(plan, seed, "done")
        folder = plan.directory / plan.name({"seed": str(seed)})
        (folder / "overrides.yaml").write_text(f"- latent=tiny\n- seed={seed}\n")
    assert sorted(job.words for job in plan.jobs()) == ["seed=1", "seed=6"]
    text = " ".join(printed(plan, 100))
    assert "2 done" in text
    assert "waiting" not in text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("[]", "the file: Input should be a valid dictionary"),
        ("{", "this is not a whole JSON file"),
        ('{"format": 1, "keys": []}', "command: Field required"),
    ],
)
def test_what_is_no_plan_is_told(tmp_path: Path, content: str, expected: str):
    (tmp_path / "sweep.json").write_text(content)
    with pytest.raises(UserError, match=f"sweep.json: {expected}"):
        SweepPlan.read(tmp_path)


def test_what_was_read_once_is_read_again_once_it_changes(plan: SweepPlan):
    known: dict = {}
    plan.jobs(known=known)
    assert len(known) == 2
    name = plan.name({"seed": "1"})
    file = plan.directory / name / "result.json"
    result = json.loads(file.read_text())
    file.write_text(json.dumps(result | {"status": "failed", "error": None}))
    assert Counter(job.job.state for job in plan.jobs(known=known))["failed"] == 3
    file.unlink()
    assert Counter(job.job.state for job in plan.jobs(known=known))["interrupted"] == 3


# On the command line


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["dir=nowhere"], "dir=nowhere: there is no such directory"),
        (["dir=."], ".: this is not the directory of a sweep (it has no sweep.json)"),
        (["dir=.", "every=0"], "every=0: expected a positive number of seconds"),
        ([], "outputs/sweeps: there is no sweep yet"),
        (["watch=true"], "watch=true: of which sweep?"),
        (["report=true"], "report=true: of which sweep?"),
    ],
)
def test_mistakes_are_told(apps: Apps, tmp_path: Path, words: list[str], expected: str):
    ended = apps("status", *words, cwd=tmp_path)
    assert (ended.code, ended.err.startswith(f"error: {expected}")) == (1, True), ended.err
    assert not list(tmp_path.iterdir())


def test_it_shows_and_reports_a_sweep_and_leaves_it_alone(apps: Apps, tmp_path: Path):
    command = ("--multirun", *WORDS, *SMALL, "trainer.max_steps=1", "hydra/launcher=basic", "seed=0,1")
    assert apps("train", *command, cwd=tmp_path).code == 0
    (directory,) = tmp_path.glob("outputs/sweeps/*")
    lines = apps("status", cwd=tmp_path).out.splitlines()
    (line,) = [line.split() for line in lines if directory.name in line]
    assert line[1:5] == ["seed", "2", "2", "done"]
    for name in ("sweep.html", "sweep.md", "sweep.csv"):
        (directory / name).unlink()
    before = {path: path.stat().st_mtime_ns for path in directory.rglob("*") if path.is_file()}
    ended = apps("status", f"dir={directory}", "watch=true", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert "2 done" in ended.out
    assert "go on with" not in ended.out
    assert {path: path.stat().st_mtime_ns for path in directory.rglob("*") if path.is_file()} == before
    ended = apps("status", f"dir={directory}", "report=true", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert all((directory / name).stat().st_size > 100 for name in ("sweep.html", "sweep.md", "sweep.csv"))
    assert [path.name for path in tmp_path.iterdir()] == ["outputs"]
