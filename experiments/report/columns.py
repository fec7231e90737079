"""What stands in the columns of every report: figures over seeds, every job, and the same as plain values."""

from __future__ import annotations

import csv
import io
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from experiments.report.blocks.tables import EMPTY, NONE, Cell, Column, Filled, Table, decimals, number, plain_cell
from experiments.report.rows import Mean, Row, commit, updates_and_seconds
from experiments.run.directory import RunDirectory
from experiments.run.facts import valid_evaluations, why_not
from experiments.run.state import Job
from experiments.text import are_numbers, as_number, duration, tidy
from vrnn.training.metrics import MARKS

if TYPE_CHECKING:
    from vrnn.objectives.base import Kind

FLIPPED: dict[Kind, Kind] = {"lower_bound": "upper_bound", "upper_bound": "lower_bound"}


FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # with which a spreadsheet's formulas begin


class Sign(NamedTuple):
    """How log-likelihoods are printed: as they are (>=), or their negatives (<=), as the field does for images.

    If not `marked`, nothing tells bounds and estimates from exact values.
    """

    negate: bool = False
    marked: bool = True

    @property
    def title(self) -> str:
        return "negative log-likelihood" if self.negate else "log-likelihood"

    @property
    def better(self) -> str:
        return "lower" if self.negate else "higher"

    def value(self, value: float) -> float:
        return -value if self.negate else value

    def mark(self, kind: Kind) -> str:
        return MARKS[FLIPPED.get(kind, kind) if self.negate else kind].strip() if self.marked else ""

    def in_words(self, mean: Mean) -> str:
        """A figure in a sentence, in which no line ends within it: ≥ -99.50 ± 0.50 nats per sequence."""
        return f"{self.cell(mean, decimals([mean.error]))}".replace(" ", "\N{NO-BREAK SPACE}") + f" {mean.unit}"

    def cell(self, mean: Mean | None, digits: int, **rest: Any) -> Cell:
        """A figure over seeds, rounded, with further fields of its cell; a dash where there is none."""
        if mean is None:
            return NONE
        return number(self.value(mean.value), digits, mean.error, mark=self.mark(mean.kind), **rest)


AS_IT_IS, UNMARKED = Sign(), Sign(marked=False)


def figure_cells(
    means: Sequence[Mean | None],
    sign: Sign = AS_IT_IS,
    *,
    strong: Collection[int] = (),
    dagger: bool = False,
    digits: int = 0,
    below: Sequence[Mean | Cell | None] = (),
) -> list[Cell]:
    """One figure of every row, all with as many digits, `digits` at the least.

    `strong` has the places of those in bold; with `dagger`, an error that is not over seeds is marked; `below` has
    cells or figures of further rows.
    """
    digits = max(digits, decimals(mean.error for mean in means if mean))
    daggers = ["†" if dagger and mean and mean.over == "sequences" and mean.error is not None else "" for mean in means]
    cells = [sign.cell(each, digits, strong=n in strong, remark=daggers[n]) for n, each in enumerate(means)]
    return cells + [each if isinstance(each, Cell) else sign.cell(each, digits) if each else EMPTY for each in below]


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


def time_cells(seconds: Sequence[float | None]) -> list[Cell]:
    """How long each training took."""
    return [NONE if each is None else Cell(duration(each)) for each in seconds]


