"""The contract of a rule that may end a job's training early, of which a run knows no more than this."""

from __future__ import annotations

from vrnn.training.progress import Observer


class StoppingRule(Observer):
    """Follows a training, and says after every update whether it is to end.

    Attributes:
      reason: why the training ended early; empty: it did not.
      is_pruner: whether what it ends is a pruned trial of a search.
    """

    reason = ""
    is_pruner = False

    def __call__(self) -> bool:
        """Whether to end."""
        return bool(self.reason)
