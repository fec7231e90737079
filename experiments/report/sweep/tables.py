"""The tables of a sweep: its configurations from the best one down, and every job."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from experiments.report.blocks.cells import NONE, Mean, Sign, mean_cell, seeds_cell
from experiments.report.blocks.scales import Scale
from experiments.report.blocks.tables import Cell, Column, Table, decimals, number
from experiments.report.export import flat
from experiments.report.rows import Row
from experiments.report.sweep.findings import SEED, VALID, Configuration, SweepFindings
from experiments.run.facts import last_line, seed_of, why_not
from experiments.sweep.plan import SweepJob
from experiments.text import as_number, duration, short_names, tidy

STEP, KL = "valid/log_likelihood_per_step", "valid/kl"
PLAIN = Sign(negate=False)


def ranking_table(found: SweepFindings, part: slice, caption: str, notes: Sequence[str] = ()) -> Table:
    """Configurations side by side.

    Args:
      found: of the sweep.
      part: which of them.
      caption, notes: of the table.
    """
    rows = [each.row for each in found.ranked]
    bounds = [row.bound for row in rows]
    mixed = len({bound.over for bound in bounds}) > 1
    digits = {name: decimals(mean.error for row in rows if (mean := row.mean(name))) for name in (VALID, STEP)}
    # With one seed, ± is over sequences, the same for all: differences are much smaller, and are to be seen.
    gap = bounds[0].value - bounds[len(bounds) // 2].value if bounds else 0.0
    digits[VALID] = max(digits[VALID], decimals([gap]) if gap > 0 else 0)
    kl = [kl_of(row) for row in rows]
    columns = [Column("rank")]
    columns += [Column(key, numeric=found.scales[key].numeric) for key in found.keys if rows]
    columns += [
        Column("seeds"),
        Column("valid log-likelihood", "nats per sequence"),
        Column("valid log-likelihood", "nats per step", minor=True),
        *([Column("KL", "nats per sequence")] if any(kl) else []),
        Column("parameters"),
        Column("training time", minor=True),
    ]
    lines = []
    for rank, (each, row) in list(enumerate(zip(found.ranked, rows, strict=True), 1))[part]:
        line = [Cell(str(rank)), *(Cell(tidy(each.settings[key])) for key in found.keys), _seeds(row)]
        for name in (VALID, STEP):
            strong = rank == 1 and name == VALID and found.are_comparable
            line.append(mean_cell(row.mean(name), digits[name], PLAIN, strong=strong, dagger=mixed))
        if any(kl):
            line.append(replace(mean_cell(kl[rank - 1], 2, PLAIN), mark=""))  # all are averaged over draws
        line.append(NONE if row.parameters is None else Cell(f"{row.parameters:,}"))
        lines.append([*line, NONE if row.seconds is None else Cell(duration(row.seconds))])
    return Table(columns, [("", lines)], caption, notes)


def short_table(found: SweepFindings, count: int) -> Table:
    """The best configurations for a terminal, which has no room for a column of each key."""
    full, names = ranking_table(found, slice(count), ""), short_names(found.keys)
    kept = [
        place for place, column in enumerate(full.columns) if column.title not in (*found.keys, "rank", "parameters")
    ]
    lines = []
    for each, line in zip(found.ranked, full.groups[0][1], strict=False):
        settings = " ".join(f"{names[key]}={tidy(value)}" for key, value in each.settings.items())
        lines.append([Cell(settings or each.row.label), *(line[place] for place in kept)])
    some = f"The best {count} of {len(found.ranked)} configurations" if len(found.ranked) > count else "Configurations"
    columns = [Column("configuration", numeric=False), *(full.columns[place] for place in kept)]
    return Table(columns, [("", lines)], f"{some} by their mean bound on the validation set")


def jobs_table(found: SweepFindings) -> Table:
    """Every known job: its settings, how it stands, what it reached, where it lies."""
    digits = decimals(job.result["figures"][VALID]["standard_error"] for job in found.counted)
    scales = {key: Scale([each.settings.get(key, "–") for each in found.jobs]) for key in found.plan.keys}
    columns = [Column(key, numeric=scale.numeric) for key, scale in scales.items()]
    columns += [Column("state", numeric=False), Column("valid log-likelihood", "nats per sequence"), Column("updates")]
    columns += [Column("training time"), Column("stopped early", numeric=False)]
    columns.append(Column("directory", numeric=False))
    lines = []
    for each in found.jobs:
        result, line = each.job.result, last_line(each.job)
        cells = [Cell(tidy(each.settings.get(key, "–"))) for key in scales]
        cells.append(Cell(each.job.state))
        figure = result["figures"][VALID] if why_not(each.job, VALID) is None else None
        mark = PLAIN.mark(figure["kind"]) if figure else ""
        cells.append(number(figure["value"], digits, mark=mark) if figure else NONE)
        updates, seconds = updates_of(each, line), seconds_of(each, line)
        cells.append(NONE if updates is None else Cell(f"{updates:,}"))
        cells.append(NONE if seconds is None else Cell(duration(seconds)))
        cells += [Cell(result.get("stopped") or "–"), Cell(each.job.run.path.name)]
        lines.append(cells)
    note = f"The directories lie in {found.plan.directory}."
    return Table(columns, [("", lines)], notes=[note])


def records(found: SweepFindings) -> list[dict[str, Any]]:
    """Every known job as plain values, for a data frame."""
    lines = []
    numeric = {key: Scale([each.settings.get(key, "–") for each in found.jobs]).numeric for key in found.plan.keys}
    for each in found.jobs:
        job, last = each.job, last_line(each.job)
        line: dict[str, Any] = {"directory": str(job.run), "state": job.state, "reason": why_not(job, VALID)}
        for key in found.plan.keys:
            text = each.settings.get(key)
            line[key] = as_number(text) if numeric[key] and text is not None else text
        line.setdefault(SEED, seed_of(job))
        line |= flat(job.result.get("figures", {}))
        line |= {"parameters": job.result.get("parameters")}
        line |= {"seconds": seconds_of(each, last), "updates": updates_of(each, last)}
        names = ("stopped", "commit", "dirty", "config_hash")
        lines.append(line | {name: job.result.get(name) for name in names})
    return lines


def plain(found: SweepFindings) -> tuple[list[str], list[list[Any]]]:
    """Columns and lines of numbers, one line a configuration that counts, the best first."""
    figures = {"log_likelihood": VALID, "log_likelihood_per_step": STEP, "kl": KL}
    columns = ["rank", *found.keys, "seeds", "jobs", "best", "kind", "unit", "space"]
    columns += [column for name in figures for column in (name, f"{name}_error")]
    columns += ["parameters", "seconds"]
    data = []
    for rank, each in enumerate(found.ranked, 1):
        row, bound = each.row, each.bound
        line: list[Any] = [rank, *plain_settings(found, each), len(row.counted), len(row.jobs), rank == 1]
        line += [bound.kind, bound.unit, bound.space]
        for name in figures.values():
            mean = row.mean(name)
            line += [mean.value, mean.error] if mean else [None, None]
        data.append([*line, row.parameters, row.seconds])
    return columns, data


def plain_settings(found: SweepFindings, each: Configuration) -> list[Any]:
    """Values of the keys: numbers where all values of the key are numbers, words elsewhere; trackers mix no types."""
    return [as_number(each.settings[key]) if found.scales[key].numeric else each.settings[key] for key in found.keys]


def kl_of(row: Row) -> Mean | None:
    """KL on valid; None without latent variables."""
    return None if row.bound.kind == "exact" else row.mean(KL)


def updates_of(each: SweepJob, line: dict[str, Any]) -> int | None:
    return each.job.result.get("step") or line.get("step")


def seconds_of(each: SweepJob, line: dict[str, Any]) -> float | None:
    """Time spent training, over all resumes."""
    return line.get("seconds", each.job.result.get("seconds"))


def _seeds(row: Row) -> Cell:
    stopped = sum(bool(job.result.get("stopped")) for job in row.counted)
    early = "stopped early" if stopped == len(row.counted) else f"{stopped} stopped early"
    return seeds_cell(len(row.counted), len(row.jobs), early if stopped else "")
