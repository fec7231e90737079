"""The score app: scores add up to the likelihood, bursts are found, and other files are scored whole."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.data.makers.series import OVERRIDES, make
from tests.experiments.command_line import SMALL


@pytest.fixture(scope="module")
def scored(apps, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The directory of a run of an RNN on a series, whose scores are exact."""
    folder = tmp_path_factory.mktemp("scored")
    (folder / "data").mkdir()
    make(folder / "data")
    keys = (f"data.root={folder / 'data'}", *OVERRIDES, "figures=none", "model=rnn", "hydra.run.dir=run")
    ended = apps("train", "data=series", *keys, *SMALL, cwd=folder)
    assert ended.code == 0, ended.err
    return folder


def test_the_scores_of_an_rnn_are_its_log_likelihood(apps, scored: Path):
    ended = apps("score", "run=run", "save=npz", cwd=scored)
    assert ended.code == 0, ended.err
    assert "threshold: quantile 0.99 of valid" in ended.out
    (folder,) = (scored / "run" / "scores").iterdir()
    assert {path.name for path in folder.glob("scores.*")} == {"scores.npz", "scores.json", "scores.png"}
    with np.load(folder / "scores.npz") as file:
        arrays = dict(file)
    result = json.loads((scored / "run" / "result.json").read_text())["figures"]
    assert -np.nanmean(arrays["score"]) == pytest.approx(result["test/log_likelihood_per_step"]["value"], rel=1e-4)
    alone = np.nansum([arrays[f"score_{name}"] for name in ("a", "b [kPa]", "c")], axis=0)
    np.testing.assert_allclose(alone, arrays["score"], rtol=1e-3, atol=1e-3)


def test_another_file_is_scored_whole_by_its_labels_and_the_runs_own_threshold(apps, scored: Path):
    lines = (scored / "data" / "plant0.csv").read_text().splitlines()
    rows = [line.split(",") for line in lines[1:]]
    for row in rows[50:54]:
        row[0] = "500"
    marked = [f"{','.join(row)},{int(50 <= number < 54)}" for number, row in enumerate(rows)]
    (scored / "other.csv").write_text("\n".join([lines[0] + ",bad", *marked]) + "\n")
    ended = apps("score", "run=run", "root=other.csv", "output=out", "save=npz", cwd=scored)
    assert ended.code == 0, ended.err
    with np.load(scored / "out" / "scores.npz") as file:
        score, anomaly = file["score"], file["anomaly"]
    assert len(score) == 120
    assert set(np.argsort(score)[-4:]) == {50, 51, 52, 53}
    assert anomaly[50:54].all()
    assert json.loads((scored / "out" / "scores.json").read_text())["figures"]["steps scored"][0] == 120


def test_bursts_of_the_oscillators_are_ranked(apps, tmp_path: Path):
    sizes = [f"data.{part}_sequences={number}" for part, number in (("train", 40), ("valid", 8), ("test", 30))]
    keys = ("data=oscillators", "data.num_steps=30", *sizes, "figures=none", "logger=none", "latent=tiny")
    steps = ("trainer.max_steps=60", "trainer.max_epochs=null", "optimizer.lr=1e-2", "hydra.run.dir=run")
    assert apps("train", *keys, *steps, cwd=tmp_path).code == 0
    ended = apps("score", "run=run", "num_samples=4", "dimensions=false", "output=out", cwd=tmp_path)
    assert ended.code == 0, ended.err
    figures = json.loads((tmp_path / "out" / "scores.json").read_text())["figures"]
    assert figures["AUROC over steps"][0] > 0.7
    assert figures["AUPRC over steps"][0] > 2 * figures["labelled as anomalies"][0]
