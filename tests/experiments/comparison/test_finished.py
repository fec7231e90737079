"""Finished runs as rows: seeds belong together, settings tell rows apart, other data are refused."""

from __future__ import annotations

from pathlib import Path

import pytest
from omegaconf import OmegaConf

from experiments.comparison.finished import finished_rows
from experiments.config.identity import config_hash
from experiments.errors import UserError
from experiments.run.directory import RunDirectory


def write(folder: Path, name: str, dataset: str = "mnist", **changes: object) -> None:
    """A run's config and result; `changes` are keys with two underscores for a point."""
    cfg = OmegaConf.create(
        {
            "seed": 0,
            "data": {"_target_": f"vrnn.data.{dataset}.{dataset}", "root": "here", "seed": 0},
            "model": {"_target_": "vrnn.models.vrnn.VRNN", "prior": [4]},
            "likelihood": {"_target_": "vrnn.likelihoods.bernoulli.Bernoulli"},
            "objective": {"_target_": "vrnn.objectives.elbo.ELBO"},
            "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True},
            "trainer": {"_target_": "vrnn.training.trainer.Trainer", "max_epochs": 3},
        }
    )
    for key, value in changes.items():
        OmegaConf.update(cfg, key.replace("__", "."), value)
    run = RunDirectory(folder / name)
    run.write_config(cfg)
    about = {"config_hash": config_hash(cfg), "seed": cfg.seed, "step": 3, "figures": {}}
    run.write_result({"status": "done", **about})


def rows(folder: Path) -> dict[str, list[str]]:
    found = finished_rows(str(folder / "*"))
    return {label: [job.run.path.name for job in jobs] for label, jobs in found.items()}


def test_seeds_of_one_config_are_a_row_and_the_last_run_of_a_seed_counts(tmp_path: Path):
    for name, seed in (("a", 0), ("b", 1), ("c", 0)):
        write(tmp_path, name, seed=seed)
    assert rows(tmp_path) == {"VRNN, Bernoulli": ["c", "b"]}


def test_settings_tell_rows_apart_and_the_folder_of_a_known_corpus_does_not(tmp_path: Path):
    write(tmp_path, "a")
    write(tmp_path, "b", data__root="there", seed=1)
    write(tmp_path, "c", data__root="there", trainer__max_epochs=9)
    write(tmp_path, "d", model__prior="standard")
    write(tmp_path, "e", label="mine", trainer__max_epochs=9, seed=4, model__prior=[5])
    assert rows(tmp_path) == {
        "VRNN, Bernoulli (trainer.max_epochs=3)": ["a", "b"],
        "VRNN, Bernoulli (trainer.max_epochs=9)": ["c"],
        "VRNN-I, Bernoulli": ["d"],
        "mine": ["e"],
    }


@pytest.mark.parametrize(
    ("dataset", "changes", "told"),
    [("mnist", {"data__seed": 1}, "data.seed"), ("audio", {"data__root": "there"}, "data.root")],
)
def test_runs_on_different_data_are_refused(tmp_path: Path, dataset: str, changes: dict[str, object], told: str):
    write(tmp_path, "a", dataset)
    write(tmp_path, "b", dataset, **changes)
    with pytest.raises(UserError, match=rf"different data \({told}\)"):
        rows(tmp_path)