def jobs_table(
    names: Mapping[str, Sequence[str | None]], jobs: Sequence[Job], bounds: Sequence[str], sign: Sign
) -> Table:
    """Every job: what it is called, how it stands, what it reached, where it lies.

    `bounds` are figures of those that count, which are those that have the first.
    """
    counted = [job.result["figures"] if why_not(job, bounds[0]) is None else {} for job in jobs]
    digits = decimals(figures[bounds[0]]["standard_error"] for figures in counted if figures)
    columns = [*name_columns(names), (Column("state", numeric=False), [Cell(job.state) for job in jobs])]
    for name in bounds:
        means = [Mean.of_seeds([figures[name]]) if name in figures else None for figures in counted]
        cells = [replace(sign.cell(mean, digits), error="") for mean in means]
        columns.append((Column(f"{name.partition('/')[0]} {sign.title}", "nats per sequence"), cells))
    trained = [updates_and_seconds(job) for job in jobs]
    folders = {job.run.path.parent for job in jobs}
    together = len(folders) == 1
    columns += [
        (Column("updates"), [plain_cell(updates) for updates, _ in trained]),
        (Column("training time"), time_cells([seconds for _, seconds in trained])),
        (Column("stopped early", numeric=False), [plain_cell(job.result.get("stopped")) for job in jobs]),
        (Column("commit", numeric=False), [Cell(commit(job.result)) for job in jobs]),
        (Column("directory", numeric=False), [Cell(job.run.path.name if together else str(job.run)) for job in jobs]),
    ]
    return Table.of(columns, notes=[f"The directories lie in {RunDirectory(folders.pop())}."] if together else [])


def job_record(names: Mapping[str, Any], job: Job, judged_by: str) -> dict[str, Any]:
    """A job as plain values, counted or not: all its figures, each with kind, unit, space and errors.

    `names` tell which job it is; without the figure that it is judged by, it does not count.
    """
    (updates, seconds), reason = updates_and_seconds(job), why_not(job, judged_by)
    record = {**names, "state": job.state, "counted": reason is None, "reason": reason}
    record |= {"parameters": job.result.get("parameters"), "seconds": seconds, "updates": updates}
    record |= {"directory": str(job.run)}
    record |= {name: job.result.get(name) for name in ("stopped", "commit", "dirty", "config_hash")}
    record |= flat(job.result.get("figures", {}))
    for name, content in valid_evaluations(job).items():
        record |= flat(content["figures"], f"{name}:")
    return record


def row_record(names: Mapping[str, Any], row: Row, is_best: bool, figures: Mapping[str, Mean | None]) -> dict[str, Any]:
    """A row as plain values, each figure with its error: the log-likelihood itself, never its negative."""
    record = {**names, "seeds": len(row.counted), "jobs": len(row.jobs), "best": is_best}
    record |= {key: getattr(row.bound, key) if row.counted else None for key in ("kind", "unit", "space")}
    for name, mean in figures.items():
        record |= {name: mean and mean.value, f"{name}_error": mean and mean.error}
    return {**record, "parameters": row.parameters, "seconds": row.seconds}


def flat(figures: Mapping[str, Mapping[str, Any]], prefix: str = "") -> dict[str, Any]:
    """Figures as columns: the value under the figure's name, what else belongs to it under name/unit and so on."""
    return {
        f"{prefix}{name}" + f"/{key}" * (key != "value"): value
        for name, figure in figures.items()
        for key, value in figure.items()
    }


def as_table(records: Sequence[Mapping[str, Any]], first: Iterable[str] = ()) -> tuple[list[str], list[list[Any]]]:
    """The columns of all records, `first` before the others, and a line of values for each; None where it has none."""
    columns = list(dict.fromkeys([*first, *(key for record in records for key in record)]))
    return columns, [[record.get(key) for key in columns] for record in records]


def as_csv(records: Sequence[Mapping[str, Any]]) -> str:
    """Records as CSV; a spreadsheet takes none of their texts for a formula."""
    file = io.StringIO()
    columns, lines = as_table(records)
    csv.writer(file, lineterminator="\n").writerows([[*map(inert, line)] for line in (columns, *lines)])
    return file.getvalue()


def inert(value: Any) -> Any:
    """A cell of a spreadsheet; a text that would be read as a formula has an apostrophe before it."""
    if isinstance(value, str) and value.lstrip(" ").startswith(FORMULA) and as_number(value) is None:
        return f"'{value}"
    return value


def plain_names(names: Mapping[str, Sequence[str | None]], count: int) -> list[dict[str, Any]]:
    """What tells so many rows or jobs apart: numbers where all values of a column are, for trackers mix no types."""
    numeric = {title: are_numbers(texts) for title, texts in names.items()}
    return [
        {title: as_number(texts[n] or "") if numeric[title] else texts[n] for title, texts in names.items()}
        for n in range(count)
    ]
