"""The report of a sweep: what it counts, in which order, and what it says of what is not there."""

from __future__ import annotations

import csv
import itertools
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from experiments.report.rows import VALID
from experiments.report.sweep.report import Sweep
from experiments.run.state import Job
from experiments.sweep.plan import SweepJob, SweepPlan
from tests.experiments.report.comparison.test_write import Reader
from tests.experiments.report.conftest import COUNT, Runs

DIVERGED = "training diverged: the gradient norm is <inf> & more"
LR, Z, SEED = "optimizer.lr", "latent.z_dim", "seed"


def plan_of(folder: Path, jobs: Sequence[SweepJob], *, trials: int | None = None, command: str = "c") -> SweepPlan:
    keys = sorted({key for each in jobs for key in each.settings} or {LR})
    return SweepPlan(folder, command, ["latent=tiny"], keys, [each.settings for each in jobs], trials)


def flat(value: float) -> np.ndarray:
    """Bounds of all sequences, with a mean of `value`."""
    return value + np.linspace(-1.0, 1.0, COUNT)


def untested(job: Job) -> Job:
    """The job as a sweep leaves it: test was not measured."""
    figures = {name: figure for name, figure in job.result["figures"].items() if name.startswith("valid/")}
    return job._replace(result={**job.result, "figures": figures})


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def jobs(runs: Runs) -> list[SweepJob]:
    """Six configurations of two seeds, of which z_dim makes the difference, and one job in every other state."""
    found = []
    for z, lr, seed in itertools.product(("2", "8", "32"), ("1e-4", "1e-2"), ("0", "1")):
        value = {"2": -300.0, "8": -200.0, "32": -100.0}[z] + float(seed)
        more = {"stopped": "below the median of 4 others"} if (z, seed) == ("2", "1") else {}
        done = runs.done(flat(value), seed=int(seed), picture=(z, lr) == ("32", "1e-4"), **more)
        found.append(SweepJob({Z: z, LR: lr, SEED: seed}, untested(done)))
    others: list[Job] = [
        runs.failed(DIVERGED, kind="Diverged"),
        runs.interrupted(),
        runs.waiting(),
        runs.done(flat(0.0), seed=9)._replace(state="stale"),
    ]
    others.append(runs.interrupted()._replace(state="running"))
    return found + [SweepJob({Z: "64", LR: "1e-2", SEED: str(n)}, job) for n, job in enumerate(others)]


@pytest.fixture(scope="module")
def written(jobs: list[SweepJob], tmp_path_factory: pytest.TempPathFactory) -> Sweep:
    folder = tmp_path_factory.mktemp("sweep")
    plan = plan_of(folder, jobs, command="python -m x a='<b>' & c")
    sweep = Sweep(plan, jobs)
    sweep.write(folder, "A <title> & more", plan.command)
    return sweep


def test_configurations_are_ordered_by_their_mean_and_have_errors_over_seeds(jobs, tmp_path):
    found = Sweep(plan_of(tmp_path, jobs), jobs)
    means = [row.bound.value for row in found.rows]
    assert means == sorted(means, reverse=True)
    assert len(means) == 6
    assert found.rows[0].settings[Z] == "32"
    for row in found.rows:
        values = [job.result["figures"][VALID]["value"] for job in row.jobs]
        assert row.bound.value == pytest.approx(np.mean(values))
        assert row.bound.error == pytest.approx(np.std(values, ddof=1) / np.sqrt(2))
        assert row.bound.over == "seeds"


def test_the_best_is_the_best_seed_of_the_best_configuration(written, jobs):
    assert written.findings.best.settings == {Z: "32", LR: "1e-4", SEED: "1"}
    (bold,) = [line for line in written.files[1].read_text().splitlines() if "**≥" in line]
    assert "| **≥ -99.50 ± 0.50** |" in bold


