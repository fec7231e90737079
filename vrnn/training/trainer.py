"""The trainer, for any model, any objective, any data; it knows no names."""

from __future__ import annotations

import importlib.metadata
import math
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import torch

from vrnn.data.splits import Splits
from vrnn.models.base import Loop, SequenceModel
from vrnn.objectives.base import Objective
from vrnn.training.device import find_device, keep_memory, require_compiler
from vrnn.training.fit import Fit
from vrnn.training.progress import Observer, Observers, Progress
from vrnn.training.schedules import Schedule
from vrnn.training.settings import Settings


class Trainer:
    """Minimises an objective's loss, validates after every epoch, keeps the best and the last checkpoint.

    Args:
      max_epochs: epochs to train; None: no limit but max_steps.
      max_steps: updates to train; None: no limit but max_epochs.
      batch_size: sequences per update.
      tbptt: steps per update where sequences are cut in time: each chunk goes on from the state of the one before,
        through which no gradient flows (truncated back-propagation through time; Williams and Peng 1990); None:
        whole sequences.
      eval_batch_size: sequences at a time in evaluation; bounds do not depend on it.
      max_grad_norm: the gradient is scaled down to this norm before each update; None: never.
      patience: validations without improvement after which training stops; None: never.
      log_every: updates between two lines of training metrics.
      checkpoint_every: updates between two checkpoints within an epoch; every epoch ends with one.
      test: whether whoever called for the training is to measure the test split after it.
      device: where to train; auto takes a GPU where there is one.
      precision: bf16 makes the matrix products of training in bfloat16; densities, KL, states, weights and the
        optimizer stay in fp32, and so does every evaluation.
      compile: train through torch.compile: minutes before the first update, then faster where updates are small. It
        unrolls the time loop, so every length of a batch is compiled by itself, up to the eight of torch's
        `recompile_limit`; batches of further lengths are not compiled. Of the time that it takes the first is noted.
      cuda_graph: on a GPU, launch an update's kernels as one graph; auto: where there is a GPU, and neither compile nor
        checkpoint_segments, without which true is refused.
      checkpoint_segments: keep the activations of one chunk of time out of so many, and compute the others again in
        the backward pass; None: keep all. With sqrt(T) chunks memory grows with the square root of T.
      loop: which code runs the time loop of training and evaluation; auto: the compiled one where it can, else torch's.

    Attributes:
      settings: what the arguments come to on this machine; they never change.

    Raises:
      ValueError: a value out of its range, no limit at all, a GPU or a C++ compiler that is not there.
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
        tbptt: int | None = None,
        test: bool = True,
        device: str = "auto",
        precision: Literal["fp32", "bf16"] = "fp32",
        compile: bool = False,
        cuda_graph: bool | Literal["auto"] = "auto",
        checkpoint_segments: int | None = None,
        loop: Loop = "auto",
    ):
        if compile:
            require_compiler()
        where = find_device(device)
        can_use_graph = where.type == "cuda" and not compile and checkpoint_segments is None
        if cuda_graph is True and not can_use_graph:
            raise ValueError(
                "cuda_graph can be true on a GPU only, without compile and checkpoint_segments; "
                f"the device is {where}; try auto"
            )
        self.settings = Settings(
            max_epochs=max_epochs,
            max_steps=max_steps,
            batch_size=batch_size,
            eval_batch_size=eval_batch_size,
            max_grad_norm=math.inf if max_grad_norm is None else max_grad_norm,
            patience=patience,
            log_every=log_every,
            checkpoint_every=checkpoint_every,
            tbptt=tbptt,
            test=test,
            device=where,
            precision=precision,
            compile=compile,
            uses_cuda_graph=can_use_graph and cuda_graph is not False,
            checkpoint_segments=checkpoint_segments,
            loop=loop,
        )

    def made_by(self, model: SequenceModel) -> dict[str, str]:
        """Which code trains a model here, and its version where it is not torch's; the model is put on the device."""
        name = self.settings.time_loop(model.to(self.settings.device)).name
        return {"time_loop": name} | (
            {"llvmlite": importlib.metadata.version("llvmlite")} if name == "compiled" else {}
        )

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
          observers: notified of everything.
          should_stop: called after every batch; True saves a checkpoint and raises Interrupted.
          give_up: called after every validation; True ends training there, as a limit does.
          resume: go on from last.pt.

        Raises:
          Interrupted, Diverged, checkpoint.CheckpointError.
        """
        keep_memory()
        model.to(self.settings.device)
        fit = Fit(self.settings, model, objective, splits, optimizer, schedule, seed, directory, Observers(observers))
        if resume:
            fit.load()
        fit.run(should_stop, give_up)
        return fit.progress
