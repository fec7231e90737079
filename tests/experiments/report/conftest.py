"""Run directories as training leaves them, made in a moment."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from experiments.report.comparison.report import Comparison
from experiments.run.directory import RunDirectory, measurements_as_json
from experiments.run.measuring import saved_groups
from experiments.run.state import Job, read_job
from vrnn.training.evaluation import Evaluation
from vrnn.training.space import Space

COUNT, STEPS = 40, 6  # test sequences, and the steps of the longest

STANDARD = {
    "model": {"_target_": "vrnn.models.vrnn.VRNN", "prior": [8]},
    "likelihood": {"_target_": "vrnn.likelihoods.bernoulli.Bernoulli"},
    "objective": {"_target_": "vrnn.objectives.elbo.ELBO"},
    "optimizer": {"_target_": "torch.optim.Adam", "_partial_": True},
    "trainer": {"_target_": "vrnn.training.trainer.Trainer", "device": "cpu"},
    "seed": 0,
}


class Runs:
    """Makes runs below a folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.number = 0

    def done(
        self,
        bounds: Sequence[float] | np.ndarray,
        *,
        seed: int = 0,
        kind: str = "lower_bound",
        config: dict[str, Any] | None = None,
        picture: bool = False,
        ragged: bool = True,
        state: str = "done",
        groups: Sequence[str] | None = None,
        grouping: str | None = None,
        ess: np.ndarray | None = None,
        **result: Any,
    ) -> Job:
        """A finished run with these bounds on test [N]; if ragged, every third sequence is a step shorter.

        Of groups it says nothing, as runs of earlier versions, unless `grouping` is given, which may be empty.
        """
        run = self._new({"seed": seed, **(config or {})})
        bounds = torch.as_tensor(np.asarray(bounds, dtype=float))
        lengths = STEPS - (torch.arange(len(bounds)) % 3 == 1).long() * ragged
        kl = torch.arange(1, STEPS + 1).double() * len(bounds) * (kind != "exact")
        found = Evaluation(bounds, lengths, kind, kl, groups=groups)
        figures = found.measurements("test", Space(), grouping) | found.measurements("valid", Space(), grouping)
        reference = Evaluation(bounds - 50.0, lengths, "exact", 0 * kl, groups=groups)
        figures |= reference.measurements("reference/linear predictor", Space(), grouping)
        arrays = {"bounds": found.bounds, "lengths": lengths, "kl_by_step": found.kl_by_step}
        arrays = {name: array.numpy() for name, array in arrays.items()}
        kept = {} if grouping is None else saved_groups(groups, grouping)
        kept |= {} if ess is None else {"ess_by_step": ess}
        np.savez(run.test_sequences, **arrays, **kept)
        for step in (5, 10, 20):
            bound = {"valid/log_likelihood": -180.0 / step, "valid/log_likelihood_per_step": -30.0 / step}
            run.metrics.write({"step": step, "epoch": 1, **bound, "valid/kl": 3.0, "seconds": 20.0 * step})
        if picture:
            draw(run.figures)
        return self._with(run, seed, status="done", figures=measurements_as_json(figures), parameters=1234, **result)

    def failed(self, message: str, *, kind: str = "UserError", seed: int = 0) -> Job:
        """A run that a mistake ended before its training; such a one has no config.yaml."""
        run = self._new(None)
        return self._with(run, seed, status="failed", error={"kind": kind, "message": message}, figures={})

    def interrupted(self, *, seed: int = 0, step: int = 7) -> Job:
        """A run that was killed: config and metrics, no result."""
        run = self._new({"seed": seed})
        run.metrics.write({"step": step, "epoch": 1, "train/kl": 1.0, "seconds": 2.0})
        return read_job(run)

    def waiting(self) -> Job:
        return read_job(RunDirectory(self.folder / "not-yet"))

    def estimate(
        self, job: Job, bounds: np.ndarray, *, checkpoint: str = "best", step: int = 20, name: str = "iwae-40"
    ) -> None:
        """What evaluating the run later leaves."""
        found = Evaluation(torch.as_tensor(bounds), torch.full((len(bounds),), STEPS), "estimate", torch.zeros(STEPS))
        job.run.evaluations.mkdir(exist_ok=True)
        figures = measurements_as_json(found.measurements("test", Space()))
        content = {"checkpoint": checkpoint, "step": step, "figures": figures}
        (job.run.evaluations / f"{name}.json").write_text(json.dumps(content))

    def _new(self, config: dict[str, Any] | None) -> RunDirectory:
        self.number += 1
        run = RunDirectory(self.folder / f"run-{self.number}")
        run.path.mkdir(parents=True)
        if config is not None:
            data = {"data": {"_target_": "vrnn.data.mnist.mnist", "binarize": "static", "root": str(self.number)}}
            run.write_config(OmegaConf.merge(STANDARD, data, config))
        return run

    def _with(self, run: RunDirectory, seed: int, **result: Any) -> Job:
        made = {"commit": "0123456789abcdef", "dirty": False, "versions": {"torch": "2.0"}, "seconds": 1.0}
        made |= {"command": f"python -m experiments.train seed={seed}", "error": None, "step": 20, "best_step": 20}
        run.write_result({"format": 1, "config_hash": "h", "seed": seed, **made, **result})
        return read_job(run)


def draw(folder: Path) -> None:
    """Samples, large and noisy, and a sound."""
    from PIL import Image
    from scipy.io import wavfile

    folder.mkdir()
    noise = np.random.default_rng(0)
    for name in ("samples", "reconstructions"):
        Image.fromarray(noise.integers(0, 256, (300, 1300, 3), dtype=np.uint8)).save(folder / f"{name}.png")
    wavfile.write(folder / "samples_sample.wav", 8000, noise.integers(-99, 99, 800, dtype=np.int16))


def bold(found: Comparison) -> list[str]:
    """Models in bold."""
    lines = [line for _, group in found.table.groups for line in group]
    return [line[0].text for line in lines if any(cell.strong for cell in line)]


def column(found: Comparison, title: str, unit: str = "nats per sequence") -> dict[str, str]:
    """The cells of a column of the main table, by model."""
    (place,) = [i for i, each in enumerate(found.table.columns) if (each.title, each.unit) == (title, unit)]
    return {line[0].text: str(line[place]) for _, group in found.table.groups for line in group}


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs")


@pytest.fixture(scope="session")
def bounds() -> Callable[..., np.ndarray]:
    """Bounds of test sequences [N] that differ by tens of nats, and by `noise` between two seeds."""

    def make(shift: float = 0.0, *, seed: int = 0, noise: float = 1.0) -> np.ndarray:
        sequences = np.random.default_rng(77).normal(-100.0, 30.0, COUNT)
        return sequences + shift + np.random.default_rng(seed).normal(0.0, noise, COUNT)

    return make
