"""A batch over several threads: each takes its sequences through the whole model, forward and back, on its own.

torch's own threads meet after every operation and spin until the last has come: beside a busy process they lose most
of their speed. These meet twice in an update.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable
from torch.utils._pytree import tree_flatten, tree_map, tree_unflatten

from vrnn.batch import Batch
from vrnn.models.base import Forward, SequenceModel, SequenceTerms, State

R = TypeVar("R")
SMALL = 1e9  # multiplications and additions of an update below which threads cost more than they bring
ROWS = 8  # sequences that the compiled products take at a time


@contextlib.contextmanager
def one_thread_each() -> Iterator[int]:
    """torch's operations run on one thread meanwhile; its value is how many they had."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield threads
    finally:
        torch.set_num_threads(threads)


def parts_of(rows: int, workers: int) -> list[int]:
    """Sizes of the parts that rows are cut into, multiples of `ROWS` but for the last."""
    size = -(-rows // (workers * ROWS)) * ROWS
    return [min(size, rows - start) for start in range(0, rows, size)]


class Split:
    """A model whose forward and backward pass run on several threads, each with a part of the batch.

    The gradient is the sum of those of the parts in their order, so that it depends on the number of threads, and on
    nothing else. Without a gradient, or on a batch that is small, it is the model itself.

    Args:
      forward: of the model, or of one that computes it by parts.
      model: whose sequences do not know of each other.
      workers: threads.
    """

    def __init__(self, forward: Forward, model: SequenceModel, workers: int):
        self.whole = forward
        self.initial_state, self.prepare, self.step = forward.initial_state, forward.prepare, forward.step
        self.parameters = [parameter for parameter in model.parameters() if parameter.requires_grad]
        self.work = 6.0 * model.num_parameters
        self.workers = workers
        self.structure: Any = None  # of the state after a batch
        self.pool = ThreadPoolExecutor(max(1, workers - 1), initializer=torch.set_num_threads, initargs=(1,))

    def __call__(self, batch: Batch, noise: Tensor, state: State | None = None) -> tuple[SequenceTerms, State]:
        sizes = parts_of(batch.size, self.workers)
        if len(sizes) == 1 or not torch.is_grad_enabled() or self.work * batch.mask.numel() < SMALL:
            return self.whole(batch, noise, state)
        fields = zip(*(field.split(sizes) for field in (*batch.fields, noise)), strict=True)
        leaves, structure = tree_flatten(state)  # no state is a single leaf
        parts = zip(*([None] * len(sizes) if leaf is None else leaf.split(sizes) for leaf in leaves), strict=True)
        states = [tree_unflatten(list(part), structure) for part in parts]
        calls = [(Batch(*rows), eps, start) for (*rows, eps), start in zip(fields, states, strict=True)]
        log_px, kl, log_ratio, *after = _Parallel.apply(self, calls, *self.parameters)
        return SequenceTerms(log_px, kl, log_ratio), tree_unflatten(after, self.structure)

    def at_once(self, function: Callable[..., R], calls: Sequence[tuple]) -> list[R]:
        """The results of the calls, the first of them made by this thread."""
        others = [self.pool.submit(function, *call) for call in calls[1:]]
        try:
            first = function(*calls[0])
        finally:
            found = [other.exception() for other in others]  # nobody is left behind
        for error in found:
            if error is not None:
                raise error
        return [first, *(other.result() for other in others)]

    def forward_part(self, batch: Batch, noise: Tensor, state: State | None) -> tuple[SequenceTerms, State]:
        with torch.enable_grad():
            return self.whole(batch, noise, state)

    def backward_part(self, terms: SequenceTerms, grads: Sequence[Tensor]) -> tuple[Tensor | None, ...]:
        wanted = [(term, grad) for term, grad in zip(terms, grads, strict=True) if term.requires_grad]
        outputs, outside = zip(*wanted, strict=True)
        return torch.autograd.grad(outputs, self.parameters, outside, allow_unused=True)


class _Parallel(torch.autograd.Function):
    """The parts' terms as one, and their gradients in the parameters."""

    @staticmethod
    def forward(ctx: Any, split: Split, calls: Sequence[tuple], *_: Tensor) -> tuple[Tensor, ...]:
        found = split.at_once(split.forward_part, calls)
        ctx.split, ctx.terms, ctx.sizes = split, [terms for terms, _ in found], [call[0].size for call in calls]
        terms = [torch.cat([term.detach() for term in part]) for part in zip(*ctx.terms, strict=True)]
        states, structures = zip(*(tree_flatten(tree_map(Tensor.detach, state)) for _, state in found), strict=True)
        split.structure = structures[0]
        after = [torch.cat(part) for part in zip(*states, strict=True)]
        ctx.mark_non_differentiable(*after)
        return (*terms, *after)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, ...]:
        parts = zip(*(grad.split(ctx.sizes) for grad in grads[:3]), strict=True)
        found = ctx.split.at_once(ctx.split.backward_part, list(zip(ctx.terms, parts, strict=True)))
        ctx.terms = None
        return (None, None, *map(_total, zip(*found, strict=True)))


def _total(grads: Sequence[Tensor | None]) -> Tensor | None:
    """Their sum in this order, in the memory of the first."""
    known = [grad for grad in grads if grad is not None]
    if not known:
        return None
    first, *others = known
    for other in others:
        first = first + other
    return first
