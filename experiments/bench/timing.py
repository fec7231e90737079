"""Times in turn: every contender is measured in every round, so that a slow minute of the machine hits all alike."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

import torch


class Timing(NamedTuple):
    """Milliseconds: the median of all rounds, and the quartiles."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: list[float]) -> Timing:
        if len(values) < 2:
            return cls(values[0], values[0], values[0])
        low, _, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(statistics.median(values), low, high)


def synchronise(device: torch.device) -> None:
    """Waits for all that was launched."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def milliseconds(work: Callable[[], object], device: torch.device, times: int = 1) -> float:
    """Time of one call, from `times` calls in a row.

    With one thread of the CPU it is the processor's time, which busy neighbours lengthen less than the clock's.
    """
    alone = device.type == "cpu" and torch.get_num_threads() == 1
    clock = time.process_time if alone else time.perf_counter
    synchronise(device)
    started = clock()
    for _ in range(times):
        work()
    synchronise(device)
    return (clock() - started) * 1e3 / times


def in_turn(
    contenders: Mapping[str, Callable[[], object]], rounds: int, device: torch.device, warmup: int = 2
) -> Iterator[dict[str, float]]:
    """Milliseconds of each contender, once a round."""
    for work in contenders.values():
        for _ in range(warmup):
            work()
    for _ in range(rounds):
        yield {name: milliseconds(work, device) for name, work in contenders.items()}
