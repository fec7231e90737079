"""Trackers, which follow a run from outside: Weights & Biases, or none."""

from experiments.tracking.trackers import NoTracker, WandbTracker

__all__ = ["NoTracker", "WandbTracker"]
