"""The gradient of a batch: forward pass, loss, backward pass, clip."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from vrnn.batch import Batch
from vrnn.models.base import Forward, SequenceModel, SequenceTerms, State
from vrnn.objectives.base import Estimate, Objective
from vrnn.training.recompute import Recomputed
from vrnn.training.settings import Settings
from vrnn.training.workers import Split


class Compiled:
    """A model whose forward pass, and whose step alone, are compiled when they are first called."""

    def __init__(self, model: Forward):
        self.initial_state, self.prepare = model.initial_state, model.prepare
        self.forward, self.step = torch.compile(model), torch.compile(model.step)

    def __call__(self, batch: Batch, noise: Tensor, state: State | None = None) -> tuple[SequenceTerms, State]:
        return self.forward(batch, noise, state)


class Gradient:
    """Computes the gradient of an objective's loss in the parameters of a model.

    Args:
      settings: precision, clip, and how the model is run.
      model: on the device of the settings.
      objective: its loss is what the gradient is of.
    """

    def __init__(self, settings: Settings, model: SequenceModel, objective: Objective):
        self.objective = objective
        self.parameters = list(model.parameters())
        self.max_norm = settings.max_grad_norm
        self.autocast_dtype = settings.products
        self.model: Forward = model
        if settings.checkpoint_segments is not None:
            self.model = Recomputed(model, settings.checkpoint_segments)
        if settings.compile:
            self.model = Compiled(self.model)
        workers = torch.get_num_threads()
        self.splits = workers > 1 and settings.time_loop(model).name == "compiled"
        if self.splits:
            self.model = Split(self.model, model, workers)

    def compute(self, batch: Batch, step: int, noise: Tensor, state: tuple | None) -> tuple[Estimate, Tensor]:
        """Leaves the clipped gradient in the parameters; returns the estimate, and the norm before the clip [].

        Args:
          batch, step, noise, state: see `Objective`.
        """
        device = batch.x.device.type
        capturing = device == "cuda" and torch.cuda.is_current_stream_capturing()
        dtype = self.autocast_dtype
        with torch.autocast(device, dtype, enabled=dtype is not None, cache_enabled=not capturing):
            estimate = self.objective(self.model, batch, step, noise, state)
        for parameter in self.parameters:
            parameter.grad = None
        estimate.loss.backward()
        after = tree_map(Tensor.detach, estimate.state)
        estimate = estimate._replace(loss=estimate.loss.detach(), state=after)  # autograd's record ends with the update
        return estimate, clip_gradient(self.parameters, self.max_norm)


@torch.no_grad()
def clip_gradient(parameters: Sequence[Tensor], max_norm: float) -> Tensor:
    """Scales the gradient down to a norm of at most `max_norm`; returns the norm before [].

    The numbers are those of `torch.nn.utils.clip_grad_norm_`, in half its time at small sizes.

    Args:
      parameters: of one device; those without a gradient count nothing.
      max_norm: infinite: nothing is clipped.
    """
    grads = [parameter.grad for parameter in parameters if parameter.grad is not None]
    if not grads:
        return torch.zeros(())
    norm = torch.linalg.vector_norm(torch.stack(torch._foreach_norm(grads)))
    factor = (max_norm / (norm + 1e-6)).clamp(max=1.0)
    if norm.device.type != "cpu" or float(factor) != 1.0:  # only a CPU can be asked without waiting for it
        torch._foreach_mul_(grads, factor)
    return norm
