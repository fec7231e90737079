"""A stranger's results, metrics and evaluations: wrong types are named by file and key, damaged files passed over."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from experiments.comparison.finished import finished_rows
from experiments.errors import UserError
from experiments.report.comparison.report import Comparison
from tests.faults.reading import (
    answers,
    as_text,
    compared,
    contents,
    figure,
    nested,
    overwrite,
    require_nothing_done,
    value,
)

RESULTS: dict[str, tuple[Callable[[dict[str, Any]], Any] | str | bytes, str]] = {
    "a number that is text": (figure(value="-90"), "value"),
    "a number that is a list": (figure(value=[1.0]), "value"),
    "a number that is true": (figure(value=True), "value"),
    "an error that is text": (figure(standard_error="1"), "standard_error"),
    "a count that is negative": (figure(count=-1), "count"),
    "a count of 10^30": (figure(count=10**30), "count"),
    "a unit that is a number": (figure(unit=1), "unit"),
    "a space that is a list": (figure(space=["raw"]), "space"),
    "a kind that there is not": (figure(kind="<b>"), "kind"),
    "figures that are a list": (value(figures=[1, 2]), "figures"),
    "figures that are text": (value(figures="many"), "figures"),
    "a figure that is a number": (value(figures={"test/log_likelihood": 1.0}), "figures"),
    "a figure that is null": (value(figures={"test/log_likelihood": None}), "figures"),
    "a status that there is not": (value(status="won"), "status"),
    "a status that is a list": (value(status=["done"]), "status"),
    "steps that are text": (value(step="4"), "step"),
    "steps that are negative": (value(step=-4), "step"),
    "steps of 2^70": (value(step=2**70), "step"),
    "a best step that is text": (value(best_step="4"), "best_step"),
    "parameters that are text": (value(parameters="9"), "parameters"),
    "seconds that are text": (value(seconds="9"), "seconds"),
    "a hash that is a number": (value(config_hash=1), "config_hash"),
    "cautions that are text": (value(cautions="careful"), "cautions"),
    "cautions that are numbers": (value(cautions=[1]), "cautions"),
    "versions that are a list": (value(versions=[1]), "versions"),
    "a commit that is a list": (value(commit=[1]), "commit"),
    "a command that is a list": (value(command=["rm"]), "command"),
    "threads that are text": (value(threads="2"), "threads"),
    "an error without a message": (value(status="failed", error={"kind": "X"}), "error"),
    "a reason that is text": (value(status="failed", error="evil"), "error"),
    "overrides that are numbers": (value(overrides=[1]), "overrides"),
    "stopped that is a number": (value(stopped=1), "stopped"),
    "a format of tomorrow": (value(format=2), "newer version"),
    "a format that is text": (value(format="1"), "format"),
}


@pytest.mark.parametrize("name", RESULTS)
def test_results(run: Path, name: str):
    change, words = RESULTS[name]
    overwrite(run, change)
    (answer,) = answers(run, compared)
    assert re.search(words, answer), answer
    assert "result.json" in answer


# Such a run does not count, or what is wrong with it is told beside the others.
UNREADABLE = {
    "a number beyond all numbers": figure(value=float("-inf")),
    "an integer of 10^5 digits": as_text("step", "9" * 10**5),
    "no JSON": "evil",
    "half of it": '{"format": 1, "status": "do',
    "nothing": "",
    "a list": "[1, 2]",
    "a number": "1",
    "another table": '{"a": 1}',
    "lists within each other": nested(100_000, "[", "]"),
    "tables within each other": nested(1_000, '{"a": ', "}"),
    "no UTF-8": b'{"format": "\xff"}',
    "zero bytes": bytes(1000),
    "two of them": "{} {}",
    "a key twice": '{"format": 1, "format": 2}',
}


@pytest.mark.parametrize("name", UNREADABLE)
def test_results_that_are_none(run: Path, name: str):
    """Such a run is not done, as after a kill, or is refused by name; nothing more."""
    overwrite(run, UNREADABLE[name])
    answer, counted = "", []
    try:
        counted = Comparison(finished_rows(str(run))).rows[0].counted
    except UserError as error:
        answer = str(error)
    assert "result.json" in answer or not answer
    assert "\n" not in answer
    assert counted == []


HARMLESS = {
    "seconds that are no number": as_text("seconds", "NaN"),
    "an infinite error": figure(standard_error=float("inf")),
    "a seed that is text": value(seed="three"),
    "a seed that is a table": value(seed={"a": [1]}),
    "data that are a list": value(data=[1]),
    "a tally that is text": value(tally="evil"),
    "keys of a stranger": value(evil={"a": [1, None, "x"]}),
}


@pytest.mark.parametrize("name", HARMLESS)
def test_results_that_only_look_odd(run: Path, name: str):
    overwrite(run, HARMLESS[name])
    before = contents()
    assert len(Comparison(finished_rows(str(run))).rows[0].counted) == 1
    require_nothing_done(before)


LINES = {
    "no JSON": "evil\n",
    "a list": "[1]\n",
    "text for a step": '{"step": "1", "epoch": 1}\n',
    "a negative step": '{"step": -1, "epoch": 1}\n',
    "a step of 2^70": f'{{"step": {2**70}, "epoch": 1}}\n',
    "a line without step": '{"epoch": 1}\n',
    "text for a metric": '{"step": 9, "epoch": 1, "valid/log_likelihood": "9"}\n',
    "a list for a metric": '{"step": 9, "epoch": 1, "valid/log_likelihood": [9]}\n',
    "text for seconds": '{"step": 9, "epoch": 1, "seconds": "9"}\n',
    "a kind that there is not": '{"step": 9, "epoch": 1, "kind": "<b>"}\n',
    "lists within each other": nested(100_000, "[", "]") + "\n",
    "no UTF-8": b'{"step": 9, "\xff": 1}\n',
    "zero bytes": bytes(99) + b"\n",
}


@pytest.mark.parametrize("name", LINES)
def test_metrics(run: Path, name: str):
    with (run / "metrics.jsonl").open("ab") as file:
        file.write(LINES[name].encode() if isinstance(LINES[name], str) else LINES[name])
    (answer,) = answers(run, compared)
    assert "metrics.jsonl" in answer


EVALUATIONS = {
    **{name: UNREADABLE[name] for name in ("no JSON", "half of it", "nothing", "a list", "no UTF-8")},
    "lists within each other": nested(100_000, "[", "]"),
    "figures that are a list": value(figures=[1]),
    "text for a number": figure(value="1"),
    "a step that is text": value(step="4"),
    "a checkpoint that is a list": value(checkpoint=["best"]),
    "a checkpoint that is missing": lambda content: {k: v for k, v in content.items() if k != "checkpoint"},
    "other data that are text": value(on="evil"),
    "cautions that are text": value(cautions="evil"),
    "a format of tomorrow": value(format=2),
}


@pytest.mark.parametrize("name", EVALUATIONS)
def test_evaluations(run: Path, name: str):
    overwrite(run, EVALUATIONS[name], "evaluations/iwae-3.json")
    (answer,) = answers(run, compared)
    assert "iwae-3.json" in answer
