"""One update of the weights: gradient and optimizer; nothing in it synchronises with the device."""

from __future__ import annotations

import contextlib
import time

from torch import Tensor

from vrnn.batch import Batch
from vrnn.compiled.program import machine_of
from vrnn.models.base import SequenceModel, TimeLoop
from vrnn.objectives.base import Estimate, Objective
from vrnn.training.adam import Optimizer
from vrnn.training.device import has_bf16
from vrnn.training.gradient import Gradient
from vrnn.training.graphs import Graphs
from vrnn.training.progress import Observer
from vrnn.training.settings import Settings
from vrnn.training.workers import one_thread_each

NOTABLE = 2.0  # seconds of compiling that a person is told of


class Update:
    """Updates the weights of a model, batch by batch.

    Args:
      settings: precision, clip, and how the model is run.
      model: on the device of the settings.
      objective: its loss is minimised.
      optimizer: of the model's parameters; its learning rates are the peaks that a factor is applied to.
      observer: notified of what a person should know, such as how long compiling took.
    """

    def __init__(
        self,
        settings: Settings,
        model: SequenceModel,
        objective: Objective,
        optimizer: Optimizer,
        observer: Observer,
    ):
        self.optimizer = optimizer
        self.observer = observer
        self.peak_rates = [group["lr"] for group in optimizer.param_groups]
        gradient = Gradient(settings, model, objective)
        self.gradient: Gradient | Graphs = Graphs(gradient, observer) if settings.uses_cuda_graph else gradient
        self.is_compiling = settings.compile
        self.splits = gradient.splits
        self.prepare(settings.time_loop(model), model)
        if settings.precision == "bf16" and not has_bf16(settings.device):
            observer.note(
                "this CPU multiplies no bfloat16 itself and emulates it: precision=bf16 is slower than fp32 here"
            )

    def prepare(self, loop: TimeLoop, model: SequenceModel) -> None:
        """Loads the compiled time loop, or says why there is none."""
        if loop.reason:
            self.observer.note(f"the time loop runs in torch, not compiled: {loop.reason}")
        elif loop.name == "compiled":
            seconds = machine_of(next(model.parameters()).dtype).seconds
            if seconds > NOTABLE:
                self.observer.note(f"compiling the time loop took {seconds:.0f} s; the next run finds it compiled")

    def apply(
        self, batch: Batch, step: int, noise: Tensor, state: tuple | None, rate_factor: float
    ) -> tuple[Estimate, Tensor]:
        """Updates the weights; returns the estimate, and the gradient's norm before the clip [].

        Args:
          batch, step, noise, state: see `Objective`.
          rate_factor: on the learning rates.
        """
        for group, rate in zip(self.optimizer.param_groups, self.peak_rates, strict=True):
            group["lr"] = rate * rate_factor
        started = time.monotonic()
        with one_thread_each() if self.splits else contextlib.nullcontext():
            estimate, norm = self.gradient.compute(batch, step, noise, state)
            self.optimizer.step()
        if self.is_compiling:
            self.observer.note(f"torch.compile took {time.monotonic() - started:.0f} s for batches of this shape")
            self.is_compiling = False
        return estimate, norm
