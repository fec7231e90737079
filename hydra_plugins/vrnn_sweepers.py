"""The suite's two sweepers, where Hydra looks for them: hydra/sweeper=grid and hydra/sweeper=search.

Hydra imports this file at every start, so all that a sweep needs is imported in `setup`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from hydra.plugins.sweeper import Sweeper
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig

if TYPE_CHECKING:
    from experiments.sweep.multirun import Multirun
    from experiments.sweep.plan import SweepJob, SweepPlan
    from experiments.tracking.guard import GuardedTracker


def publish(plan: SweepPlan, jobs: Sequence[SweepJob], tracker: GuardedTracker) -> None:
    """Writes the report of a multirun; its parts are of no use to the jobs, so they are imported at the end."""
    from experiments.report.sweep.publish import publish

    publish(plan, jobs, tracker)


class GridSweeper(Sweeper):
    """Runs every combination of values.

    Args:
      settings: of the sweeper's config, which `setup` reads there.
    """

    work: Multirun

    def __init__(self, **settings: Any):
        pass

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from experiments.sweep.grid import GridSweep

        self.work = GridSweep(hydra_context, task_function, config, publish)

    def sweep(self, arguments: list[str]) -> None:
        self.work.start()


class SearchSweeper(GridSweeper):
    """Runs the points that an Optuna study proposes."""

    def setup(self, *, hydra_context: HydraContext, task_function: TaskFunction, config: DictConfig) -> None:
        from experiments.sweep.search import SearchSweep

        self.work = SearchSweep(hydra_context, task_function, config, publish)
