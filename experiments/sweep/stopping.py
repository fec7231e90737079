"""Ending a job of a multirun early where others were better at the same point (Golovin et al. 2017, section 3.2.2)."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from omegaconf import DictConfig

from experiments.config.build import require_integer
from experiments.disk.reading import CheckedMetrics
from experiments.errors import UserError
from experiments.run.stopping_rule import StoppingRule

BOUND = "valid/log_likelihood"


class StopBelow(StoppingRule):
    """The rule multirun.stop_below, for one job.

    After every validation: the job ends if its best bound so far is below the given quantile of the best bounds that
    the other jobs had reached by the same epoch. They are read from the metrics of the other jobs, so it makes no
    difference where these run. What ends so is measured and counts as done; which jobs end depends on the order in
    which they run.

    Args:
      directory: of the job; the others lie beside it.
      quantile: 0.5 is the median.
      after: epochs that every job may have.
      jobs: others that must have come as far.

    Attributes:
      reason: why the job ended early; empty: it did not.

    Raises:
      UserError: a value out of its range.
    """

    def __init__(self, directory: Path, quantile: float, after: int, jobs: int):
        if type(quantile) not in (int, float) or not 0.0 < quantile < 1.0:
            raise UserError(f"multirun.stop_below.quantile={quantile}: expected a number between 0 and 1, such as 0.5")
        require_integer("multirun.stop_below.after", after, 1)
        require_integer("multirun.stop_below.jobs", jobs, 1)
        self.directory, self.quantile, self.after, self.jobs = directory, quantile, after, jobs

    def start(self, step: int, total_steps: int) -> None:
        if step:  # resumed: what has been decided before the interruption is decided again
            self.judge(best_by_epoch(self.directory))

    def log(self, metrics: dict[str, Any]) -> None:
        if BOUND in metrics:
            # Its own file may be written after this is called.
            before = best_by_epoch(self.directory)
            epoch, bound = metrics["epoch"], metrics[BOUND]
            self.judge(before | {epoch: max([bound, *before.values()])})

    def judge(self, best: dict[int, float]) -> None:
        """Decides, from the best bound after each epoch."""
        epoch = max(best, default=0)
        if epoch < self.after:
            return
        folders = (file.parent for file in self.directory.parent.glob("*/metrics.jsonl"))
        histories = [best_by_epoch(folder) for folder in folders if folder != self.directory]
        others = [history[epoch] for history in histories if epoch in history]
        if len(others) < self.jobs:
            return
        threshold = float(np.quantile(others, self.quantile))
        if best[epoch] < threshold:
            self.reason = (
                f"ended after epoch {epoch}: its best bound on valid, {best[epoch]:,.2f}, was below {threshold:,.2f}, "
                f"the {self.quantile:g} quantile of {len(others)} other jobs by then"
            )


def best_by_epoch(folder: Path) -> dict[int, float]:
    """The best validation bound by the end of each epoch, of what a job has written so far."""
    best: dict[int, float] = {}
    try:
        lines = [line for line in CheckedMetrics(folder / "metrics.jsonl").read() if BOUND in line]
    except (OSError, UserError):
        return best
    for line in lines:
        best[line["epoch"]] = max(line[BOUND], max(best.values(), default=-np.inf))
    return best


def stop_below(rule: Any, directory: Path) -> StopBelow | None:
    """The rule multirun.stop_below; None: every job runs to its end.

    Args:
      rule: the value of the key.
      directory: of the job.

    Raises:
      UserError: it is not one.
    """
    if rule is None:
        return None
    names = ("quantile", "after", "jobs")
    if not isinstance(rule, Mapping | DictConfig) or set(rule) != set(names):
        raise UserError(f"multirun.stop_below={rule}: expected null, or the three keys {', '.join(names)}")
    return StopBelow(directory, *(rule[name] for name in names))
