"""Comparisons from the command line: what is missing is trained, what fails costs no other job, all is in one table."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.experiments.command_line import SMALL, WORDS, Apps, Run

ROWS = (*WORDS, *SMALL, "rows=[rnn_gauss,vrnn_gmm]", "num_samples=3", "jobs=1", "output=out")


def lines(folder: Path) -> list[dict[str, str]]:
    with (folder / "comparison.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def compared(apps: Apps, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A comparison of two models with one seed, followed by W&B."""
    folder = tmp_path_factory.mktemp("compared")
    ended = apps("compare", *ROWS, "seeds=1", "logger=wandb", cwd=folder)
    assert ended.code == 0, ended.err
    assert "2 rows, 2 jobs, 0 done already" in ended.out
    return folder


def test_a_comparison_trains_estimates_and_reports(compared: Path):
    rnn, vrnn = Run.all(compared / "out")
    assert (rnn.result["status"], vrnn.result["status"]) == ("done", "done")
    assert not (rnn.path / "evaluations").exists()  # its likelihood is exact, there is nothing to estimate
    estimate = json.loads((vrnn.path / "evaluations" / "iwae-3.json").read_text())["figures"]["test/log_likelihood"]
    assert estimate["kind"] == "estimate"
    assert estimate["monte_carlo_error"] > 0.0
    page, table = ((compared / "out" / f"comparison.{kind}").read_text() for kind in ("html", "md"))
    for run, label, line in zip((rnn, vrnn), ("RNN-Gauss", "VRNN-GMM"), lines(compared / "out"), strict=True):
        assert label in page
        assert label in table
        assert line["row"] == label
        assert float(line["test/log_likelihood"]) == run.result["figures"]["test/log_likelihood"]["value"]
    assert "python -m experiments.compare" in page
    (logged,) = Run(compared / "out").wandb()
    assert "report/table" in json.dumps(logged)


def test_the_second_start_trains_only_what_is_missing(apps: Apps, compared: Path):
    times = {run.path.name: (run.path / "result.json").stat().st_mtime_ns for run in Run.all(compared / "out")}
    ended = apps("compare", *ROWS, "seeds=1", cwd=compared)
    assert ended.code == 0, ended.err
    assert "2 rows, 2 jobs, 2 done already" in ended.out
    assert "step" not in ended.err
    assert {name: (compared / "out" / name / "result.json").stat().st_mtime_ns for name in times} == times


def test_finished_runs_are_compared_as_they_are(apps: Apps, compared: Path):
    ended = apps("compare", "runs=out/comparison-*", "num_samples=3", "output=again", "logger=none", cwd=compared)
    assert ended.code == 0, ended.err
    assert {line["row"] for line in lines(compared / "again")} == {"RNN-Gauss", "VRNN-GMM"}


def test_a_failed_job_is_in_the_table_and_costs_no_other(apps: Apps, tmp_path: Path):
    heavy = ("objective.beta.start=1e38", "objective.beta.end=1e38")  # of a KL that an RNN does not have
    ended = apps("compare", *ROWS, "seeds=1", *heavy, "num_samples=null", cwd=tmp_path)
    assert ended.code == 1
    rnn, vrnn = Run.all(tmp_path / "out")
    assert (rnn.result["status"], vrnn.result["status"]) == ("done", "failed")
    assert "training diverged" in (tmp_path / "out" / "comparison.html").read_text()
    assert [(line["row"], line["state"]) for line in lines(tmp_path / "out")] == [
        ("RNN-Gauss", "done"),
        ("VRNN-GMM", "failed"),
    ]


def test_runs_of_other_settings_or_data_are_no_seeds_of_each_other(apps: Apps, tmp_path: Path):
    for name, overrides in (("a", ()), ("b", ("seed=1",)), ("c", ("trainer.max_steps=3",)), ("d", ("data.seed=1",))):
        assert apps("train", *WORDS, *SMALL, *overrides, f"hydra.run.dir=runs/{name}", cwd=tmp_path).code == 0
    ended = apps("compare", "runs='runs/[abc]'", "num_samples=null", "output=out", "logger=none", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert [(line["row"], line["seed"]) for line in lines(tmp_path / "out")] == [
        ("VRNN, BivariateGMM (trainer.max_steps=4)", "0"),
        ("VRNN, BivariateGMM (trainer.max_steps=4)", "1"),
        ("VRNN, BivariateGMM (trainer.max_steps=3)", "0"),
    ]
    ended = apps("compare", "runs=runs/*", "num_samples=null", "logger=none", cwd=tmp_path)
    assert ended.code == 1
    assert "different data (data.seed)" in ended.err


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("data=handwriting", "model=rnn"), "model=rnn: every job of a comparison has the same"),
        (("data=handwriting", "seed=3"), "seeds="),
        (("data=handwriting", "likelihood.num_components=3"), "likelihood.num_components=3: every job"),
        (("data=handwriting", "net_width=9"), "net_width=9: every job"),
        (("data=handwriting", "latent.z_dim=3,4"), "latent.z_dim=3,4"),
        (("handwriting",), "handwriting"),
        (("seeds=[1,2,1]",), "seeds=1,2,1: each may be there once"),
        (("runs=nothing/*", "data=fsdd"), "data=fsdd: finished runs are compared as they are"),
        (("data=handwriting", "rows=[vrnn_gauss,nothing]"), "rows=vrnn_gauss,nothing: expected options of"),
        (("data=handwriting", "lineup=nothing"), "lineup=nothing: expected a folder of conf/comparison/"),
        (("data=handwriting", "latent.size=3"), "latent.size"),
        (("data=nothing",), "nothing"),
        (("seeds=0",), "seeds=0: expected an integer of at least 1"),
        (("runs=nothing/*",), "runs=nothing/*: there is no run directory"),
        (("num_samples=many",), "num_samples=many"),
        (("data=handwriting", "+model.nothing=3"), "takes no argument 'nothing'"),
    ],
)
def test_a_mistake_is_answered_before_anything_is_trained(apps: Apps, tmp_path: Path, arguments, told: str):
    ended = apps("compare", *arguments, cwd=tmp_path)
    assert ended.code == 1
    assert told in ended.err
    assert "Traceback" not in ended.err
    assert not list(tmp_path.rglob("config.yaml"))
