"""The gradient of a batch as a CUDA graph: thousands of small kernels launched as one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vrnn.batch import Batch
from vrnn.objectives.base import Estimate

Gradient = Callable[[Batch, int, Tensor, tuple | None], tuple[Estimate, Tensor]]

PATIENCE = 3  # times that a key is seen before a graph is made of it
ROOM = 8  # graphs at most: making one takes as long as several steps


class Captured(NamedTuple):
    """A graph with the memory it reads from and writes to."""

    graph: torch.cuda.CUDAGraph
    inputs: list[Tensor]
    outputs: tuple[Estimate, Tensor]
    grads: list[Tensor | None]


class Graphs:
    """Replays the gradient for batches like those seen before, and computes it as usual for others.

    A graph repeats what was done when it was made, numbers of the program included: so there is one for each shape of
    the inputs and for all weights that the objective has at a step. While these change at every step, as in
    a warm-up, nothing is captured. Of what a replay returns, loss, sums and norm stay; the next one overwrites the
    rest.

    Args:
      gradient: leaves the gradient in the parameters, returns the estimate and the norm.
      parameters: those of the model.
      weights: the objective's numbers at a step.
      note: told, once, why no graph could be made.
    """

    def __init__(
        self,
        gradient: Gradient,
        parameters: list[nn.Parameter],
        weights: Callable[[int], tuple[float, ...]],
        note: Callable[[str], None],
    ):
        self.gradient = gradient
        self.parameters = parameters
        self.weights = weights
        self.note = note
        self.seen: dict[Any, int] = {}
        self.captured: dict[Any, Captured] = {}
        self.possible = True
        self.pool: tuple[int, int] | None = None

    def __call__(self, batch: Batch, step: int, noise: Tensor, state: tuple | None) -> tuple[Estimate, Tensor]:
        with torch.cuda.device(batch.x.device):
            return self._replayed(batch, step, noise, state)

    def _replayed(self, batch: Batch, step: int, noise: Tensor, state: tuple | None) -> tuple[Estimate, Tensor]:
        inputs = [batch.x, batch.lengths, batch.index, noise, *(state or ())]
        key = (self.weights(step), state is None, *(field.shape for field in inputs))
        if key not in self.captured and self.possible and len(self.captured) < ROOM:
            self.seen[key] = self.seen.get(key, 0) + 1
            if self.seen[key] > PATIENCE:
                self._try(key, step, inputs, type(state) if state is not None else None)
        if key not in self.captured:
            return self.gradient(batch, step, noise, state)
        graph, memory, (estimate, norm), grads = self.captured[key]
        for held, field in zip(memory, inputs, strict=True):
            held.copy_(field)
        graph.replay()
        for parameter, grad in zip(self.parameters, grads, strict=True):
            parameter.grad = grad
        sums = {name: value.clone() for name, value in estimate.sums.items()}
        return estimate._replace(sums=sums, loss=estimate.loss.clone()), norm.clone()

    def _try(self, key: Any, step: int, inputs: list[Tensor], state_type: type | None) -> None:
        memory = [field.detach().clone() for field in inputs]

        def run() -> tuple[Estimate, Tensor]:
            x, lengths, index, noise, *fields = memory
            state = state_type(*fields) if state_type is not None else None
            return self.gradient(Batch(x, lengths, index), step, noise, state)

        try:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):  # whatever is set up at a first call must not be captured
                _, expected = run()
            torch.cuda.current_stream().wait_stream(side)
            for parameter in self.parameters:
                parameter.grad = None
            # One memory for all graphs: they run one after the other, and what one leaves is used before the next.
            self.pool = self.pool or torch.cuda.graph_pool_handle()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self.pool):
                outputs = run()
            graph.replay()
            if not torch.allclose(outputs[1], expected, rtol=1e-3, equal_nan=True):
                raise RuntimeError("its gradient is not that of the step itself")
        except RuntimeError as error:
            self.possible = False
            self.note(f"no CUDA graph, the step runs as usual: {str(error).splitlines()[0]}")
            return
        self.captured[key] = Captured(graph, memory, outputs, [parameter.grad for parameter in self.parameters])