def test_only_what_is_done_counts_and_all_else_is_named(jobs, tmp_path):
    found = Sweep(plan_of(tmp_path, jobs), jobs)
    assert all(job.state == "done" for job in found.counted)
    assert len(found.counted) == 12
    told = "\n".join(found.left_out)
    for words in (
        f"failed: Diverged: {DIVERGED}",
        "interrupted at update",
        "still running",
        "1 job: not started",
        "stale",
    ):
        assert words in told
    assert "17 jobs: 12 done, 1 running, 1 interrupted, 1 failed, 1 stale, 1 waiting." in found.summary


def test_one_seed_has_its_error_over_sequences(runs, tmp_path):
    jobs = [SweepJob({LR: lr}, runs.done(flat(value))) for lr, value in (("1", -5.0), ("2", -4.0))]
    found = Sweep(plan_of(tmp_path, jobs), jobs)
    assert {row.bound.over for row in found.rows} == {"sequences"}
    assert "one seed; ± over validation sequences" in found.summary[0]


def test_only_seeds_are_swept(runs, tmp_path):
    jobs = [SweepJob({SEED: str(seed)}, runs.done(flat(-5.0 - seed), seed=seed)) for seed in (0, 1)]
    found = Sweep(plan_of(tmp_path, jobs), jobs)
    assert found.summary[0].startswith("all seeds: valid log-likelihood ≥\N{NO-BREAK SPACE}-5.50")
    assert not any("Selected on validation" in told for told in found.summary)


def test_everything_is_written(written):
    files = [path.name for path in written.files]
    assert files[:3] == ["sweep.html", "sweep.md", "sweep.csv"]
    pictures = {"effect_latent_z_dim.png", "effect_optimizer_lr.png", "importance.png", "parallel.png"}
    assert set(files[3:]) == pictures | {"validation.png"}
    assert all(path.stat().st_size > 0 for path in written.files)
    markdown = written.files[1].read_text()
    assert all(f"figures/{name}" in markdown for name in files[3:])


def test_the_page_loads_nothing_and_is_escaped(written):
    text = written.files[0].read_text()
    page = Reader(text)
    assert page.open == []
    assert {source.partition(":")[0] for source in page.sources} == {"data"}
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[^\"]*", "", text))
    told = ("A <title> & more", "python -m x a='<b>' & c", DIVERGED, "12 done", "below the median of 4 others")
    for words in (*told, "The test set was not used", "this score is optimistic"):
        assert words in page.text
    assert "<b>" not in text


def test_csv_has_a_line_for_each_job_in_any_state(written, jobs):
    with (written.files[2]).open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == len(jobs)
    for line, (settings, job) in zip(lines, jobs, strict=True):
        assert (line["directory"], line["state"]) == (str(job.run), job.state)
        assert (float(line[Z]), float(line[LR]), int(line[SEED])) == tuple(
            float(settings[key]) for key in (Z, LR, SEED)
        )
        figure = job.result.get("figures", {}).get(VALID)
        assert line[VALID] == ("" if figure is None else str(figure["value"]))
        assert line[f"{VALID}/unit"] == ("" if figure is None else "nats per sequence")
    done = [line for line in lines if line["state"] == "done"]
    assert {line["updates"] for line in done} == {"20"}
    assert {line["seconds"] for line in done} == {"400.0"}
    assert {line["reason"] for line in done} == {""}
    assert {line["stopped"] for line in done} == {"", "below the median of 4 others"}
    assert lines[0][LR] == "0.0001"


def test_the_table_for_machines_has_numbers(written):
    columns, data = written.plain()
    assert {len(line) for line in data} == {len(columns)}
    first = dict(zip(columns, data[0], strict=True))
    assert (first[Z], first[LR], first["rank"], first["best"]) == (32, 1e-4, 1, True)
    assert first["log_likelihood"] == pytest.approx(-99.5)
    assert first["unit"] == "nats per sequence"


def test_a_terminal_shows_it(written):
    with Path("/dev/null").open("w") as nowhere:
        console = Console(width=120, record=True, file=nowhere)
        console.print(written.terminal())
    shown = console.export_text()
    for words in ("z_dim=32 lr=1e-4", "The best of 6 configurations", "Not counted", "≥ -99.50 ± 0.50"):
        assert words in shown


