"""The tables of a comparison: the models side by side, each against the best, every run, and what tells rows apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from experiments.config.diff import differing, settings
from experiments.report.blocks.cells import NONE, Mean, Sign, commit, mean_cell, seeds_cell, spread
from experiments.report.blocks.tables import Cell, Column, Table, decimals, number
from experiments.report.comparison.published import Published, Value
from experiments.report.ranking import Ranking
from experiments.report.rows import Row
from experiments.run.facts import BOUND, last_line, seed_of, training_seconds, why_not
from experiments.text import duration


def main_table(
    rows: Sequence[Row], ranking: Ranking, published: Published | None, sign: Sign, caption: str, notes: Sequence[str]
) -> Table:
    """The models side by side; columns that no row fills are left out.

    Args:
      rows: the models.
      ranking: says what is bold.
      published: numbers that may stand beside these.
      sign: how log-likelihoods are printed.
      caption, notes: of the table.
    """
    mixed = len({row.bound.over for row in rows if row.counted}) > 1
    columns = [Column("model", numeric=False), Column("seeds")]
    cells = [[Cell(row.label), seeds_cell(len(row.counted), len(row.jobs))] for row in rows]
    extra = {name: values for name, values in published.rows.items()} if published else {}
    ours = {row.label: extra.pop(row.label, []) for row in rows}
    references = references_of(rows)
    outside = [
        [Cell(name, remark=f"({values[0].source})" if values[0].source else ""), Cell()]
        for name, values in extra.items()
    ]
    below = [[Cell(name), Cell()] for name in references]

    unit, steps = (published.unit, published.steps) if published else ("nats per sequence", None)
    per_step, place = f"{BOUND}_per_step", f"{BOUND} of {steps} steps" if steps else BOUND
    if steps is not None:
        for figures in references.values():
            figures[place] = figures[per_step].times(steps, unit)

    def add(
        column: Column,
        means: list[Mean | None],
        *,
        signed: bool,
        bold: bool = False,
        marked: bool = True,
        name: str = "",
    ) -> None:
        """One column, unless no row fills it."""
        if not any(means):
            return
        digits = decimals(mean.error for mean in means if mean)
        columns.append(column)
        for row, line, mean in zip(rows, cells, means, strict=True):
            strong = bold and row.label in ranking.bold
            cell = mean_cell(mean, digits, sign if signed else Sign(False), strong=strong, dagger=mixed)
            line.append(cell if marked else replace(cell, mark=""))
        for values, line in zip(extra.values(), outside, strict=True):
            line.append(_published(values, sign, estimate=False) if name == place else Cell())
        for figures, line in zip(references.values(), below, strict=True):
            line.append(mean_cell(figures.get(name), digits, sign) if name in figures else Cell())

    bound = [row.mean(BOUND) for row in rows]
    add(Column(sign.title, "nats per sequence"), bound, signed=True, bold=True, name=BOUND)
    later = sorted({name for row in rows for name in row.evaluations})
    for evaluation in later:
        means = [row.mean(BOUND, evaluation) if evaluation in row.evaluations else None for row in rows]
        add(Column(evaluation.upper(), "nats per sequence"), means, signed=True)
    means = [row.mean(per_step) for row in rows]
    add(Column(sign.title, "nats per step", minor=True), means, signed=True, name=per_step)
    if steps is not None:
        add(Column(sign.title, unit), [mean and mean.times(steps, unit) for mean in means], signed=True, name=place)
        for evaluation in later:
            means = [row.mean(per_step, evaluation) if evaluation in row.evaluations else None for row in rows]
            add(Column(evaluation.upper(), unit), [mean and mean.times(steps, unit) for mean in means], signed=True)
    # The KL is always averaged over draws; a mark on all of them would tell nothing.
    add(Column("KL", "nats per step"), [row.kl_per_step for row in rows], signed=False, marked=False)
    add(Column("bits", "per dimension"), [row.mean("test/bits_per_dim") for row in rows], signed=False)
    for title, estimate in (("published", False), ("published estimate", True)):
        if any((value.kind == "estimate") == estimate for values in ours.values() for value in values):
            columns.append(Column(title, unit, minor=True))
            for row, line in zip(rows, cells, strict=True):
                line.append(_published(ours[row.label], sign, estimate=estimate))
            for values, line in zip(extra.values(), outside, strict=True):  # their bounds stand among ours
                line.append(_published(values, sign, estimate=True) if estimate else Cell())
            for line in below:
                line.append(Cell())
    columns += [Column("parameters"), Column("training time", minor=True)]
    for row, line in zip(rows, cells, strict=True):
        line.append(NONE if row.parameters is None else Cell(f"{row.parameters:,}"))
        line.append(NONE if row.seconds is None else Cell(duration(row.seconds)))
    for line in (*outside, *below):
        line += [Cell(), Cell()]
    groups = [("", cells)]
    groups += [("Published", outside)] if outside else []
    groups += [("References", below)] if below else []
    return Table(columns, groups, caption, notes)


def runs_table(rows: Sequence[Row], sign: Sign) -> Table:
    """Every job: how it stands, what it reached, where it lies."""
    bounds = [job.result["figures"][BOUND] for row in rows for job in row.counted]
    digits = decimals(figure["standard_error"] for figure in bounds)
    lines = []
    for row in rows:
        for job in row.jobs:
            seed = seed_of(job)
            line = [Cell(row.label), NONE if seed is None else Cell(str(seed)), Cell(job.state)]
            if why_not(job) is None:
                values = []
                for name in (BOUND, "valid/log_likelihood"):
                    figure = job.result["figures"][name]
                    values.append(number(sign.value(figure["value"]), digits, mark=sign.mark(figure["kind"])))
                line += [*values, Cell(duration(training_seconds(job)))]
            else:
                line += [NONE, NONE, NONE]
            step = job.result.get("step") or last_line(job).get("step")
            lines.append([*line, Cell(f"{step:,}") if step else NONE, Cell(commit(job.result)), Cell(str(job.run))])
    words = {"model", "state", "commit", "directory"}
    titles = ("model", "seed", "state", "test", "valid", "training time", "updates", "commit", "directory")
    return Table([Column(title, numeric=title not in words) for title in titles], [("", lines)])


def settings_table(rows: Sequence[Row]) -> Table:
    """Keys of the config whose values differ between rows."""
    labels = [row.label for row in rows if row.config is not None]
    lines = [[Cell(key), *(Cell(value) for value in values)] for key, values in differing_settings(rows).items()]
    return Table([Column(title, numeric=False) for title in ("key", *labels)], [("", lines)])


def differing_settings(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Keys of the config, each with the values of the rows that count, where these differ."""
    return differing([settings(row.config) for row in rows if row.config is not None])


def _published(values: Sequence[Value], sign: Sign, *, estimate: bool) -> Cell:
    """The number of one kind, if there is one."""
    for value in values:
        if (value.kind == "estimate") == estimate:
            digits = 0 if float(value.value).is_integer() else 2
            remark = "" if value.verified else "unverified"
            return number(sign.value(value.value), digits, mark=sign.mark(value.kind), remark=remark)
    return Cell()


def references_of(rows: Sequence[Row]) -> dict[str, dict[str, Mean]]:
    """What a bound is read against, by name: the figures of the first counted run that has them."""
    found: dict[str, dict[str, Mean]] = {}
    for row in rows:
        for job in row.counted:
            for key, figure in job.result["figures"].items():
                kind, _, rest = key.partition("/")
                reference, _, name = rest.rpartition("/")
                if kind == "reference" and name.startswith("log_likelihood"):
                    mean = Mean(
                        figure["value"],
                        figure["standard_error"],
                        "sequences",
                        figure["kind"],
                        figure["unit"],
                        figure["space"],
                        spread(figure),
                    )
                    found.setdefault(reference, {}).setdefault(f"test/{name}", mean)
    return found
