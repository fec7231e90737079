"""Weights that change while training, as pure functions of the step."""

from __future__ import annotations

from vrnn.nn import require_at_least


class Linear:
    """From `start` to `end` over the first `steps` updates, then `end`.

    Raises:
      ValueError: steps negative.
    """

    def __init__(self, start: float, end: float, steps: int):
        require_at_least(0, steps=steps)
        self.start = start
        self.end = end
        self.steps = steps

    def __call__(self, step: int) -> float:
        """The weight after `step` updates."""
        if step >= self.steps:
            return self.end
        return self.start + (self.end - self.start) * step / self.steps
