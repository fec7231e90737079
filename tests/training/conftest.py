"""Small data and one way to run the trainer on them."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch

from vrnn.data.splits import Sequences, Splits, Standardisation
from vrnn.models.base import SequenceModel
from vrnn.objectives.base import Objective
from vrnn.objectives.elbo import ELBO
from vrnn.objectives.schedules import Linear
from vrnn.training.metrics import MetricsFile
from vrnn.training.progress import Interrupted, Observer, Progress
from vrnn.training.schedules import Constant, Schedule
from vrnn.training.trainer import Trainer

ADAM = functools.partial(torch.optim.Adam, lr=1e-2, fused=True)
CONSTANT = Constant()
SETTINGS = {
    "max_epochs": 3,
    "max_steps": None,
    "batch_size": 4,
    "eval_batch_size": 5,
    "max_grad_norm": 5.0,
    "patience": None,
    "log_every": 5,
    "checkpoint_every": 4,
    "device": "cpu",
}


class Recorder(Observer):
    """Writes metrics as an application would, and can end the run at a step.

    Args:
      directory: where metrics.jsonl goes.
      stop_at: step from which on it asks to stop.
      kill_at: (event, step) at which it raises KeyboardInterrupt, after which nothing is run, as after a SIGKILL;
        the event is "advance" or the name of a metric.
    """

    def __init__(self, directory: Path, stop_at: int | None, kill_at: tuple[str, int] | None):
        self.file = MetricsFile(directory / "metrics.jsonl")
        self.stop_at = stop_at
        self.kill_at = kill_at
        self.step = 0

    def start(self, step: int, total_steps: int) -> None:
        self.step = step
        self.file.cut(step)

    def advance(self, step: int) -> None:
        self.step = step
        if self.kill_at == ("advance", step):
            raise KeyboardInterrupt

    def log(self, metrics: dict[str, Any]) -> None:
        self.file.write(metrics)
        if any(self.kill_at == (name, metrics["step"]) for name in metrics):
            raise KeyboardInterrupt

    def should_stop(self) -> bool:
        return self.stop_at is not None and self.step >= self.stop_at


@dataclass
class Run:
    """What a run left behind."""

    model: SequenceModel
    progress: Progress | None  # None: it was interrupted
    directory: Path

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """All lines without the time that they took."""
        lines = MetricsFile(self.directory / "metrics.jsonl").read()
        return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]

    def checkpoint(self, name: str) -> dict[str, Any]:
        return torch.load(self.directory / name, weights_only=True)


def walks(num: int, seed: int, ragged: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """Slow random walks [sum of lengths, 3], in which the past tells the future, and their lengths [N]."""
    generator = torch.Generator().manual_seed(seed)
    lengths = torch.randint(3, 7, (num,), generator=generator) if ragged else torch.full((num,), 5)
    steps = torch.randn(num, 7, 3, generator=generator) * 0.2
    steps[:, 0] = torch.randn(num, 3, generator=generator) * 2.0
    x = steps.cumsum(1)
    return torch.cat([row[:length] for row, length in zip(x, lengths.tolist(), strict=True)]), lengths


def visited(x: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    raise AssertionError("training has looked at the test split")


@pytest.fixture(scope="session")
def make_splits() -> Callable[..., Splits]:
    """Training, 9 validation and 2 forbidden test sequences; with `drawn`, bits that are drawn anew at every visit."""

    def make(num: int = 23, ragged: bool = False, drawn: bool = False) -> Splits:
        parts = [walks(size, seed, ragged) for seed, size in enumerate((num, 9, 2))]
        if drawn:
            parts = [(values.sigmoid(), lengths) for values, lengths in parts]
            parts[1:] = [((values > 0.5).float(), lengths) for values, lengths in parts[1:]]
        draw = (lambda x, generator: torch.bernoulli(x, generator=generator)) if drawn else None
        train, valid, test = parts
        return Splits(
            Sequences(*train, draw), Sequences(*valid), Sequences(*test, visited), Standardisation.identity(3)
        )

    return make


@pytest.fixture(scope="session")
def elbo() -> ELBO:
    return ELBO(Linear(0.5, 1.0, 9), Linear(0.0, 0.0, 0))


@pytest.fixture(scope="session")
def train(make_vrnn, make_splits, elbo) -> Callable[..., Run]:
    """Trains a new model in a directory, or goes on there; an interruption is caught, everything else is not."""

    def train(
        directory: Path,
        *,
        splits: Splits | None = None,
        likelihood: str = "gaussian",
        optimizer: Callable[..., torch.optim.Optimizer] = ADAM,
        schedule: Schedule = CONSTANT,
        objective: Objective = elbo,
        build: Callable[..., SequenceModel] = make_vrnn,
        seed: int = 0,
        stop_at: int | None = None,
        kill_at: tuple[str, int] | None = None,
        resume: bool = False,
        **settings,
    ) -> Run:
        directory.mkdir(exist_ok=True)
        model = build(likelihood=likelihood, seed=99 if resume else 0).float()
        recorder, progress = Recorder(directory, stop_at, kill_at), None
        try:
            progress = Trainer(**{**SETTINGS, **settings}).fit(
                model,
                objective,
                make_splits() if splits is None else splits,
                optimizer,
                schedule,
                seed=seed,
                directory=directory,
                observers=[recorder],
                should_stop=recorder.should_stop,
                resume=resume,
            )
        except Interrupted:
            assert recorder.should_stop()
        return Run(model, progress, directory)

    return train


@pytest.fixture
def run(train, tmp_path) -> Callable[..., Run]:
    """`train` in tmp_path/name."""
    return lambda name="run", **arguments: train(tmp_path / name, **arguments)
