"""The trainer, for any model, any objective, any data; it knows no names."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch

from vrnn.data.splits import Splits
from vrnn.models.base import SequenceModel
from vrnn.objectives.base import Objective
from vrnn.training.device import keep_memory
from vrnn.training.fit import Fit
from vrnn.training.progress import Observer, Progress
from vrnn.training.schedules import Schedule
from vrnn.training.settings import Settings


class Trainer(Settings):
    """Minimises an objective's loss, validates after every epoch, keeps the best and the last checkpoint.

    Its arguments are those of `Settings`.
    """

    def fit(
        self,
        model: SequenceModel,
        objective: Objective,
        splits: Splits,
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Schedule,
        *,
        seed: int,
        directory: Path,
        observers: list[Observer],
        should_stop: Callable[[], bool] = lambda: False,
        give_up: Callable[[], bool] = lambda: False,
        resume: bool = False,
    ) -> Progress:
        """Trains until a limit is reached or validation has stopped improving.

        Args:
          model: trained in place, on the trainer's device.
          objective: its loss is minimised; validation looks at its plain bound.
          splits: train is trained on, valid validated on; test is never looked at.
          optimizer: builds the optimizer from the parameters.
          schedule: factor on its learning rate.
          seed: order of the batches and all noise.
          directory: where best.pt and last.pt go.
          observers: told of everything.
          should_stop: asked after every batch; True saves a checkpoint and raises Interrupted.
          give_up: asked after every validation; True ends training there, as a limit does.
          resume: go on from last.pt.

        Raises:
          Interrupted, Diverged, checkpoint.CheckpointError.
        """
        keep_memory()
        fit = Fit(self, model.to(self.device), objective, splits, optimizer, schedule, seed, directory, observers)
        if resume:
            fit.load()
        fit.run(should_stop, give_up)
        return fit.progress
