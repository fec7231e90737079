"""The table of a comparison that says which models are worse than the best, and in words how that was found."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.report.blocks.cells import NONE, Sign
from experiments.report.blocks.tables import Cell, Column, Table, decimals, number
from experiments.report.groups import Groups, counted
from experiments.report.ranking import Ranking
from experiments.report.rows import Row
from experiments.report.significance import LEVEL

SHORT = (
    f"t-test over groups of test sequences and, with several seeds, over seeds; corrected for all pairs, p < {LEVEL}"
)


def significance_table(rows: Sequence[Row], ranking: Ranking, sign: Sign) -> Table:
    """Every other model against the best, with the test that the bold type rests on."""
    top = next((row for row in rows if row.label == ranking.best), None)
    if top is None:
        return Table([], [("", [])])
    digits = decimals(verdict.error for verdict in ranking.verdicts.values())
    lines = []
    for row in rows:
        verdict = ranking.verdicts.get(row.label)
        if verdict:
            difference = number(sign.value(verdict.difference), digits, verdict.error)
            words = "worse" if verdict.is_worse else "not significantly worse"
            lines.append([Cell(row.label), difference, number(verdict.freedom, 1), _p(verdict.p), Cell(words)])
        elif row.label in ranking.untested:
            words = f"not tested: {ranking.untested[row.label]}"
            lines.append([Cell(row.label), NONE, NONE, NONE, Cell(words)])
    columns = [
        Column("model", numeric=False),
        Column("difference", "nats per sequence"),
        Column("degrees of freedom"),
        Column("p"),
        Column("verdict", numeric=False),
    ]
    notes = how_tested(rows, ranking, ranking.groups, sign) if ranking.groups is not None else []
    return Table(columns, [("", lines)], f"Every model against the best, {top.label}", notes)


def how_tested(rows: Sequence[Row], ranking: Ranking, groups: Groups, sign: Sign) -> list[str]:
    """How the table of significance is to be read, and how far its verdicts reach."""
    tested = [row for row in rows if row.label == ranking.best or row.label in ranking.verdicts]
    one_seed = [row.label for row in tested if len(row.counted) == 1]
    seeds = "" if len(one_seed) == len(tested) else " and seeds"
    found = [
        f"Difference: {sign.title} less that of {ranking.best}, on the same test sequences, ± its standard error over "
        f"{groups}{seeds}.",
        what_groups_are(groups),
    ]
    if not seeds:
        found.append(
            "Each model has one seed. So worse means: these trained models differ on data like these. Whether they "
            "would differ if trained again cannot be told; that takes several seeds."
        )
    else:
        found.append(
            "Worse means: neither other test data of the same kind nor training again explains the difference. Each "
            "model's own spread between seeds counts; of few seeds it is hardly known, so that only large differences "
            "are significant."
        )
        if one_seed:
            found.append(
                f"{' and '.join(one_seed)}: one seed, whose spread is not known, so that of the model with the largest "
                "spread stands for it."
            )
    found.append(
        "p: two-sided t-test of the difference over its error, corrected for all pairs of models, since chance also "
        f"chose which is the best (by Holm, and for seeds by Tukey's studentized range). Worse: p is below {LEVEL}."
    )
    return found


def what_groups_are(groups: Groups) -> str:
    """What counts as one independent observation of the test set, in a sentence."""
    if groups.word is None:
        return (
            f"The runs do not say which of the {counted(groups.size, None)} belong together (earlier versions did not "
            "keep it), so each counts as independent. If several are of one speaker, writer or recording, the "
            "differences look surer than they are."
        )
    if groups.word == "":
        return (
            f"The data name no groups of sequences, so each of the {counted(groups.size, None)} counts as independent."
        )
    return (
        f"Groups: {groups}. Test sequences of one {groups.word} are alike, so the spread is that between the "
        f"{groups.word}s, not that between the sequences."
    )


def _p(value: float) -> Cell:
    return Cell("0.001", mark="<") if value < 0.001 else Cell(f"{value:.3f}")
