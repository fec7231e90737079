"""What a report is to a tracker, read back by W&B's own reader."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from omegaconf import OmegaConf

from experiments.run.tracking import run_name
from experiments.tracking import WandbTracker
from experiments.tracking.tracked import TrackedRun, readable_config
from experiments.tracking.wandb_runs import first_identity
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
    tracker.open(TrackedRun(tmp_path, "comparison", {"rows": ["a", "b"]}, "group", "comparison", "a command"))
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


def tracked(directory: Path, name: str, *tags: str) -> TrackedRun:
    return TrackedRun(directory, name, {}, "group", "train", "a command", tags, {"model": "vrnn"})


def test_a_run_keeps_its_identity_and_takes_that_of_an_agent(tmp_path, monkeypatch):
    monkeypatch.delenv("WANDB_SWEEP_ID", raising=False)
    monkeypatch.setenv("WANDB_RUN_ID", "somebody")
    own = first_identity(tracked(tmp_path / "own", "one"))
    assert own["id"] != "somebody"
    assert first_identity(tracked(tmp_path / "own", "two")) == own
    monkeypatch.setenv("WANDB_SWEEP_ID", "sweep")
    given = first_identity(tracked(tmp_path / "given", "one", "speech"), ["mine"])
    assert given == {"id": "somebody", "name": "one", "tags": ["mine", "speech"], "choices": {"model": "vrnn"}}
    monkeypatch.delenv("WANDB_SWEEP_ID")
    assert first_identity(tracked(tmp_path / "given", "resumed without the agent")) == given


def test_what_a_tracker_filters_by_has_no_class_paths_nulls_or_settings_of_the_multirun():
    cfg = OmegaConf.create(
        {
            "seed": 0,
            "label": None,
            "model": {"_target_": "a.B", "prior": [8, None], "net": {"_target_": "c.D", "depth": None}},
            "optimizer": {"_partial_": True, "lr": "${rate}"},
            "rate": 0.1,
            "multirun": {"view": "table"},
            "resume": None,
        }
    )
    expected = {"seed": 0, "model": {"prior": [8, None]}, "optimizer": {"lr": 0.1}, "rate": 0.1}
    assert readable_config(cfg) == expected


@pytest.mark.parametrize(
    ("overrides", "subdir", "name"),
    [
        ([], "${job_name:}", "vrnn speech"),
        (
            ["trainer=debug", "latent.h_dim=64", "logger=none", "multirun.view=lines"],
            "",
            "vrnn speech trainer=debug h_dim=64",
        ),
        (["trainer=debug", "latent=tiny", "seed=3"], "${job_name:latent,seed}", "latent=tiny seed=3"),
        (
            ["model.a.depth=1", "data.a.depth=2"],
            "${job_name:model.a.depth,data.a.depth}",
            "model.a.depth=1 data.a.depth=2",
        ),
        (["data=speech", "data.num_frames=6", "trainer.device=cpu"], "1", "vrnn speech num_frames=6"),
    ],
)
def test_a_jobs_name_is_short(overrides, subdir, name):
    context = SimpleNamespace(overrides=overrides, subdir=subdir, choices={"model": "vrnn", "data": "speech"})
    assert run_name(context) == name
    if name.startswith("vrnn"):
        assert run_name(context, "mine") == name.replace("vrnn speech", "mine")
