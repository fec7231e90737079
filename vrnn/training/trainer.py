"""The training loop: any model, any objective, any data; it knows no names."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from vrnn.data.splits import Splits
from vrnn.models.base import SequenceModel
from vrnn.nn import require_at_least
from vrnn.objectives.base import Estimate, Objective
from vrnn.training import checkpoint
from vrnn.training.device import find_device
from vrnn.training.evaluation import evaluate
from vrnn.training.progress import Diverged, Interrupted, Observer, Progress
from vrnn.training.schedules import Schedule


class Trainer:
    """Minimises an objective's loss, validates after every epoch, keeps the best and the last checkpoint.

    Args:
      max_epochs: epochs to train; None: no limit but max_steps.
      max_steps: updates to train; None: no limit but max_epochs.
      batch_size: sequences per update.
      eval_batch_size: sequences at a time in evaluation; bounds do not depend on it.
      max_grad_norm: the gradient is scaled down to this norm before each update; None: never.
      patience: validations without improvement after which training stops; None: never.
      log_every: updates between two lines of training metrics.
      checkpoint_every: updates between two checkpoints within an epoch; every epoch ends with one.
      test: whether whoever called for the training is to measure the test split after it.
      device: where to train; auto takes a GPU where there is one.

    Raises:
      ValueError: a value out of its range, no limit at all, or a GPU that is not there.
    """

    def __init__(
        self,
        max_epochs: int | None,
        max_steps: int | None,
        batch_size: int,
        eval_batch_size: int,
        max_grad_norm: float | None,
        patience: int | None,
        log_every: int,
        checkpoint_every: int,
        test: bool = True,
        device: str = "auto",
    ):
        optional = {"max_epochs": max_epochs, "max_steps": max_steps, "patience": patience}
        require_at_least(1, **{name: value for name, value in optional.items() if value is not None})
        require_at_least(1, batch_size=batch_size, eval_batch_size=eval_batch_size)
        require_at_least(1, log_every=log_every, checkpoint_every=checkpoint_every)
        if max_epochs is None and max_steps is None:
            raise ValueError("max_epochs and max_steps are both null: give at least one, or training has no end")
        if max_grad_norm is not None and not max_grad_norm > 0.0:
            raise ValueError(f"max_grad_norm must be positive, or null for no clipping; got {max_grad_norm}")
        self.max_epochs = max_epochs
        self.max_steps = max_steps
        self.batch_size = batch_size
        self.eval_batch_size = eval_batch_size
        self.max_grad_norm = math.inf if max_grad_norm is None else max_grad_norm
        self.patience = patience
        self.log_every = log_every
        self.checkpoint_every = checkpoint_every
        self.test = test
        self.device = find_device(device)

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
          should_stop: asked after every update; True saves a checkpoint and raises Interrupted.
          resume: go on from last.pt.

        Raises:
          Interrupted, Diverged, checkpoint.CheckpointError.
        """
        fit = _Fit(self, model.to(self.device), objective, splits, optimizer, schedule, seed, directory, observers)
        if resume:
            fit.load()
        fit.run(should_stop)
        return fit.progress


