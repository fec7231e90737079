"""The report of a multirun: written beside its jobs, told on the screen, and handed to the tracker."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.cli.terminal import console, say
from experiments.report.sweep.report import Sweep
from experiments.sweep.plan import SweepJob, SweepPlan
from experiments.tracking.guard import GuardedTracker
from experiments.tracking.tracked import TrackedRun


def publish(plan: SweepPlan, jobs: Sequence[SweepJob], tracker: GuardedTracker) -> None:
    """Writes sweep.html, .md and .csv, tells of them, and hands them to the tracker.

    Args:
      plan: of the multirun.
      jobs: as they stand.
      tracker: of the report.
    """
    title = f"Sweep {plan.directory.name}"
    sweep = Sweep(plan, jobs)
    sweep.write(plan.directory, title, plan.command_to_show)
    console.print(sweep.terminal())
    for path in sweep.files[:3]:
        say(str(path))
    name = plan.directory.name
    about = TrackedRun(plan.directory, title, {"keys": plan.keys}, name, "sweep report", plan.command)
    tracker.publish_report(about, *sweep.plain(), sweep.files)
