"""Columns that tables of every report have: figures over seeds with their signs and marks, and every job."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from experiments.report.blocks.tables import EMPTY, NONE, Cell, Column, Filled, Table, decimals, number, plain_cell
from experiments.report.rows import Mean, Row
from experiments.run.directory import RunDirectory
from experiments.run.facts import last_line, why_not
from experiments.run.state import Job
from experiments.text import are_numbers, duration, tidy
from vrnn.training.metrics import MARKS

if TYPE_CHECKING:
    from vrnn.objectives.base import Kind

FLIPPED: dict[Kind, Kind] = {"lower_bound": "upper_bound", "upper_bound": "lower_bound"}


class Sign(NamedTuple):
    """How log-likelihoods are printed: as they are (>=), or their negatives (<=), as the field does for images."""

    negate: bool = False

    @property
    def title(self) -> str:
        return "negative log-likelihood" if self.negate else "log-likelihood"

    @property
    def better(self) -> str:
        return "lower" if self.negate else "higher"

    def value(self, value: float) -> float:
        return -value if self.negate else value

    def mark(self, kind: Kind) -> str:
        return MARKS[FLIPPED.get(kind, kind) if self.negate else kind].strip()

    def cell(self, mean: Mean | None, digits: int, *, strong: bool = False, remark: str = "") -> Cell:
        """A figure over seeds, rounded; a dash where there is none."""
        if mean is None:
            return NONE
        mark = self.mark(mean.kind)
        return number(self.value(mean.value), digits, mean.error, mark=mark, strong=strong, remark=remark)


AS_IT_IS = Sign()


def figure_cells(
    means: Sequence[Mean | None],
    sign: Sign = AS_IT_IS,
    *,
    strong: Collection[int] = (),
    dagger: bool = False,
    marked: bool = True,
    digits: int = 0,
    below: Sequence[Mean | Cell | None] = (),
) -> list[Cell]:
    """One figure of every row, all with as many digits.

    Args:
      means: of the rows; None: there is none.
      sign: how they are printed.
      strong: places of those in bold.
      dagger: mark an error that is not over seeds.
      marked: with the marks of bounds and estimates.
      digits: after the point, at the least.
      below: cells or figures of further rows; None: an empty cell.
    """
    digits = max(digits, decimals(mean.error for mean in means if mean))
    cells = []
    for place, mean in enumerate(means):
        over_sequences = dagger and mean is not None and mean.over == "sequences" and mean.error is not None
        cell = sign.cell(mean, digits, strong=place in strong, remark="†" * over_sequences)
        cells.append(cell if marked else replace(cell, mark=""))
    for each in below:
        cells.append(each if isinstance(each, Cell) else sign.cell(each, digits) if each else EMPTY)
    return cells


def name_columns(names: Mapping[str, Sequence[str | None]]) -> list[Filled]:
    """Columns that say which row or job it is: their titles, and values as one would type them."""
    return [
        (Column(title, numeric=are_numbers(texts)), [NONE if text is None else Cell(tidy(text)) for text in texts])
        for title, texts in names.items()
    ]


def seeds_cell(row: Row) -> Cell:
    """How many seeds count, and whether the sweep's own rule ended some of them."""
    counted, jobs = len(row.counted), len(row.jobs)
    stopped = sum(bool(job.result.get("stopped")) for job in row.counted)
    remark = "stopped early" if stopped == counted else f"{stopped} stopped early"
    return Cell(f"{counted} of {jobs}" if counted < jobs else str(jobs), remark=remark if stopped else "")


def trained_columns(parameters: Sequence[int | None], seconds: Sequence[float | None]) -> list[Filled]:
    """How large each row is, and how long its training took."""
    times = [NONE if each is None else Cell(duration(each)) for each in seconds]
    return [(Column("parameters"), [*map(plain_cell, parameters)]), (Column("training time", minor=True), times)]


def commit(result: Mapping[str, object]) -> str:
    """What made a result, short."""
    if not result.get("commit"):
        return "–"
    return str(result["commit"])[:10] + (" + uncommitted changes" if result.get("dirty") else "")


def jobs_table(leading: Sequence[Filled], jobs: Sequence[Job], bounds: Sequence[str], sign: Sign) -> Table:
    """Every job: how it stands, what it reached, where it lies.

    Args:
      leading: columns that name the jobs.
      jobs: in any state.
      bounds: figures of those that count, which are those that have the first.
      sign: how the figures are printed.
    """
    counted = [job.result["figures"] if why_not(job, bounds[0]) is None else {} for job in jobs]
    digits = decimals(figures[bounds[0]]["standard_error"] for figures in counted if figures)
    columns = [*leading, (Column("state", numeric=False), [Cell(job.state) for job in jobs])]
    for name in bounds:
        shown = [figures.get(name) for figures in counted]
        cells = [
            number(sign.value(each["value"]), digits, mark=sign.mark(each["kind"])) if each else NONE for each in shown
        ]
        columns.append((Column(f"{name.partition('/')[0]} {sign.title}", "nats per sequence"), cells))
    last = [last_line(job) for job in jobs]
    seconds = [line.get("seconds", job.result.get("seconds")) for line, job in zip(last, jobs, strict=True)]
    updates = [job.result.get("step") or line.get("step") for line, job in zip(last, jobs, strict=True)]
    folders = {job.run.path.parent for job in jobs}
    together = len(folders) == 1
    columns += [
        (Column("updates"), [*map(plain_cell, updates)]),
        (Column("training time"), [NONE if each is None else Cell(duration(each)) for each in seconds]),
        (Column("stopped early", numeric=False), [plain_cell(job.result.get("stopped")) for job in jobs]),
        (Column("commit", numeric=False), [Cell(commit(job.result)) for job in jobs]),
        (Column("directory", numeric=False), [Cell(job.run.path.name if together else str(job.run)) for job in jobs]),
    ]
    return Table.of(columns, notes=[f"The directories lie in {RunDirectory(folders.pop())}."] if together else [])
