"""Models of the family in one comparison, from the command line: trained, estimated, drawn, gone on with."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from tests.experiments.command_line import SMALL, WORDS, Apps, Run

ROWS = ("srnn", "dkf")
LABELS = ["SRNN (smoothing)", "DKF"]


@pytest.fixture(scope="module")
def compared(apps: Apps, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("family")
    words = ("experiment=family/strokes", *WORDS, *SMALL, "lineup=family", f"rows=[{','.join(ROWS)}]")
    ended = apps("compare", *words, "seeds=1", "num_samples=3", "jobs=1", "output=out", cwd=folder)
    assert ended.code == 0, ended.err
    return folder


def test_the_family_stands_in_one_table_and_its_samples_are_drawn(compared: Path):
    with (compared / "out" / "comparison.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert [line["row"] for line in lines] == LABELS
    runs = Run.all(compared / "out")
    assert len(runs) == len(ROWS)
    for run in runs:
        bound = run.result["figures"]["test/log_likelihood"]
        estimate = json.loads((run.path / "evaluations" / "iwae-3.json").read_text())["figures"]["test/log_likelihood"]
        assert (bound["kind"], estimate["kind"]) == ("lower_bound", "estimate")
        assert {"samples.png", "reconstructions.png", "continuations.png"} <= {
            path.name for path in run.path.glob("figures/*")
        }


def test_a_smoothing_model_is_gone_on_with_and_refuses_to_be_cut_for_memory(apps: Apps, compared: Path):
    run = next(run for run in Run.all(compared / "out") if "comparison-family-srnn_" in run.path.name)
    refused = apps("train", f"resume={run.path}", "trainer.max_steps=6", "trainer.checkpoint_segments=2", cwd=compared)
    assert refused.code == 1
    assert "trainer.checkpoint_segments=2: expected null, since the model's posterior looks ahead" in refused.err
    ended = apps("train", f"resume={run.path}", "trainer.max_steps=6", cwd=compared)
    assert ended.code == 0, ended.err
    assert json.loads((run.path / "result.json").read_text())["step"] == 6
