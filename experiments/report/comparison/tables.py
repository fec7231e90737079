"""The figures of a comparison's models, beside what they are read against, and what tells the models apart."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from experiments.config.diff import differing, settings
from experiments.report.blocks.tables import EMPTY, NONE, Cell, Column, Filled, Table, decimals, number
from experiments.report.columns import AS_IT_IS, Sign, figure_cells
from experiments.report.comparison.published import Published, Value
from experiments.report.ranking import Ranking
from experiments.report.rows import Mean, Row
from experiments.run.facts import BOUND

PER_STEP = f"{BOUND}_per_step"


def figure_columns(
    rows: Sequence[Row],
    sign: Sign,
    best: Collection[int],
    published: Published | None,
    foreign: Mapping[str, Sequence[Value]],
    references: Mapping[str, Mapping[str, Mean]],
) -> list[Filled]:
    """The figures of the models; below them those of published models that are none of ours, and of references.

    Args:
      rows: the models.
      sign: how log-likelihoods are printed.
      best: places of those in bold.
      published: numbers that may stand beside these.
      foreign: those of them that are of none of our models.
      references: figures by the names of what the bounds are read against.
    """
    dagger = len({row.bound.over for row in rows if row.counted}) > 1
    unit, steps = (published.unit, published.steps) if published else ("nats per sequence", None)
    later = sorted({name for row in rows for name in row.evaluations})
    columns: list[Filled] = []

    def add(
        column: Column,
        means: Sequence[Mean | None],
        below: Sequence[Mean | None] = (),
        *,
        printed: Sign = sign,
        has_published: bool = False,
        strong: Collection[int] = (),
        marked: bool = True,
    ) -> None:
        others = [published_cell(values if has_published else [], sign, estimate=False) for values in foreign.values()]
        lower = [*others, *below]
        cells = figure_cells(means, printed, strong=strong, dagger=dagger, marked=marked, below=lower)
        columns.append((column, cells))

    def as_long(means: Sequence[Mean | None]) -> list[Mean | None]:
        return [mean.times(steps, unit) if mean and steps else None for mean in means]

    bounds = [figures.get(BOUND) for figures in references.values()]
    per_step = [row.mean(PER_STEP) for row in rows]
    per_step_below = [figures.get(PER_STEP) for figures in references.values()]
    sequence = "nats per sequence"
    add(Column(sign.title, sequence), [row.mean(BOUND) for row in rows], bounds, has_published=not steps, strong=best)
    for name in later:
        add(Column(name.upper(), sequence), [row.mean(BOUND, name) for row in rows])
    add(Column(sign.title, "nats per step", minor=True), per_step, per_step_below)
    add(Column(sign.title, unit), as_long(per_step), as_long(per_step_below), has_published=True)
    for name in later:
        add(Column(name.upper(), unit), as_long([row.mean(PER_STEP, name) for row in rows]))
    # The KL is always averaged over draws; a mark on all of them would tell nothing.
    add(Column("KL", "nats per step"), [row.kl_per_step for row in rows], printed=AS_IT_IS, marked=False)
    add(Column("bits", "per dimension"), [row.mean("test/bits_per_dim") for row in rows], printed=AS_IT_IS)
    for heading, estimate in (("published", False), ("published estimate", True)):
        known = [published.rows.get(row.label, []) if published else [] for row in rows]
        ours = [published_cell(values, sign, estimate=estimate) for values in known]
        others = [published_cell(values, sign, estimate=True) if estimate else EMPTY for values in foreign.values()]
        columns.append((Column(heading, unit, minor=True), [*ours, *others]))  # bounds of others stand among ours
    return columns


def foreign_models(rows: Sequence[Row], published: Published | None) -> dict[str, list[Value]]:
    """The numbers of published models that are none of ours."""
    labels = {row.label for row in rows}
    return {name: values for name, values in published.rows.items() if name not in labels} if published else {}


def published_cell(values: Sequence[Value], sign: Sign, *, estimate: bool) -> Cell:
    """The number of one kind, if there is one."""
    for value in values:
        if (value.kind == "estimate") == estimate:
            digits = 0 if float(value.value).is_integer() else 2
            remark = "" if value.verified else "unverified"
            return number(sign.value(value.value), digits, mark=sign.mark(value.kind), remark=remark)
    return EMPTY


def references_of(rows: Sequence[Row]) -> dict[str, dict[str, Mean]]:
    """What a bound is read against, by name: the figures of the first counted run that has them."""
    references: dict[str, dict[str, Mean]] = {}
    for key, figure in (item for row in rows for job in row.counted for item in job.result["figures"].items()):
        kind, _, rest = key.partition("/")
        reference, _, name = rest.rpartition("/")
        if kind == "reference" and name.startswith("log_likelihood"):
            references.setdefault(reference, {}).setdefault(f"test/{name}", Mean.of_seeds([figure]))
    return references


def differing_settings(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Keys of the config, each with the values of the rows that count, where these differ."""
    return differing([settings(row.config) for row in rows if row.config is not None])


def settings_table(rows: Sequence[Row]) -> Table:
    """These keys, with a column for each model."""
    labels = [row.label for row in rows if row.config is not None]
    lines = [[Cell(key), *map(Cell, values)] for key, values in differing_settings(rows).items()]
    return Table([Column(title, numeric=False) for title in ("key", *labels)], [("", lines)] if lines else [])


def significance_table(rows: Sequence[Row], ranking: Ranking, sign: Sign, notes: Sequence[str]) -> Table:
    """Every other model against the best, with the test that the bold type rests on."""
    digits = decimals(verdict.error for verdict in ranking.verdicts.values())
    lines = []
    for row in rows:
        if verdict := ranking.verdicts.get(row.label):
            difference = number(sign.value(verdict.difference), digits, verdict.error)
            p = Cell("0.001", mark="<") if verdict.p < 0.001 else number(verdict.p, 3)
            answer = "worse" if verdict.is_worse else "not significantly worse"
            lines.append([Cell(row.label), difference, number(verdict.freedom, 1), p, Cell(answer)])
        elif row.label in ranking.untested:
            lines.append([Cell(row.label), NONE, NONE, NONE, Cell(f"not tested: {ranking.untested[row.label]}")])
    columns = [
        Column("model", numeric=False),
        Column("difference", "nats per sequence"),
        Column("degrees of freedom"),
        Column("p"),
        Column("verdict", numeric=False),
    ]
    return Table(columns, [("", lines)] if lines else [], f"Every model against the best, {ranking.best}", notes)
