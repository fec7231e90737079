"""Where a run stands, who is told of it, and how it can end early."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any


class Interrupted(Exception):
    """Training was asked to stop, and has saved its checkpoint."""


class Diverged(Exception):
    """A loss or gradient is no longer finite; the message says where, and what is at fault or what to try.

    Attributes:
      advice: the end of the message, if that says which arguments to change; empty: the data are at fault.
    """

    def __init__(self, what: str, advice: str = ""):
        super().__init__(f"{what}{advice}")
        self.advice = advice


@dataclass
class Progress:
    """Where a run stands; saved in every checkpoint.

    Attributes:
      step: updates done.
      epoch: epochs finished.
      batch: batches done in the present epoch.
      seconds: time spent training, over all resumes.
      best: best validation bound so far, in nats per sequence.
      best_step: the step that it was reached at.
      stale: validations since then.
    """

    step: int = 0
    epoch: int = 0
    batch: int = 0
    seconds: float = 0.0
    best: float = -math.inf
    best_step: int = 0
    stale: int = 0


class Observer:
    """Hears of everything that happens; each method does nothing unless a subclass has a use for it."""

    def start(self, step: int, total_steps: int) -> None:
        """Training begins, or goes on, at `step`."""

    def advance(self, step: int) -> None:
        """An update was done; called at every step, so nothing here may synchronise with the device."""

    def log(self, metrics: dict[str, Any]) -> None:
        """New metrics; `step` and `epoch` are among them."""

    def note(self, text: str) -> None:
        """Something that a person should know."""


class Observers(Observer):
    """Several observers as one, notified in their order."""

    def __init__(self, observers: Sequence[Observer]):
        self.observers = observers

    def start(self, step: int, total_steps: int) -> None:
        for observer in self.observers:
            observer.start(step, total_steps)

    def advance(self, step: int) -> None:
        for observer in self.observers:
            observer.advance(step)

    def log(self, metrics: dict[str, Any]) -> None:
        for observer in self.observers:
            observer.log(metrics)

    def note(self, text: str) -> None:
        for observer in self.observers:
            observer.note(text)
