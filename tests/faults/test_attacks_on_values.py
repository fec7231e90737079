"""Results, metrics, identities and plans of a stranger are of known types, and their texts move no cursor."""

from __future__ import annotations

import json

import pytest

from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.sweep.plan import SweepPlan
from experiments.text import plain
from experiments.tracking.tracked import TrackedRun
from experiments.tracking.wandb_runs import first_identity
from tests.faults.strangers import (
    OF_RESULTS,
    refusals,
)

RESULTS = {
    "a text for a number": (
        "figures",
        {"test/log_likelihood": {"value": "12", "count": 1, "unit": "", "space": "", "kind": "exact"}},
    ),
    "a list for a table": ("figures", [1, 2]),
    "a number for a table": ("figures", 3),
    "a figure that is none": ("figures", {"test/log_likelihood": [1]}),
    "a kind that is none": ("figures", {"a": {"value": 1.0, "count": 1, "unit": "", "space": "", "kind": "\x1b[31m"}}),
    "an unknown status": ("status", "\x1b[31mdone"),
    "a status that is a list": ("status", ["done"]),
    "a negative step": ("step", -1),
    "a huge step": ("step", 10**30),
    "a step of text": ("step", "4"),
    "an error of text": ("error", "boom"),
    "seconds of text": ("seconds", "long"),
    "parameters of text": ("parameters", "many"),
    "a newer format": ("format", 2),
}


@pytest.mark.parametrize("name", RESULTS)
def test_a_result_of_wrong_types_is_named(place, name):
    key, value = RESULTS[name]
    file = place / "run" / "result.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | {key: value}))
    refused = refusals(place / "run", OF_RESULTS)
    assert len(refused) == len(OF_RESULTS)
    for text in refused:
        assert "run/result.json" in text
        assert "newer version" in text if key == "format" else key in text
        assert "\n" not in text
        assert "\x1b" not in text


TEXTS = ["\x1b[31mred", "\x1b]0;title\x07", "a\rb", "a\u202eb", "\x9b31m", "a\u2028b", "a\nrm -rf /"]


@pytest.mark.parametrize("text", TEXTS)
def test_text_of_files_moves_no_cursor(place, text):
    assert plain(text).isprintable()
    file = place / "run" / "result.json"
    result = json.loads(file.read_text())
    result |= {"commit": text, "cautions": [text], "stopped": text, "command": text, text: text, "status": "failed"}
    file.write_text(json.dumps(result | {"error": {"kind": text, "message": "x", "traceback": text}}))
    found = RunDirectory(place / "run").read_result()
    assert text not in found
    for value in (found["commit"], *found["cautions"], found["stopped"], found["command"], found["error"]["kind"]):
        assert value == plain(text)


METRICS = [
    "[1]",
    "5",
    '{"step": 1}',
    '{"step": "1", "epoch": 1}',
    '{"step": 1, "epoch": 1, "valid/kl": [1]}',
    "{",
    "[" * 9_999,
]


@pytest.mark.parametrize("line", METRICS)
def test_a_line_of_metrics_that_is_none_is_named(place, line):
    (place / "run" / "metrics.jsonl").write_text(line + "\n")
    with pytest.raises(UserError, match=r"metrics\.jsonl.*line 1"):
        list(RunDirectory(place / "run").metrics.read())


@pytest.mark.parametrize("identity", [{"id": "../../pwned"}, {"id": 5}, [], {"id": "a" * 999}, {"name": "x"}])
def test_an_identity_that_is_none_is_named(place, identity):
    file = place / "run" / "wandb" / "identity.json"
    file.parent.mkdir()
    file.write_text(
        json.dumps(
            {"id": "a", "name": "b", "tags": []} | identity
            if isinstance(identity, dict) and "name" not in identity
            else identity
        )
    )
    with pytest.raises(UserError, match=r"identity\.json"):
        first_identity(TrackedRun(place / "run", "name", {}, "group", "train", "a command"))


@pytest.mark.parametrize(
    "change",
    [
        {"points": "x"},
        {"points": [[1]]},
        {"keys": 5},
        {"trials": -1},
        {"trials": "2"},
        {"overrides": "seed=1"},
        {"format": 9},
        {"command": None},
    ],
    ids=str,
)
def test_a_plan_of_wrong_types_is_named(place, change):
    file = place / "sweep" / "sweep.json"
    file.write_text(json.dumps(json.loads(file.read_text()) | change))
    with pytest.raises(UserError, match=rf"sweep\.json: .*{'newer' if 'format' in change else next(iter(change))}"):
        SweepPlan.read(place / "sweep")
