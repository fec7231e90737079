"""The report of a sweep: one page, and the same for GitHub and for a data frame; of whatever is there already."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group

from experiments.disk.files import write_whole
from experiments.report.blocks.document import markdown, remarks_of, terminal
from experiments.report.blocks.tables import markdown_text
from experiments.report.export import written
from experiments.report.sweep.findings import SweepFindings, find
from experiments.report.sweep.importance import Importance, find_importance
from experiments.report.sweep.notes import left_out, notes, summary, warnings
from experiments.report.sweep.page import CAPTION, OPEN, sweep_page
from experiments.report.sweep.plots import draw
from experiments.report.sweep.tables import plain, ranking_table, records, short_table
from experiments.sweep.plan import SweepJob, SweepPlan
from experiments.tracking.guard import WITHOUT, Guard

TOP = 10  # configurations that a terminal shows


@dataclass(frozen=True)
class Sweep:
    """What was written, and what else is made of it.

    Attributes:
      findings: the jobs, sorted.
      importance: of the swept keys, or why there is none.
      columns, data: the configurations as plain values, one line each, for a tracker.
      files: the page, the tables, and the pictures.
    """

    findings: SweepFindings
    importance: Importance | str
    columns: list[str]
    data: list[list[Any]]
    files: list[Path]

    @property
    def best(self) -> SweepJob | None:
        """Of the best configuration, the seed that is best on the validation set."""
        return self.findings.best

    def terminal(self) -> Group:
        """What a terminal shows of it."""
        found = self.findings
        table = short_table(found, TOP) if found.ranked else None
        return terminal(table, summary(found), remarks_of(left_out(found), warnings(found)))


def write_sweep(plan: SweepPlan, jobs: Sequence[SweepJob], *, title: str) -> Sweep:
    """Writes sweep.html, .md and .csv, and figures/, in the sweep's directory.

    Args:
      plan: of the sweep.
      jobs: all that are known, in any state; those that are not done are named and not counted.
      title: of the report.
    """
    found = find(plan, jobs)
    importance = find_importance(found)
    pictures: dict[str, tuple[Path, str]] = {}
    with Guard("pictures of the report", WITHOUT):
        pictures = draw(found, importance, plan.directory / "figures")
    texts = {"sweep.md": as_markdown(found, pictures, title), "sweep.csv": written(records(found))}
    for name, text in texts.items():
        write_whole(plan.directory / name, text)
    page = sweep_page(found, importance, pictures, title).write(plan.directory / "sweep.html")
    files = [page, *(plan.directory / name for name in texts), *(file for file, _ in pictures.values())]
    return Sweep(found, importance, *plain(found), files)


def as_markdown(found: SweepFindings, pictures: Mapping[str, tuple[Path, str]], title: str) -> str:
    """The report for GitHub: the best configurations and the pictures."""
    parts = [*map(markdown_text, summary(found))]
    if found.ranked:
        parts.append(ranking_table(found, slice(OPEN), CAPTION, notes(found)).markdown().rstrip())
    rest = len(found.ranked) - OPEN
    parts += [f"{rest} more configurations: see sweep.csv."] if rest > 0 else []
    remarks = remarks_of(left_out(found), warnings(found))
    return markdown(title, parts, remarks, [], pictures, found.plan.command_to_show)
