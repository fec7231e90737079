"""Comparisons and sweeps for other programs: a spreadsheet of all runs, and plain values of the models."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any

from experiments.report.ranking import Ranking
from experiments.report.rows import Row
from experiments.run.facts import BOUND, seed_of, training_seconds, valid_evaluations
from experiments.text import as_number

FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")  # with which a spreadsheet's formulas begin


def as_csv(rows: Sequence[Row]) -> str:
    """One line for each job, counted or not: all its figures, each with kind, unit, space and errors."""
    lines = []
    for row in rows:
        for number, job in enumerate(row.jobs):
            result = job.result
            line = {
                "row": row.label,
                "seed": seed_of(job),
                "state": job.state,
                "counted": number not in row.left_out,
                "reason": row.left_out.get(number),
                "parameters": result.get("parameters"),
                "seconds": training_seconds(job) if result else None,
                "directory": str(job.run),
                "commit": result.get("commit"),
                "dirty": result.get("dirty"),
            }
            line |= flat(result.get("figures", {}))
            for name, content in valid_evaluations(job).items():
                line |= flat(content["figures"], f"{name}:")
            lines.append(line)
    return written(lines)


def flat(figures: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Figures as columns: the value under the figure's name, what else belongs to it under name/unit and so on."""
    return {
        f"{prefix}{name}" + f"/{key}" * (key != "value"): value
        for name, figure in figures.items()
        for key, value in figure.items()
    }


def written(lines: Sequence[dict[str, Any]]) -> str:
    """Lines as CSV, under the columns of all of them; a spreadsheet takes none of their texts for a formula."""
    file = io.StringIO()
    columns = list(dict.fromkeys(key for line in lines for key in line))
    writer = csv.writer(file, lineterminator="\n")
    table: list[list[Any]] = [columns, *([line.get(key) for key in columns] for line in lines)]
    writer.writerows([inert(value) for value in row] for row in table)
    return file.getvalue()


def inert(value: Any) -> Any:
    """A cell of a spreadsheet; a text that would be read as a formula has an apostrophe before it."""
    if isinstance(value, str) and value.lstrip(" ").startswith(FORMULA) and as_number(value) is None:
        return f"'{value}"
    return value


def plain(rows: Sequence[Row], ranking: Ranking) -> tuple[list[str], list[list[Any]]]:
    """Columns and lines of numbers, one line a model: always the log-likelihood itself, never its negative."""
    evaluations = sorted({name for row in rows for name in row.evaluations})
    columns = ["model", "seeds", "jobs", "best", "kind"]
    names: dict[str, tuple[str, str | None]]
    names = {"log_likelihood": (BOUND, None), "log_likelihood_per_step": (f"{BOUND}_per_step", None)}
    names |= {name: (BOUND, name) for name in evaluations} | {"bits_per_dim": ("test/bits_per_dim", None)}
    columns += [column for name in (*names, "kl_per_step") for column in (name, f"{name}_error")]
    columns += ["parameters", "seconds"]
    data = []
    for row in rows:
        bound = row.mean(BOUND)
        line = [row.label, len(row.counted), len(row.jobs), row.label in ranking.bold, bound.kind if bound else None]
        known = [row.mean(*name) if name[1] in (None, *row.evaluations) else None for name in names.values()]
        for mean in (*known, row.kl_per_step):
            line += [mean.value, mean.error] if mean else [None, None]
        data.append([*line, row.parameters, row.seconds])
    return columns, data
