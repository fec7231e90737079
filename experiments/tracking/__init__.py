"""Trackers, which follow a run from outside: Weights & Biases, or none."""

from experiments.tracking.trackers import NoTracker
from experiments.tracking.weights_and_biases import WandbTracker

__all__ = ["NoTracker", "WandbTracker"]
