"""One run of the training loop: everything that changes while a model is trained."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vrnn.batch import Batch
from vrnn.data.checks.inspection import describe_not_finite
from vrnn.data.splits import Splits
from vrnn.models.base import SequenceModel
from vrnn.objectives.base import Estimate, Objective
from vrnn.training import checkpoint
from vrnn.training.adam import make_optimizer
from vrnn.training.evaluation import evaluate
from vrnn.training.progress import Diverged, Interrupted, Observer, Progress
from vrnn.training.schedules import Schedule
from vrnn.training.settings import Settings
from vrnn.training.space import Space
from vrnn.training.update import Update


class Fit:
    """One run of the loop; its arguments are those of Trainer.fit, and `observer` stands for all observers."""

    def __init__(
        self,
        settings: Settings,
        model: SequenceModel,
        objective: Objective,
        splits: Splits,
        optimizer: Callable[..., torch.optim.Optimizer],
        schedule: Schedule,
        seed: int,
        directory: Path,
        observer: Observer,
    ):
        self.settings = settings
        self.model = model
        self.objective = objective
        self.train = splits.train.to(settings.device)
        self.valid = splits.valid.to(settings.device)
        self.grouping = splits.grouping
        self.standardisation = splits.standardisation
        self.optimizer = make_optimizer(optimizer, model.parameters())
        self.schedule = schedule
        self.seed = seed
        self.directory = directory
        self.observer = observer
        self.update = Update(settings, model, objective, self.optimizer, observer)
        self.generator = torch.Generator(settings.device).manual_seed(seed)
        self.progress = Progress()
        self.sums: dict[str, Tensor] = {}
        by_epochs = math.inf if settings.max_epochs is None else self.updates_in(settings.max_epochs)
        by_steps = math.inf if settings.max_steps is None else settings.max_steps
        self.total_steps = int(min(by_epochs, by_steps))

    def run(self, should_stop: Callable[[], bool], give_up: Callable[[], bool]) -> None:
        """All epochs that are left; raises Interrupted, its checkpoint saved, once `should_stop` says so."""
        progress = self.progress
        started = time.monotonic() - progress.seconds
        self.observer.start(progress.step, self.total_steps)
        while progress.step < self.total_steps and not self.out_of_patience() and not give_up():
            batches = self.train.shuffled(self.settings.batch_size, self.seed, progress.epoch)
            for index in batches[progress.batch :]:
                before = progress.step
                self.train_on(index)
                progress.seconds = time.monotonic() - started
                finished = progress.step == self.total_steps or progress.batch == len(batches)
                if progress.step // self.settings.log_every > before // self.settings.log_every:
                    self.log_training()
                if finished:
                    break
                if should_stop():
                    self.save()
                    raise Interrupted
                if progress.step // self.settings.checkpoint_every > before // self.settings.checkpoint_every:
                    self.save()
            progress.epoch += progress.batch == len(batches)
            progress.batch %= len(batches)
            self.validate()
            progress.seconds = time.monotonic() - started
            self.save()
            if should_stop() and progress.step < self.total_steps and not give_up():
                raise Interrupted

    def updates_in(self, epochs: int) -> int:
        """Updates that so many epochs have; with tbptt a batch has as many as its longest sequence has chunks."""
        size, tbptt, lengths = self.settings.batch_size, self.settings.tbptt, self.train.lengths
        if tbptt is None:
            return epochs * math.ceil(len(self.train) / size)
        batches = (index for epoch in range(epochs) for index in self.train.shuffled(size, self.seed, epoch))
        return sum(math.ceil(int(lengths[index].max()) / tbptt) for index in batches)

    def train_on(self, index: Tensor) -> None:
        """One batch: an update for each of its chunks in time, each going on from the state after the one before."""
        batch = self.train.batch(index, self.generator)
        state = None
        for chunk in batch.chunks(self.settings.tbptt):
            estimate, norm = self.update_on(chunk, state)
            # A chunk counts as that share of its sequences, or the metrics would be of no whole sequence.
            estimate.sums["sequences"] = batch.size * estimate.sums["steps"] / batch.mask.sum()
            self.accumulate(estimate, norm)
            state = estimate.state
            self.observer.advance(self.progress.step)
            if self.progress.step == self.total_steps:
                break
        self.progress.batch += 1

    def update_on(self, chunk: Batch, state: tuple | None) -> tuple[Estimate, Tensor]:
        """One update; returns the estimate, and the gradient's norm before the clip."""
        shape = (chunk.size * self.objective.num_samples, chunk.steps, self.objective.noise_dim(self.model))
        noise = torch.randn(shape, generator=self.generator, device=self.settings.device)
        done = self.progress.step
        rate_factor = self.schedule(done, self.total_steps)
        estimate, norm = self.update.apply(chunk, done, noise, state, rate_factor)
        self.progress.step += 1
        return estimate, norm

    def accumulate(self, estimate: Estimate, norm: Tensor) -> None:
        """Adds one update to the sums that the next line of metrics is made from, on the device."""
        new = {**estimate.sums, "loss": estimate.loss, "gradient_norm": norm.detach()}
        new["updates"] = torch.ones((), device=self.settings.device)
        self.sums = {name: value + self.sums[name] if self.sums else value for name, value in new.items()}

    def log_training(self) -> None:
        """Means since the last line: sums divided once by counts."""
        self.require_finite()
        sums = {name: float(value) for name, value in self.sums.items()}
        self.sums = {}
        self.log(
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
        self.require_finite()
        progress = self.progress
        evaluation = evaluate(
            self.model,
            self.objective,
            self.valid,
            batch_size=self.settings.eval_batch_size,
            seed=self.seed,
            step=progress.step,
        )
        measurements = evaluation.measurements("valid", Space())
        names = ("valid/log_likelihood", "valid/log_likelihood_per_step", "valid/kl")
        bound = measurements["valid/log_likelihood"].value
        for what, name in (("bound", "valid/log_likelihood"), ("KL", "valid/kl")):
            if not math.isfinite(measurements[name].value):
                raise self.diverged(f"the validation {what} is {measurements[name].value}")
        progress.stale += 1
        if bound > progress.best:
            progress.best, progress.best_step, progress.stale = bound, progress.step, 0
            checkpoint.save(self.directory / "best.pt", {**self.weights(), "step": progress.step})
        self.log({name: measurements[name].value for name in names} | {"seconds": progress.seconds})

    def out_of_patience(self) -> bool:
        """Whether validation has gone without improvement for as long as the trainer bears."""
        return self.settings.patience is not None and self.progress.stale >= self.settings.patience

    def log(self, metrics: dict[str, Any]) -> None:
        """Passes metrics to the observers, with the update and epoch that they belong to."""
        self.observer.log({"step": self.progress.step, "epoch": self.progress.epoch, **metrics})

    def require_finite(self) -> None:
        """Raises Diverged if a loss or gradient since the last line of metrics was not finite, and so its sum."""
        for name in ("loss", "gradient_norm"):
            total = float(self.sums.get(name, 0.0))
            if not math.isfinite(total):
                raise self.diverged(f"the {name.replace('_', ' ')} is {total}")

    def diverged(self, what: str) -> Diverged:
        """The exception that says so: the optimizer is at fault only where the data are not."""
        where = f"{what} at step {self.progress.step} (epoch {self.progress.epoch})"
        for name, part in (("train", self.train), ("valid", self.valid)):
            fault = describe_not_finite(name, part, self.grouping)
            if fault is not None:
                return Diverged(
                    f"the data are at fault: {where}; {fault}; correct what it was read from, or take it away"
                )
        return Diverged(
            f"training diverged: {where}; the checkpoints from before are kept; ",
            "try a smaller learning rate, a smaller max_grad_norm or a larger min_std",
        )

    def save(self) -> None:
        """Everything that the next update depends on, in last.pt; weights that are not finite are refused."""
        self.require_finite()
        if not all(bool(parameter.isfinite().all()) for parameter in self.model.parameters()):
            raise self.diverged("a weight is not finite")
        content = {
            **self.weights(),
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "sums": self.sums,
            "progress": asdict(self.progress),
        }
        checkpoint.save(self.directory / "last.pt", content)

    def weights(self) -> dict[str, Any]:
        """The model's, with the standardisation that they belong to."""
        return {"model": self.model.state_dict(), "standardisation": self.standardisation.as_dict()}

    def load(self) -> None:
        """The state of last.pt; new limits and learning-rate schedule follow the trainer, not the file.

        Raises:
          CheckpointError: it cannot be read, or its weights were trained under another standardisation.
        """
        file = self.directory / "last.pt"
        content = checkpoint.load(file, self.settings.device)
        trained = checkpoint.standardisation(file, content)
        if trained is not None and not self.standardisation.equals(trained):
            raise checkpoint.CheckpointError(
                f"{file}: its weights were trained under another standardisation than these data have"
            )
        self.model.load_state_dict(content["model"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.generator.set_state(content["generator"].cpu())
        self.sums = content["sums"]
        self.progress = Progress(**content["progress"])
