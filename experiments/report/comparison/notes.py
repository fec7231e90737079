"""What a comparison says in words: what was found, how to read it, and what is missing."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.config.diff import data_settings, differing, measures
from experiments.report.blocks.cells import Mean, Sign, commit
from experiments.report.blocks.tables import decimals, number
from experiments.report.comparison.published import Published
from experiments.report.comparison.significance_table import SHORT, what_groups_are
from experiments.report.comparison.tables import references_of
from experiments.report.ranking import Ranking
from experiments.report.rows import Row
from experiments.run.facts import BOUND, seed_of
from experiments.run.same_data import other_data
from experiments.run.state import Job

NAMED = 6  # rows that a sentence names; more are counted


def summary(rows: Sequence[Row], ranking: Ranking, sign: Sign) -> str:
    """What was found, in a sentence or two."""
    jobs, counted = sum(len(row.jobs) for row in rows), sum(len(row.counted) for row in rows)
    count = f" {counted} of {jobs} runs count." if counted < jobs else ""
    top = next((row for row in rows if row.label == ranking.best), None)
    if top is None:
        return f"No run has been measured on test yet.{count}"
    mean = top.bound
    cell = number(sign.value(mean.value), decimals([mean.error]), mean.error, mark=sign.mark(mean.kind))
    seeds = f"{len(top.counted)} seeds" if len(top.counted) > 1 else "one seed"
    value = str(cell).replace(" ", "\N{NO-BREAK SPACE}")
    told = f"{top.label} has the best {sign.title} on test, {value} {mean.unit} ({seeds})."
    level = [row.label for row in rows if row.label in ranking.bold and row is not top]
    if level:
        told += f" {listed(level)} {'is' if len(level) == 1 else 'are'} not significantly worse."
    elif ranking.verdicts:
        told += f" {'Every other model' if len(ranking.verdicts) > 1 else 'The other model'} is significantly worse."
    references = {name: figures[BOUND].value for name, figures in references_of(rows).items() if BOUND in figures}
    better = [name for name, value in references.items() if value > mean.value]
    if better:
        told += f" The {listed(better)} {'beat' if len(better) > 1 else 'beats'} every model."
    return told + count


def notes(
    rows: Sequence[Row], ranking: Ranking, sign: Sign, published: Published | None, obstacles: Sequence[str]
) -> list[str]:
    """How the main table is to be read.

    Args:
      rows, ranking, sign: as for the table.
      published: numbers of others on this dataset.
      obstacles: what keeps them out of the table.
    """
    counted = [row.bound for row in rows if row.counted]
    if not counted:
        return []
    kinds = {mean.kind for mean in counted}
    better = "lower" if sign.negate else "higher"
    space = " and ".join(sorted({mean.space for mean in counted}))
    found = [f"Test set, {space} space; {better} is better. {errors_over(counted)}"]
    marks = ["Exact values have no mark"] if "exact" in kinds else []
    marks += (
        [f"{sign.mark('lower_bound')} is a bound: the true value may be {better}"] if "lower_bound" in kinds else []
    )
    marks += ["~ is an estimate"] if "estimate" in kinds or any(row.evaluations for row in rows) else []
    mixed = "They are compared as they stand, so a model with a bound may be better than it looks here, never worse"
    found.append(". ".join(marks + [mixed] * ({"exact", "lower_bound"} <= kinds)) + ".")
    if ranking.groups is not None:
        found.append(
            f"Bold: the best model, and all that are not significantly worse ({SHORT}). "
            f"{what_groups_are(ranking.groups)}"
        )
    if ranking.untested:
        rest = "; ".join(f"{label}, {reason}" for label, reason in ranking.untested.items())
        found.append(f"Not tested against {ranking.best}: {rest}.")
    if published and obstacles:
        found.append(f"The numbers published on this dataset do not compare with these runs: {'; '.join(obstacles)}.")
    elif published:
        unverified = any(not value.verified for values in published.rows.values() for value in values)
        words = [
            f"Published, on these data: {published.source}",
            *(["unverified: quoted from memory"] if unverified else []),
            *([f"in {published.unit}, where ours is {published.steps} x nats per step"] if published.steps else []),
        ]
        found.append("; ".join([*words, *([published.caveat] if published.caveat else [])]) + ".")
    if any("reference/" in name for row in rows for job in row.counted for name in job.result["figures"]):
        spread = over_sequences(
            {mean.groups for figures in references_of(rows).values() for mean in figures.values()}, "test"
        )
        found.append(f"References are fitted on the same training set; their ± is over {spread}.")
    return found


def left_out(rows: Sequence[Row]) -> list[str]:
    """Jobs that do not count, and why; seeds of a row with the same reason together."""
    found: dict[tuple[str, str], list[str]] = {}
    for row in rows:
        for place, reason in row.left_out.items():
            seed = seed_of(row.jobs[place])
            name = row.jobs[place].run.path.name if seed is None else f"seed {seed}"
            found.setdefault((row.label, reason), []).append(name)
    return [f"{label}, {listed(names)}: {reason}" for (label, reason), names in found.items()]


def cautions(rows: Sequence[Row], what: str = "rows") -> list[str]:
    """What the runs themselves warn of, and what makes rows hard to compare.

    Args:
      rows: the models.
      what: the page's word for them.
    """
    counted = [row for row in rows if row.counted]
    theirs = [{told for job in row.counted for told in job.result.get("cautions", [])} for row in counted]
    found = []
    for told in sorted(set().union(*theirs)):
        labels = [row.label for row, each in zip(counted, theirs, strict=True) if told in each]
        who = listed(labels) if len(labels) <= NAMED else f"{len(labels)} of {len(counted)} {what}"
        found.append((f"{who}: " if len(labels) < len(counted) else "") + f"{told.rstrip('.')}.")
    configs = [row.config for row in rows if row.config is not None]
    data = differing([data_settings(config) for config in configs])
    if data:
        found.append(f"The {what} differ in their data ({', '.join(data)}), so their numbers may not compare.")
    elif words := other_data([job for row in counted for job in row.counted]):
        found.append(
            f"The runs were trained on different data, though their configs say the same ({words}), so their numbers "
            "do not compare."
        )
    if len(measures(configs)) > 1:
        found.append(
            "Some likelihoods are probabilities of quantised values, others densities: their numbers do not compare."
        )
    commits = sorted({commit(job.result) for row in rows for job in row.counted})
    if len(commits) > 1:
        found.append(f"The runs were made by different states of the code: {', '.join(commits)}.")
    return found


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)


def made_by(jobs: Sequence[Job]) -> list[tuple[str, str]]:
    """The code and the versions that made results, as facts for a page."""
    versions = [", ".join(f"{name} {number}" for name, number in job.result["versions"].items()) for job in jobs]
    return [
        ("commit", "; ".join(dict.fromkeys(commit(job.result) for job in jobs))),
        ("versions", "; ".join(dict.fromkeys(versions))),
    ]


def errors_over(means: Sequence[Mean], split: str = "test") -> str:
    """What ± is of these means: over seeds, over the sequences of a split or their groups, or some of either."""
    over = {mean.over for mean in means}
    if over == {"seeds"}:
        return "± is the standard error over seeds."
    sequences = over_sequences({mean.groups for mean in means if mean.over == "sequences"}, split)
    if over == {"sequences"}:
        return f"One seed of each; ± is the standard error over {sequences}, which says nothing of other seeds."
    return f"± is the standard error over seeds; with †, of a single seed over {sequences}."


def over_sequences(groups: set[str | None], split: str) -> str:
    """The sequences of a split in words, or what groups they come in: "the 6 speakers of the test set"."""
    named = sorted(each for each in groups if each)
    return f"the {' or '.join(named)} of the {split} set" if named else f"{split} sequences"
