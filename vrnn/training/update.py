"""One update of the weights: estimate, gradient, clip, optimizer; nothing in it synchronises with the device."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch
from torch import Tensor, nn

from vrnn.batch import Batch
from vrnn.models.base import SequenceModel
from vrnn.objectives.base import Estimate, Objective
from vrnn.training.device import has_bf16
from vrnn.training.graphs import Graphs
from vrnn.training.segments import Segmented
from vrnn.training.settings import Settings


class Update:
    """What is done for every batch.

    Args:
      settings: precision, clip, and how the model is run.
      model: on the device of the settings.
      objective: its loss is minimised.
      optimizer: of the model's parameters; its learning rates are the peaks that a factor is applied to.
      note: told what a person should know, such as how long compiling took.
    """

    def __init__(
        self,
        settings: Settings,
        model: SequenceModel,
        objective: Objective,
        optimizer: torch.optim.Optimizer,
        note: Callable[[str], None],
    ):
        self.settings = settings
        self.objective = objective
        self.optimizer = optimizer
        self.note = note
        self.parameters = list(model.parameters())
        self.base_rates = [group["lr"] for group in optimizer.param_groups]
        self.dtype = torch.bfloat16 if settings.precision == "bf16" else None
        self.model = model if settings.checkpoint_segments is None else Segmented(model, settings.checkpoint_segments)
        if self.dtype is not None and not has_bf16(settings.device):
            note("this CPU multiplies no bfloat16 itself and emulates it: precision=bf16 is slower than fp32 here")
        self.compiling = settings.compile
        if settings.compile:
            self.model = torch.compile(self.model)
        self.gradient: Callable[..., tuple[Estimate, Tensor]] = self._gradient
        if settings.uses_cuda_graph:
            self.gradient = Graphs(self._gradient, self.parameters, objective.weights, note)

    def __call__(
        self, batch: Batch, step: int, noise: Tensor, state: tuple | None, factor: float
    ) -> tuple[Estimate, Tensor]:
        """Updates the weights; returns the estimate, and the gradient's norm before the clip [].

        Args:
          batch, step, noise, state: see `Objective`.
          factor: on the learning rates.
        """
        for group, rate in zip(self.optimizer.param_groups, self.base_rates, strict=True):
            group["lr"] = rate * factor
        started = time.monotonic()
        estimate, norm = self.gradient(batch, step, noise, state)
        if self.compiling:
            self.note(f"torch.compile took {time.monotonic() - started:.0f} s for batches of this shape")
            self.compiling = False
        self.optimizer.step()
        return estimate, norm

    def _gradient(self, batch: Batch, step: int, noise: Tensor, state: tuple | None) -> tuple[Estimate, Tensor]:
        """Leaves the clipped gradient in the parameters."""
        device = batch.x.device.type
        capturing = device == "cuda" and torch.cuda.is_current_stream_capturing()
        with torch.autocast(device, self.dtype, enabled=self.dtype is not None, cache_enabled=not capturing):
            estimate = self.objective(self.model, batch, step, noise, state)
        self.optimizer.zero_grad(set_to_none=True)
        estimate.loss.backward()
        state = type(estimate.state)(*(field.detach() for field in estimate.state))
        estimate = estimate._replace(loss=estimate.loss.detach(), state=state)  # autograd's record ends with the step
        return estimate, nn.utils.clip_grad_norm_(self.parameters, self.settings.max_grad_norm)
