"""The gradient of a batch as a CUDA graph: thousands of small kernels launched as one."""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

from vrnn.batch import Batch
from vrnn.objectives.base import Estimate
from vrnn.training.gradient import Gradient
from vrnn.training.progress import Observer

EAGER_BATCHES = 3  # of a kind of batch that are computed as usual before a graph is captured of it
MAX_GRAPHS = 8  # capturing one takes as long as several updates


class Captured(NamedTuple):
    """A graph with the memory it reads from and writes to."""

    graph: torch.cuda.CUDAGraph
    inputs: list[Tensor]
    outputs: tuple[Estimate, Tensor]
    grads: list[Tensor | None]


class Graphs:
    """Replays the gradient for batches like those seen before, and computes it as usual for others.

    A graph repeats what was done when it was captured, numbers of the program included: so there is one for each shape
    of the inputs and for all weights that the objective has at a step. While these change with every update, as in
    a warm-up, nothing is captured. Of what a replay returns, loss, sums and norm stay; the next one overwrites the
    rest.

    Args:
      gradient: what is captured.
      observer: notified, once, why no graph could be captured.
    """

    def __init__(self, gradient: Gradient, observer: Observer):
        self.gradient = gradient
        self.observer = observer
        self.counts: dict[Any, int] = {}
        self.captured: dict[Any, Captured] = {}
        self.is_possible = True
        self.pool: Any = None  # torch names the type of its handle privately

    def compute(self, batch: Batch, step: int, noise: Tensor, state: tuple | None) -> tuple[Estimate, Tensor]:
        """What `Gradient.compute` does and returns."""
        with torch.cuda.device(batch.x.device):
            inputs, structure = tree_flatten((batch.fields, noise, () if state is None else state))
            kind = (state is None, batch.observed is None)
            key = (self.gradient.objective.weights(step), *kind, *(field.shape for field in inputs))
            if key not in self.captured and self.is_possible and len(self.captured) < MAX_GRAPHS:
                self.counts[key] = self.counts.get(key, 0) + 1
                if self.counts[key] > EAGER_BATCHES:
                    self.capture(key, step, inputs, structure)
            if key not in self.captured:
                return self.gradient.compute(batch, step, noise, state)
            return self.replay(self.captured[key], inputs)

    def replay(self, captured: Captured, inputs: list[Tensor]) -> tuple[Estimate, Tensor]:
        """Runs a graph on new inputs."""
        for memory, field in zip(captured.inputs, inputs, strict=True):
            memory.copy_(field)
        captured.graph.replay()
        for parameter, grad in zip(self.gradient.parameters, captured.grads, strict=True):
            parameter.grad = grad
        estimate, norm = captured.outputs
        sums = {name: value.clone() for name, value in estimate.sums.items()}
        return estimate._replace(sums=sums, loss=estimate.loss.clone()), norm.clone()

    def capture(self, key: Any, step: int, inputs: list[Tensor], structure: TreeSpec) -> None:
        """Captures a graph for such inputs, flattened; where that fails, notes it, and no other is tried."""
        memory = [field.detach().clone() for field in inputs]

        def compute() -> tuple[Estimate, Tensor]:
            fields, noise, state = tree_unflatten(memory, structure)
            return self.gradient.compute(Batch(*fields), step, noise, state or None)

        parameters = self.gradient.parameters
        try:
            side = torch.cuda.Stream()
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):  # whatever is set up at a first call must not be captured
                _, expected = compute()
            torch.cuda.current_stream().wait_stream(side)
            for parameter in parameters:
                parameter.grad = None
            # One memory for all graphs: they run one after the other, and what one leaves is used before the next.
            self.pool = self.pool or torch.cuda.graph_pool_handle()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=self.pool):
                outputs = compute()
            graph.replay()
            if not torch.allclose(outputs[1], expected, rtol=1e-3, equal_nan=True):
                raise RuntimeError("its gradient is not that of the step itself")
        except RuntimeError as error:
            self.is_possible = False
            self.observer.note(f"no CUDA graph, updates run as usual: {str(error).splitlines()[0]}")
            return
        self.captured[key] = Captured(graph, memory, outputs, [parameter.grad for parameter in parameters])