class _Fit:
    """One call of Trainer.fit: everything that changes while training."""

    def __init__(
        self,
        trainer: Trainer,
        model: SequenceModel,
        objective: Objective,
        splits: Splits,
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Schedule,
        seed: int,
        directory: Path,
        observers: list[Observer],
    ):
        self.trainer = trainer
        self.model = model
        self.objective = objective
        self.train = splits.train.to(trainer.device)
        self.valid = splits.valid.to(trainer.device)
        self.optimizer = optimizer(model.parameters())
        self.base_rates = [group["lr"] for group in self.optimizer.param_groups]
        self.schedule = schedule
        self.seed = seed
        self.directory = directory
        self.observers = observers
        self.generator = torch.Generator(trainer.device).manual_seed(seed)
        self.progress = Progress()
        self.sums: dict[str, Tensor] = {}
        epoch_steps = math.ceil(len(self.train) / trainer.batch_size)
        by_epochs = math.inf if trainer.max_epochs is None else trainer.max_epochs * epoch_steps
        by_steps = math.inf if trainer.max_steps is None else trainer.max_steps
        self.total_steps = int(min(by_epochs, by_steps))

    def run(self, should_stop: Callable[[], bool]) -> None:
        progress = self.progress
        started = time.monotonic() - progress.seconds
        for observer in self.observers:
            observer.start(progress.step, self.total_steps)
        while progress.step < self.total_steps and not self.out_of_patience():
            batches = self.train.shuffled(self.trainer.batch_size, self.seed, progress.epoch)
            for index in batches[progress.batch :]:
                self.update(index)
                progress.seconds = time.monotonic() - started
                finished = progress.step == self.total_steps or progress.batch == len(batches)
                if progress.step % self.trainer.log_every == 0:
                    self.log_training()
                if finished:
                    break
                if should_stop():
                    self.save()
                    raise Interrupted
                if progress.step % self.trainer.checkpoint_every == 0:
                    self.save()
            progress.epoch += progress.batch == len(batches)
            progress.batch %= len(batches)
            self.validate()
            progress.seconds = time.monotonic() - started
            self.save()
            if should_stop() and progress.step < self.total_steps:
                raise Interrupted

    def update(self, index: Tensor) -> None:
        """One update: estimate, gradient, clip, step. Nothing here synchronises with the device."""
        batch = self.train.batch(index, self.generator)
        shape = (batch.size * self.objective.num_samples, batch.steps, self.model.z_dim)
        noise = torch.randn(shape, generator=self.generator, device=self.trainer.device)
        estimate = self.objective(self.model, batch, self.progress.step, noise)
        self.optimizer.zero_grad(set_to_none=True)
        estimate.loss.backward()
        norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.trainer.max_grad_norm)
        factor = self.schedule(self.progress.step, self.total_steps)
        for group, rate in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = rate * factor
        self.optimizer.step()
        self.progress.step += 1
        self.progress.batch += 1
        self.accumulate(estimate, norm)
        for observer in self.observers:
            observer.advance(self.progress.step)

    def accumulate(self, estimate: Estimate, norm: Tensor) -> None:
        new = {**estimate.sums, "loss": estimate.loss.detach(), "gradient_norm": norm.detach()}
        new["updates"] = torch.ones((), device=self.trainer.device)
        self.sums = {name: value + self.sums[name] if self.sums else value for name, value in new.items()}

    def log_training(self) -> None:
        """Means since the last line: sums divided once by counts."""
        sums = {name: float(value) for name, value in self.sums.items()}
        self.sums = {}
        self.require_finite(sums)
        self.tell(
            {
                "train/log_likelihood": sums["log_likelihood"] / sums["sequences"],
                "train/log_likelihood_per_step": sums["log_likelihood"] / sums["steps"],
                "train/kl": sums["kl"] / sums["sequences"],
                "train/loss": sums["loss"] / sums["updates"],
                "train/gradient_norm": sums["gradient_norm"] / sums["updates"],
                "train/learning_rate": self.optimizer.param_groups[0]["lr"],
                "seconds": self.progress.seconds,
            }
        )

    def validate(self) -> None:
        """The plain bound on valid; the best weights so far are kept in best.pt."""
        if self.sums:
            self.require_finite({name: float(self.sums[name]) for name in ("loss", "gradient_norm")})
        progress = self.progress
        evaluation = evaluate(
            self.model,
            self.objective,
            self.valid,
            batch_size=self.trainer.eval_batch_size,
            seed=self.seed,
            step=progress.step,
        )
        figures = evaluation.figures("valid", log_det=0.0)
        names = ("valid/log_likelihood", "valid/log_likelihood_per_step", "valid/kl")
        bound = figures["valid/log_likelihood"].value
        if not math.isfinite(bound):
            raise Diverged(self.advice(f"the validation bound is {bound}"))
        progress.stale += 1
        if bound > progress.best:
            progress.best, progress.best_step, progress.stale = bound, progress.step, 0
            checkpoint.save(self.directory / "best.pt", {"model": self.model.state_dict(), "step": progress.step})
        self.tell({name: figures[name].value for name in names} | {"seconds": progress.seconds})

    def out_of_patience(self) -> bool:
        return self.trainer.patience is not None and self.progress.stale >= self.trainer.patience

    def tell(self, metrics: dict[str, Any]) -> None:
        metrics = {"step": self.progress.step, "epoch": self.progress.epoch, **metrics}
        for observer in self.observers:
            observer.log(metrics)

    def require_finite(self, sums: dict[str, float]) -> None:
        for name in ("loss", "gradient_norm"):
            if not math.isfinite(sums[name]):
                raise Diverged(self.advice(f"the {name.replace('_', ' ')} is {sums[name]}"))

    def advice(self, what: str) -> str:
        return (
            f"training diverged: {what} at step {self.progress.step} (epoch {self.progress.epoch}); "
            "the checkpoints from before are kept; try a smaller optimizer.lr, a smaller trainer.max_grad_norm "
            "or a larger likelihood.min_std"
        )

    def save(self) -> None:
        """Everything that the next update depends on, in last.pt; weights that are not finite are refused."""
        if self.sums:
            self.require_finite({name: float(self.sums[name]) for name in ("loss", "gradient_norm")})
        if not all(bool(parameter.isfinite().all()) for parameter in self.model.parameters()):
            raise Diverged(self.advice("a weight is not finite"))
        content = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "sums": self.sums,
            "progress": asdict(self.progress),
        }
        checkpoint.save(self.directory / "last.pt", content)

    def load(self) -> None:
        """The state of last.pt; new limits and learning-rate schedule follow the trainer, not the file."""
        content = checkpoint.load(self.directory / "last.pt", self.trainer.device)
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.generator.set_state(content["generator"].cpu())
        self.sums = content["sums"]
        self.progress = Progress(**content["progress"])
