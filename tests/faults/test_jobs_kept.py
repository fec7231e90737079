"""The jobs of a sweep are found by what the suite writes itself, and what a person has made of one is kept."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from experiments.config.identity import config_hash
from experiments.disk.ownership import mark, read_mark
from experiments.run.directory import RunDirectory
from experiments.run.state import read_job
from experiments.sweep.plan import SweepPlan
from tests.experiments.command_line import Run
from tests.faults.trees import OLD, SWEEPS, resolvers, tree

pytestmark = pytest.mark.usefixtures("resolvers")
__all__ = ["resolvers"]


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


def test_a_job_with_a_damaged_config_keeps_nobody_from_looking(tmp_path):
    (old,) = SWEEPS.glob("train-*")
    sweep = Path(shutil.copytree(old, tmp_path / "sweep"))
    job = sorted(sweep.glob("z-dim-*"))[0]
    (job / "result.json").unlink()
    (job / "config.yaml").write_text("a: [")
    jobs = [found.job for found in SweepPlan.read(sweep).jobs()]
    assert [(job.state, job.may_be_of_another_config) for job in jobs] == [("interrupted", False), ("done", True)]


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