def test_it_does_not_deny_that_test_was_looked_at(runs, tmp_path):
    job = untested(runs.done(flat(-5.0)))
    jobs = [SweepJob({LR: "1"}, job)]
    found = Sweep(plan_of(tmp_path, jobs), jobs)
    assert found.summary[-1] == "The test set was not used."
    runs.estimate(job, flat(-4.0))
    found = Sweep(plan_of(tmp_path, jobs), jobs)
    assert found.summary[-1] == "1 job was evaluated on test, which played no part in the selection."


@pytest.mark.parametrize("trials", [None, 20])
def test_nothing_is_done_yet(runs, tmp_path, trials):
    jobs = [SweepJob({LR: "1"}, runs.failed("no")), SweepJob({LR: "2"}, runs.interrupted())]
    for some in (jobs, []):
        found = Sweep(plan_of(tmp_path, some, trials=trials), some)
        found.write(tmp_path, "t", "c")
        assert (found.findings.best, found.plain()[1]) == (None, [])
        assert "No job is done yet" in Reader(found.files[0].read_text()).text
        assert all(path.stat().st_size > 0 for path in found.files[:2])
        found.terminal()


def test_a_search_says_how_many_of_its_trials_were_begun(runs, tmp_path):
    jobs = [SweepJob({LR: str(lr)}, runs.done(flat(-lr))) for lr in (0.0012345678, 0.1, 0.2)]
    plan = plan_of(tmp_path, jobs, trials=20)
    found = Sweep(plan, jobs)
    assert "3 of 20 jobs were begun: all done." in found.summary
    assert "17 of 20 jobs: not begun" in found.left_out
    assert "optimizer.lr=0.001235" in found.summary[0]
    found = Sweep(replace(plan, trials=5, repeated=2), jobs)
    assert "3 of 3 jobs were begun: all done. 2 of 5 trials had a point that was tried before." in found.summary
    assert found.left_out == []


LIKELIHOODS = ("discretized_logistics.DiscretizedLogistics", "gaussian.Gaussian", "gmm.GMM")


@pytest.mark.parametrize(
    ("configs", "are"),
    [
        ([{"likelihood": {"_target_": f"vrnn.likelihoods.{name}"}} for name in LIKELIHOODS[:2]], False),
        ([{"likelihood": {"_target_": f"vrnn.likelihoods.{name}"}} for name in LIKELIHOODS[1:]], True),
        ([{"data": {"x_dim": number}} for number in (1, 2)], False),
        ([{"trainer": {"max_steps": number}} for number in (1, 2)], True),
    ],
)
def test_what_does_not_compare_has_no_winner(runs, tmp_path, configs, are):
    jobs = [SweepJob({Z: str(n)}, runs.done(flat(-n), config=config)) for n, config in enumerate(configs)]
    found = Sweep(plan_of(tmp_path, jobs), jobs)
    assert found.are_comparable == are
    assert found.summary[0].startswith(f"The best of 2 configurations is {Z}=0: " if are else "These configurations")
    assert any(cell.strong for line in found.table.rows for cell in line) == are
    assert bool(found.cautions) != are


def test_long_values_are_cut(runs, tmp_path):
    jobs = [SweepJob({"label": letter * 300}, runs.done(flat(0.0))) for letter in "ab"]
    assert max(map(len, Sweep(plan_of(tmp_path, jobs), jobs).summary[0].split())) < 80


def test_commands_are_for_a_shell(runs, tmp_path):
    job = runs.done(flat(-1.0), config={"trainer": {"max_epochs": 7}})
    jobs = [SweepJob({LR: "1"}, job)]
    found = Sweep(plan_of(Path("/tmp/it's a sweep"), jobs), jobs)
    told = [command for _, command in found.commands]
    assert told[2] == f"python -m experiments.evaluate run={job.run}"
    assert told[3].endswith(f"run_from={job.run} trainer.max_epochs=14 trainer.test=true")
    assert "it" in told[1]
    assert told[1] != "python -m experiments.status dir=/tmp/it's a sweep"
