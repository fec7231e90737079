"""The encode app: the latents that it writes are the model's, whatever the memory, and what they carry adds up."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments import load_run
from tests.experiments.command_line import SMALL, WORDS


def test_means_and_draws_are_those_of_the_model(apps, copy, tmp_path: Path):
    ended = apps("encode", "run=copy", "what=all", "save=npz", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "dimensions; KL" in ended.out
    (folder,) = (copy.path / "latents").iterdir()
    assert {path.name for path in folder.glob("latents.*")} == {"latents.npz", "latents.json", "latents.png"}
    with np.load(folder / "latents.npz") as file:
        arrays = dict(file)
    run = load_run(copy.path)
    sequences = run.data.test
    assert len(arrays["step"]) == int(sequences.lengths.sum())
    batch = sequences.batch(torch.arange(len(sequences)))
    shape = (batch.size, batch.steps, run.model.z_dim)
    with torch.no_grad():
        expected = run.model.encode(batch, torch.zeros(shape)).loc[batch.mask]
    np.testing.assert_allclose(arrays["mean"], expected.numpy(), atol=1e-5)
    assert np.bincount(arrays["sequence"]).tolist() == sequences.lengths.tolist()
    evaluated = json.loads((folder / "latents.json").read_text())
    result = json.loads((copy.path / "result.json").read_text())
    steps = float(sequences.lengths.sum()) / len(sequences)
    assert evaluated["kl"] * steps == pytest.approx(result["figures"]["test/kl"]["value"], rel=1e-3)
    with np.load(folder / "latents.npz") as before:
        sample = before["sample"]
    assert apps("encode", "run=copy", "what=all", "save=npz", "memory_gb=1e-6", cwd=tmp_path).code == 0
    with np.load(folder / "latents.npz") as after:
        np.testing.assert_allclose(after["sample"], sample, atol=1e-5)


def test_parquet_has_a_column_for_each_dimension(apps, copy, tmp_path: Path):
    pd = pytest.importorskip("pandas")
    pytest.importorskip("pyarrow")
    ended = apps("encode", "run=copy", "split=valid", "output=out", cwd=tmp_path)
    assert ended.code == 0, ended.err
    frame = pd.read_parquet(tmp_path / "out" / "latents.parquet")
    assert [name for name in frame if name.startswith("mean_")] == [
        f"mean_{z}" for z in range(load_run(copy.path).model.z_dim)
    ]
    assert {"sequence", "step", "group"} <= set(frame)


def test_a_model_without_latents_is_answered(apps, tmp_path: Path):
    assert apps("train", *WORDS, *SMALL, "model=rnn", "figures=none", "hydra.run.dir=rnn", cwd=tmp_path).code == 0
    ended = apps("encode", "run=rnn", cwd=tmp_path)
    assert ended.code == 1
    assert "its model has no latent variables" in ended.err
    assert not (tmp_path / "rnn" / "latents").exists()
