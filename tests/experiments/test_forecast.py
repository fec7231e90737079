"""The forecast app: rows for the model and its references, quantiles in raw units, and a horizon that fits."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.experiments.command_line import SMALL


@pytest.fixture(scope="module")
def oscillators(apps, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run on short oscillators."""
    folder = tmp_path_factory.mktemp("forecast")
    sizes = [f"data.{part}_sequences={number}" for part, number in (("train", 12), ("valid", 4), ("test", 6))]
    keys = ("data=oscillators", "data.num_steps=20", *sizes, *SMALL, "figures=none", "hydra.run.dir=run")
    ended = apps("train", *keys, cwd=folder)
    assert ended.code == 0, ended.err
    return folder


def test_the_table_has_the_model_and_its_references(apps, oscillators: Path):
    keys = ("horizon=5", "num=8", "season=4", "order=2", "paths=true", "save=npz")
    ended = apps("forecast", "run=run", *keys, "output=out", cwd=oscillators)
    assert ended.code == 0, ended.err
    names = {"this model", "last value", "last season", "autoregression of order 2"}
    figures = json.loads((oscillators / "out" / "forecasts.json").read_text())["figures"]
    assert set(figures) == names
    assert all(0.0 <= row["coverage of 50 %"] <= row["coverage of 90 %"] <= 1.0 for row in figures.values())
    with np.load(oscillators / "out" / "forecasts.npz") as file:
        arrays = dict(file)
    assert len(arrays["value"]) == 6 * 5 * 3
    assert (arrays["q05"] <= arrays["q50"]).all()
    assert arrays["path"].shape == (90, 8)
    np.testing.assert_allclose(np.median(arrays["path"], 1), arrays["q50"])
    assert sorted(set(arrays["step"].tolist())) == [15, 16, 17, 18, 19]
    assert (oscillators / "out" / "forecasts.png").stat().st_size > 0


def test_a_horizon_that_leaves_no_past_is_answered(apps, oscillators: Path):
    ended = apps("forecast", "run=run", "horizon=15", cwd=oscillators)
    assert ended.code == 1
    assert "horizon=15: expected at most 12, since the sequences of test have up to 20 steps" in ended.err
    assert not (oscillators / "run" / "forecasts").exists()
