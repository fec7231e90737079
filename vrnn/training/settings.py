"""The settings of a training run, and what values they may have."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch

from vrnn.models.base import Loop, SequenceModel, TimeLoop
from vrnn.nn import require_at_least


@dataclass(frozen=True)
class Settings:
    """How long, in which portions and where a model is trained: the arguments of `Trainer`, settled for this machine.

    Attributes:
      max_grad_norm: infinite where the gradient is never clipped.
      device: one that is there.
      uses_cuda_graph: whether an update's kernels are launched as one graph.
      all others: see `Trainer`.

    Raises:
      ValueError: a value out of its range, or no limit at all.
    """

    max_epochs: int | None
    max_steps: int | None
    batch_size: int
    eval_batch_size: int
    max_grad_norm: float
    patience: int | None
    log_every: int
    checkpoint_every: int
    tbptt: int | None
    test: bool
    device: torch.device
    precision: Literal["fp32", "bf16"]
    compile: bool
    uses_cuda_graph: bool
    checkpoint_segments: int | None
    loop: Loop = "auto"

    def __post_init__(self) -> None:
        names = ("max_epochs", "max_steps", "patience", "tbptt", "checkpoint_segments")
        optional = {name: getattr(self, name) for name in names}
        require_at_least(1, **{name: value for name, value in optional.items() if value is not None})
        require_at_least(1, batch_size=self.batch_size, eval_batch_size=self.eval_batch_size)
        require_at_least(1, log_every=self.log_every, checkpoint_every=self.checkpoint_every)
        if self.max_epochs is None and self.max_steps is None:
            raise ValueError("max_epochs and max_steps are both null: give at least one, or training has no end")
        if not self.max_grad_norm > 0.0:
            raise ValueError(f"max_grad_norm must be positive, or null for no clipping; got {self.max_grad_norm}")
        if self.loop not in get_args(Loop):
            raise ValueError(
                f"loop must be {', '.join(get_args(Loop)[:-1])} or {get_args(Loop)[-1]}, got {self.loop!r}"
            )
        if self.precision not in ("fp32", "bf16"):
            raise ValueError(f"precision must be fp32 or bf16, got {self.precision!r}")

    @property
    def products(self) -> torch.dtype | None:
        """The type of the operands of the matrix products in training; None: that of the weights."""
        return torch.bfloat16 if self.precision == "bf16" else None

    def time_loop(self, model: SequenceModel) -> TimeLoop:
        """How the model, on its device, is trained; it is told which loop to take."""
        model.loop = self.loop
        found = model.time_loop(self.products)
        return TimeLoop("torch") if self.compile else found
