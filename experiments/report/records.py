"""Reports for other programs: a spreadsheet of all jobs, and plain values of the rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from experiments.report.rows import Mean, Row
from experiments.run.facts import last_line, valid_evaluations, why_not
from experiments.run.state import Job
from experiments.text import are_numbers, as_number

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # with which a spreadsheet's formulas begin


def job_record(names: Mapping[str, Any], job: Job, judged_by: str) -> dict[str, Any]:
    """A job as plain values, counted or not: all its figures, each with kind, unit, space and errors.

    Args:
      names: columns that tell which job it is.
      job: in any state.
      judged_by: the figure without which it does not count.
    """
    result, last, reason = job.result, last_line(job), why_not(job, judged_by)
    record = {**names, "state": job.state, "counted": reason is None, "reason": reason}
    record |= {"parameters": result.get("parameters"), "seconds": last.get("seconds", result.get("seconds"))}
    record |= {"updates": result.get("step") or last.get("step"), "directory": str(job.run)}
    record |= {name: result.get(name) for name in ("stopped", "commit", "dirty", "config_hash")}
    record |= flat(result.get("figures", {}))
    for name, content in valid_evaluations(job).items():
        record |= flat(content["figures"], f"{name}:")
    return record


def row_record(names: Mapping[str, Any], row: Row, is_best: bool, figures: Mapping[str, Mean | None]) -> dict[str, Any]:
    """A row as plain values: always the log-likelihood itself, never its negative.

    Args:
      names: columns that tell which row it is.
      row: the runs of one model or configuration.
      is_best: whether it is the best, or as good.
      figures: by the columns in which they stand, each with its error.
    """
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
