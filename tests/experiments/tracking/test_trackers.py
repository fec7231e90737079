"""What a report is to a tracker, read back by W&B's own reader."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from experiments.tracking.trackers import WandbTracker, first_identity
from tests.experiments.command_line import Run


@pytest.fixture
def report(tmp_path: Path) -> list[Path]:
    from PIL import Image

    files = [tmp_path / name for name in ("comparison.html", "comparison.tex", "curves.png")]
    files[0].write_text("<!doctype html><title>a page</title>")
    files[1].write_text("a table")
    Image.fromarray(np.full((9, 8, 3), 128, dtype=np.uint8)).save(files[2])
    return files


def test_a_report_is_published_as_table_page_and_pictures(tmp_path, report, monkeypatch):
    for name in ("WANDB_API_KEY", "WANDB_MODE", "WANDB_DIR"):
        monkeypatch.delenv(name, raising=False)
    columns, data = ["model", "nats", "best"], [["a", -1.5, True], ["b", None, False]]
    tracker = WandbTracker("offline", "vrnn", None, [])
    tracker.open(tmp_path, {"rows": ["a", "b"]}, "comparison", "group")
    try:
        tracker.publish(columns, data, report)
    finally:
        tracker.close(0)
    (found,) = Run(tmp_path).wandb()
    assert found["exit_code"] == 0
    (folder,) = (tmp_path / "wandb").glob("offline-run-*")
    summary = {name: value for name, value in found["summary"].items() if name.startswith("report/")}
    assert summary.keys() == {"report/table", "report/comparison", "report/curves"}
    files = {name: folder / "files" / value["path"] for name, value in summary.items()}
    table = json.loads(files["report/table"].read_text())
    assert (table["columns"], table["data"]) == (columns, data)
    assert files["report/comparison"].read_bytes() == report[0].read_bytes()
    assert (summary["report/curves"]["width"], summary["report/curves"]["height"]) == (8, 9)


def test_a_run_keeps_its_identity_and_takes_that_of_an_agent(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_SWEEP_ID", raising=False)
    monkeypatch.setenv("WANDB_RUN_ID", "somebody")
    own = first_identity(tmp_path / "own", "one")
    assert own["id"] != "somebody"
    assert first_identity(tmp_path / "own", "two") == own == first_identity(tmp_path / "own", "one")
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep")
    given = first_identity(tmp_path / "given", "one", ["mine", "speech"])
    assert given == {"id": "somebody", "name": "one", "tags": ["mine", "speech"]}
    monkeypatch.delenv("WANDB_SWEEP_ID")
    assert first_identity(tmp_path / "given", "resumed without the agent") == given
