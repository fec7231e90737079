"""Learning-rate schedules: the factor on the optimizer's rate, as a pure function of the step.

torch.optim.lr_scheduler keeps state, restores its old horizon on resume and refuses to go past it; a function of
(step, total_steps) resumes exactly, and follows when a finished run is given more epochs.
"""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int, int], float]


def _cosine(start: float, end: float, done: float) -> float:
    """From start (done = 0) to end (done = 1) along half a cosine."""
    return end + (start - end) * 0.5 * (1.0 + math.cos(math.pi * min(done, 1.0)))


def _fraction(**arguments: float) -> None:
    for name, value in arguments.items():
        if not 0.0 <= value <= 1.0:
            raise ValueError(f"{name} must be between 0 and 1, got {value}")


class Constant:
    """The optimizer's rate throughout."""

    def __call__(self, step: int, total_steps: int) -> float:
        return 1.0


class Cosine:
    """From the optimizer's rate down to `end` times it, along half a cosine (Loshchilov and Hutter 2017).

    Raises:
      ValueError: warmup or end outside [0, 1].
    """

    def __init__(self, warmup: float = 0.0, end: float = 0.0):
        """
        Args:
          warmup: fraction of the run in which the rate first rises linearly.
          end: last factor.
        """
        _fraction(warmup=warmup, end=end)
        self.warmup = warmup
        self.end = end

    def __call__(self, step: int, total_steps: int) -> float:
        rise = self.warmup * total_steps
        if step < rise:
            return (step + 1) / (rise + 1)
        return _cosine(1.0, self.end, (step - rise) / max(total_steps - rise - 1.0, 1.0))


class OneCycle:
    """Up to the optimizer's rate and down again over the whole run, both along half a cosine (Smith and Topin 2018).

    Raises:
      ValueError: a fraction outside [0, 1].
    """

    def __init__(self, warmup: float = 0.15, start: float = 0.04, end: float = 1e-4):
        """
        Args:
          warmup: fraction of the run in which the rate rises.
          start: first factor.
          end: last factor.
        """
        _fraction(warmup=warmup, start=start, end=end)
        self.warmup = warmup
        self.start = start
        self.end = end

    def __call__(self, step: int, total_steps: int) -> float:
        rise = self.warmup * total_steps
        if step < rise:
            return _cosine(self.start, 1.0, step / rise)
        return _cosine(1.0, self.end, (step - rise) / max(total_steps - rise - 1.0, 1.0))
