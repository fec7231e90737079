"""The settings of a training run, and what values they may have."""

from __future__ import annotations

import math
from typing import Literal

from vrnn.nn import require_at_least
from vrnn.training.device import find_device, require_compiler


class Settings:
    """How long, in which portions and where a model is trained.

    Args:
      max_epochs: epochs to train; None: no limit but max_steps.
      max_steps: updates to train; None: no limit but max_epochs.
      batch_size: sequences per update.
      tbptt: steps per update where sequences are cut in time: each stretch goes on from the state of the one before,
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
      compile: train through torch.compile: minutes before the first update, then faster where steps are small. It
        unrolls the time loop, so every length of a batch is compiled by itself, up to the eight of torch's
        `recompile_limit`; batches of further lengths are not compiled. Of the time that it takes the first is told.
      cuda_graph: on a GPU, launch a step's kernels as one graph; auto: where there is a GPU, and neither compile nor
        checkpoint_segments, without which true is refused.
      checkpoint_segments: keep the activations of one segment of time out of so many, and compute the others again in
        the backward pass; null: keep all. With sqrt(T) segments memory grows with the square root of T.

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
    ):
        optional = {"max_epochs": max_epochs, "max_steps": max_steps, "patience": patience, "tbptt": tbptt}
        optional["checkpoint_segments"] = checkpoint_segments
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
        self.tbptt = tbptt
        self.log_every = log_every
        self.checkpoint_every = checkpoint_every
        self.test = test
        self.device = find_device(device)
        if precision not in ("fp32", "bf16"):
            raise ValueError(f"precision must be fp32 or bf16, got {precision!r}")
        if compile:
            require_compiler()
        alone = not compile and checkpoint_segments is None
        if cuda_graph is True and not (self.device.type == "cuda" and alone):
            raise ValueError(
                "cuda_graph can be true on a GPU only, without compile and checkpoint_segments; "
                f"the device is {self.device}; try auto"
            )
        self.precision = precision
        self.compile = compile
        self.checkpoint_segments = checkpoint_segments
        self.uses_cuda_graph = cuda_graph is not False and self.device.type == "cuda" and alone
