"""Figures that say what they are, and the file of metrics."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from vrnn.training.metrics import Measurement, MetricsFile


@pytest.mark.parametrize(
    ("kind", "error", "text"),
    [
        ("exact", None, "-71.45 nats per sequence"),
        ("lower_bound", 0.1, "≥ -71.45 ± 0.10 nats per sequence"),
        ("upper_bound", 0.1, "≤ -71.45 ± 0.10 nats per sequence"),
        ("estimate", 0.1, "~ -71.45 ± 0.10 nats per sequence"),
    ],
)
def test_a_figure_says_what_it_is(kind: str, error: float | None, text: str):
    measurement = Measurement(-71.4467, error, 10, "nats per sequence", "normalized", kind, 0.02)
    assert str(measurement) == text
    assert json.loads(json.dumps(measurement.as_dict())) == {
        "value": -71.4467,
        "standard_error": error,
        "count": 10,
        "unit": "nats per sequence",
        "space": "normalized",
        "kind": kind,
        "monte_carlo_error": 0.02,
        "over": "sequences",
    }


def test_an_error_over_groups_says_so():
    measurement = Measurement(-71.4, 0.3, 10, "nats per sequence", "normalized", "exact", over="6 speakers")
    assert str(measurement) == "-71.40 ± 0.30 nats per sequence (± over 6 speakers)"
    assert str(replace(measurement, standard_error=None)) == "-71.40 nats per sequence"


def test_lines_are_there_as_soon_as_they_are_written(tmp_path: Path):
    file = MetricsFile(tmp_path / "metrics.jsonl")
    assert list(file.read()) == []
    lines = [{"step": 1, "loss": 0.1}, {"step": 2, "loss": 1e-300}]
    for count, line in enumerate(lines, 1):
        file.write(line)
        assert list(MetricsFile(file.path).read()) == lines[:count]


def test_a_line_that_a_kill_cut_short_is_left_out_and_cut_away(tmp_path: Path):
    file = MetricsFile(tmp_path / "metrics.jsonl")
    file.write({"step": 1})
    with file.path.open("a") as handle:
        handle.write('{"step": 2, "los')
    assert list(file.read()) == [{"step": 1}]
    file.cut(5)
    file.write({"step": 2})
    assert list(file.read()) == [{"step": 1}, {"step": 2}]


def test_cut_drops_what_came_after_the_step(tmp_path: Path):
    file = MetricsFile(tmp_path / "metrics.jsonl")
    file.cut(3)
    for step in (1, 2, 2, 3, 4):
        file.write({"step": step})
    file.cut(2)
    assert [line["step"] for line in file.read()] == [1, 2, 2]
    assert [path.name for path in tmp_path.iterdir()] == ["metrics.jsonl"]
