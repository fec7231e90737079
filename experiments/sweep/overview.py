"""How multiruns and their jobs stand, as tables for a terminal."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from experiments.run.facts import why_not
from experiments.run.state import State
from experiments.sweep.plan import SweepJob, SweepPlan
from experiments.text import duration, short_names, tidy
from vrnn.training.metrics import MARKS

# In the order of rows: what asks for attention and what moves comes first.
STYLES: dict[State, str] = {
    "running": "cyan",
    "failed": "red",
    "interrupted": "yellow",
    "stale": "yellow",
    "resumed": "green",
    "done": "green",
    "waiting": "dim",
}


class JobProgress:
    """How far one job is, read from what it has written.

    Attributes:
      state: of the job.
      fraction: of its updates done, 0 to 1; None: unknown.
      best: best validation bound so far; None: none yet.
      mark: of that bound: lower bound, estimate or exact.
      left: seconds, at its own mean speed; None: unknown, or nothing is left.
      remark: why it failed, or was ended early.
    """

    def __init__(self, sweep_job: SweepJob):
        job = sweep_job.job
        self.settings, self.words, self.state = sweep_job.settings, sweep_job.words, job.state
        lines: list[dict[str, Any]] = [] if job.state in ("waiting", "stale") else list(job.run.metrics.read())
        last = lines[-1] if lines else {}
        step, total = last.get("step", 0), last.get("total_steps")
        self.fraction = 1.0 if job.is_over else step / total if total else None
        bounds = [line for line in lines if "valid/log_likelihood" in line]
        self.best = max((line["valid/log_likelihood"] for line in bounds), default=None)
        kind = bounds[-1].get("kind") if bounds else None
        self.mark = "" if kind is None else MARKS.get(kind, "")
        running = job.state == "running" and total and step
        self.left = last["seconds"] / step * (total - step) if running else None
        self.seconds = last.get("seconds")
        reason = job.state in ("failed", "resumed")
        self.remark = why_not(job, "valid/log_likelihood") if reason else job.result.get("stopped", "")


def overview(plan: SweepPlan, jobs: Sequence[SweepJob], height: int | None = None) -> RenderableType:
    """A row for each job, and one bar for all of them.

    Args:
      plan: of the multirun.
      jobs: as they stand.
      height: lines that there is room for; those that do not fit are counted. None: all are shown.
    """
    order = list(STYLES)
    progresses = [JobProgress(sweep_job) for sweep_job in jobs]
    worst = -math.inf
    rows = sorted(progresses, key=lambda one: (order.index(one.state), -(one.best if one.best is not None else worst)))
    shown = rows if height is None else rows[: max(3, height - 5)]
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    names = short_names(plan.keys)
    for key in plan.keys:
        table.add_column(names[key], overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("progress", justify="right", no_wrap=True)
    table.add_column("best valid (nats)", justify="right", no_wrap=True)
    table.add_column("time left", justify="right", no_wrap=True)
    for one in shown:
        cells = [Text(tidy(one.settings.get(key, "–"))) for key in plan.keys]
        cells.append(Text(one.state, style=STYLES[one.state]))
        cells.append(Text("" if one.fraction is None else f"{one.fraction:.0%}"))
        cells.append(Text("" if one.best is None else f"{one.mark}{one.best:,.2f}"))
        cells.append(Text("" if one.left is None else duration(one.left)))
        table.add_row(*cells)
    parts: list[RenderableType] = [table]
    if len(shown) < len(rows):
        parts.append(Text(f"and {len(rows) - len(shown)} more", style="dim"))
    if height is None:  # there is room for reasons
        parts += [Text(f"{one.words}: {one.remark}") for one in rows if one.remark]
    return Group(*parts, "", bar(plan, progresses))


def listing(plans: Sequence[SweepPlan]) -> Table:
    """A row for each multirun, the latest first: how many of its jobs are in which state, and its best bound."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("sweep", overflow="fold")
    table.add_column("what varies", overflow="fold")
    table.add_column("jobs", justify="right", no_wrap=True)
    table.add_column("")
    table.add_column("best valid (nats)", justify="right", no_wrap=True)
    table.add_column("last started", no_wrap=True)
    for plan in sorted(plans, key=lambda plan: plan.started, reverse=True):
        progresses = [JobProgress(sweep_job) for sweep_job in plan.jobs()]
        reached = [(one.best, one.mark) for one in progresses if one.best is not None]
        best = max(reached, key=lambda pair: pair[0], default=None)
        bound = "" if best is None else f"{best[1]}{best[0]:,.2f}"
        started = datetime.fromtimestamp(plan.started).isoformat(" ", "minutes")
        varies = ", ".join(short_names(plan.keys).values())
        table.add_row(plan.directory.name, varies, f"{plan.total:,}", states(plan, progresses), bound, started)
    return table


def states(plan: SweepPlan, progresses: Sequence[JobProgress]) -> Text:
    """How many jobs are in which state, those that are not known yet included."""
    counts = count_states(plan, progresses)
    return Text(", ").join(Text(f"{counts[state]} {state}", style=STYLES[state]) for state in STYLES if counts[state])


def count_states(plan: SweepPlan, progresses: Sequence[JobProgress]) -> Counter[State]:
    counts = Counter(one.state for one in progresses)
    counts["waiting"] += max(0, plan.total - len(progresses))
    return counts


def bar(plan: SweepPlan, progresses: Sequence[JobProgress]) -> RenderableType:
    """All jobs in one bar, how many are in which state, and the time that they will take."""
    done = sum(one.fraction or 0.0 for one in progresses)
    left = time_left(plan, progresses)
    line = Table.grid(padding=(0, 2), expand=True)
    line.add_column(ratio=1, max_width=40)
    line.add_column(no_wrap=True)
    line.add_column(no_wrap=True)
    words = "" if left is None else f"about {duration(left)} left"
    line.add_row(ProgressBar(total=max(plan.total, 1), completed=done), states(plan, progresses), words)
    return line


def time_left(plan: SweepPlan, progresses: Sequence[JobProgress]) -> float | None:
    """Seconds until the last job ends, as many running at a time as now; None: nothing runs, or nothing is known."""
    counts = count_states(plan, progresses)
    running = counts["running"]
    known = [one.seconds for one in progresses if one.state == "done" and one.seconds]
    known += [one.seconds + one.left for one in progresses if one.left is not None and one.seconds]
    if not running or not known:
        return None
    mean = sum(known) / len(known)
    open_jobs = [one.left if one.left is not None else mean for one in progresses if one.state == "running"]
    return (sum(open_jobs) + mean * counts["waiting"]) / running
