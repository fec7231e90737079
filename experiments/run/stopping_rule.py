"""The contract of a rule that may end a job's training early, of which a run knows no more than this."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from omegaconf import DictConfig

from vrnn.training.progress import Observer


class StoppingRule(Observer):
    """Follows a training, and says after every update whether it is to end.

    Attributes:
      reason: why the training ended early; empty: it did not.
    """

    reason = ""

    def __call__(self) -> bool:
        """Whether to end."""
        return bool(self.reason)


MakesStoppingRule = Callable[[DictConfig, Path], StoppingRule | None]  # of a job's config and directory
