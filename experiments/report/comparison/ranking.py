"""Which model of a comparison is the best, and how the others stand to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from experiments.config.diff import data_settings, differing
from experiments.report.blocks.tables import NONE, Cell, Column, Table, decimals, number
from experiments.report.columns import Sign
from experiments.report.rows import Row
from experiments.report.sequences import Groups
from experiments.report.significance import MIN_GROUPS, Verdict, against_best
from experiments.run.same_data import other_data


class Ranking(NamedTuple):
    """Which row is the best, and how the others stand to it.

    Attributes:
      best: its label; None where no row counts.
      verdicts: on those of the other rows that were tested against it.
      untested: why others that count were not.
      groups: of the test sequences that they were tested on; None where none was.
    """

    best: str | None
    verdicts: dict[str, Verdict]
    untested: dict[str, str]
    groups: Groups | None = None

    @property
    def bold(self) -> set[str]:
        """The best, and all that are not significantly worse."""
        as_good = {label for label, verdict in self.verdicts.items() if not verdict.is_worse}
        return as_good | ({self.best} if self.best else set())


def rank(rows: Sequence[Row]) -> Ranking:
    """Ranks the rows by their mean bound on test; those measured on the same data are tested against the best."""
    means = {row.label: row.bound.value for row in rows if row.counted}
    best = max(means, key=means.__getitem__, default=None)
    top = next((row for row in rows if row.label == best), None)
    if top is None:
        return Ranking(None, {}, {})
    reasons = {row.label: why_untested(row, top) for row in rows if row.counted and row is not top}
    alike = [row for row in rows if row is top or reasons.get(row.label, "does not count") is None]
    untested = {label: reason for label, reason in reasons.items() if reason}
    if len(alike) < 2:
        return Ranking(best, {}, untested)
    known = [groups for row in (top, *alike) if (groups := row.groups) is not None]
    groups = next((each for each in known if each.word is not None), known[0])
    if groups.size < MIN_GROUPS:
        few = f"{groups} in the test set, too few to tell differences from chance"
        return Ranking(best, {}, {label: untested.get(label, few) for label in reasons})
    _, verdicts = against_best({row.label: row.bounds for row in alike if row.bounds is not None}, groups.numbers)
    return Ranking(best, verdicts, untested, groups)


def why_untested(row: Row, top: Row) -> str | None:
    """Why two rows have no pairs of test sequences to compare; None: they have."""
    if row.bounds is None or top.bounds is None or row.lengths is None or top.lengths is None:
        return "no bounds per sequence"
    # Equal lengths alone are no proof: other seeds of the data, say, make other sequences of the same lengths.
    if keys := differing([data_settings(each.config) if each.config else {} for each in (row, top)]):
        return f"other data ({', '.join(keys)})"
    if words := other_data([*top.counted, *row.counted]):
        return f"other data, though the configs say the same ({words})"
    return None if row.lengths.tolist() == top.lengths.tolist() else "other test sequences"


def significance_table(rows: Sequence[Row], ranking: Ranking, sign: Sign, notes: Sequence[str]) -> Table:
    """Every other model against the best, with the test that the bold type rests on."""
    digits = decimals(verdict.error for verdict in ranking.verdicts.values())
    lines = []
    for label in (row.label for row in rows):
        if verdict := ranking.verdicts.get(label):
            difference = number(sign.value(verdict.difference), digits, verdict.error)
            p = Cell("0.001", mark="<") if verdict.p < 0.001 else number(verdict.p, 3)
            answer = "worse" if verdict.is_worse else "not significantly worse"
            lines.append([Cell(label), difference, number(verdict.freedom, 1), p, Cell(answer)])
        elif label in ranking.untested:
            lines.append([Cell(label), NONE, NONE, NONE, Cell(f"not tested: {ranking.untested[label]}")])
    words, numbers = {"model", "verdict"}, {"difference": "nats per sequence"}
    titles = ("model", "difference", "degrees of freedom", "p", "verdict")
    columns = [Column(title, numbers.get(title, ""), numeric=title not in words) for title in titles]
    return Table(columns, [("", lines)] if lines else [], f"Every model against the best, {ranking.best}", notes)
