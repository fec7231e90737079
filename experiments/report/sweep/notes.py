"""What a sweep says in words: what was found, how to read it, what is missing, and where to look further."""

from __future__ import annotations

import re
from collections import Counter

from experiments.report.blocks.cells import Sign
from experiments.report.blocks.tables import decimals, number
from experiments.report.comparison.notes import cautions, errors_over, listed, over_sequences
from experiments.report.sweep.findings import SEED, SweepFindings
from experiments.run.facts import seed_of
from experiments.run.state import Job, State
from experiments.text import tidy

LISTED = 12  # reasons that are told one by one; more are in the table of all jobs
STATES: tuple[State, ...] = ("done", "resumed", "running", "interrupted", "failed", "stale", "waiting")


def summary(found: SweepFindings) -> list[str]:
    """What was found, of how many jobs, and how far to trust it."""
    if not found.ranked:
        return ["No job is done yet, so there is nothing to compare.", progress(found)]
    top, many = found.ranked[0], len(found.ranked)
    bound = top.bound
    cell = number(bound.value, decimals([bound.error]), bound.error, mark=Sign(False).mark(bound.kind))
    value = str(cell).replace(" ", "\N{NO-BREAK SPACE}")
    over = (
        f"{len(top.row.counted)} seeds"
        if bound.over == "seeds"
        else f"one seed; ± over {over_sequences({bound.groups}, 'validation')}"
    )
    what = f"The best of {many} configurations is {top.row.label}" if many > 1 else top.row.label
    if not found.are_comparable:
        what = (
            f"These configurations do not compare (see the caution), so none is the best; the highest: {top.row.label}"
        )
    kind = bound.kind.replace("_", " ")
    told = f"{what}: valid log-likelihood {value} {bound.unit} ({kind}, {bound.space}; {over})."
    return [told, progress(found), *trust(found)]


def progress(found: SweepFindings) -> str:
    """How many jobs there are, in which states."""
    counts = Counter(each.job.state for each in found.jobs)
    states = ", ".join(f"{counts[state] if len(counts) > 1 else 'all'} {state}" for state in STATES if counts[state])
    if found.plan.trials is None:
        return f"{jobs(len(found.jobs))}: {states}." if found.jobs else "There is no job yet."
    plan = found.plan
    told = f"{len(found.jobs)} of {plan.total} jobs were begun{f': {states}' if found.jobs else ''}."
    return told + (f" {plan.repeated} of {plan.trials} trials had a point that was tried before." * bool(plan.repeated))


def trust(found: SweepFindings) -> list[str]:
    """What choosing on the validation set means for the number."""
    tested = sum(is_tested(job) for job in found.counted)
    test = (
        f"{jobs(tested)} {'was' if tested == 1 else 'were'} evaluated on test, which played no part in the selection."
        if tested
        else "The test set was not used."
    )
    many = len(found.ranked)
    if many < 2 or not found.are_comparable:
        return [test]
    return [f"Selected on validation (best of {many}), so this score is optimistic. {test}"]


def is_tested(job: Job) -> bool:
    """Whether a job was measured on its own test set, at its end or by the evaluate app."""
    later = job.run.read_evaluations().values()
    own = [content["figures"] for content in later if content.get("on") is None]
    return any("test/log_likelihood" in figures for figures in (job.result["figures"], *own))


def notes(found: SweepFindings) -> list[str]:
    """How the table of configurations is to be read."""
    if not found.ranked:
        return []
    bounds = [each.bound for each in found.ranked]
    kinds = {bound.kind for bound in bounds}
    space = " and ".join(sorted({bound.space for bound in bounds}))
    over = {bound.over for bound in bounds}
    told = [f"Validation set, {space} space; higher is better. {errors_over(bounds, 'validation')}"]
    if "sequences" in over and len(bounds) > 1:
        told.append(
            "Differences between configurations are better known than their ± over sequences suggests, since all are "
            "measured on the same sequences."
        )
    marks = ["Exact values have no mark"] if "exact" in kinds else []
    marks += ["≥ is a lower bound: the true value may be higher"] if "lower_bound" in kinds else []
    marks += ["~ is an estimate"] if "estimate" in kinds else []
    told.append(". ".join([*marks, *(["Bold: the best mean"] if found.are_comparable else [])]) + ".")
    stopped = sum(bool(job.result.get("stopped")) for job in found.counted)
    if stopped:
        told.append(
            f"Stopped early: the sweep's own rule ended {jobs(stopped)} that had fallen behind; they count with what "
            "they had reached."
        )
    return told + edges(found)


def edges(found: SweepFindings) -> list[str]:
    """Where the best value of a number is the lowest or the highest tried, so that the best may lie beyond."""
    told: list[str] = []
    if not found.are_comparable:
        return told
    for key, scale in found.scales.items():
        value = found.ranked[0].settings[key]
        if scale.numeric and len(scale.values) > 2 and value in (scale.values[0], scale.values[-1]):
            beyond = "lower" if value == scale.values[0] else "higher"
            told.append(f"The best {key} ({tidy(value)}) is at the edge of the values that count; try {beyond} values.")
    return told


def left_out(found: SweepFindings) -> list[str]:
    """Jobs that do not count, and why: one of those that are alike, and how many there are; what has not begun."""
    alike: dict[str, list[str]] = {}
    for each in [*found.ranked, *found.unranked]:
        for place, reason in each.row.left_out.items():
            seed = seed_of(each.row.jobs[place]) if SEED in found.plan.keys else None
            name = each.row.label if seed is None else f"{each.row.label}, seed {seed}"
            # Two that diverged differ in the step alone.
            alike.setdefault(re.sub(r"[\d.,]+", "#", reason), []).append(f"{name}: {reason}")
    waiting = len(alike.pop("not started", []))
    told = [
        names[0] + (f" (and {len(names) - 1} other job{'s' * (len(names) > 2)})" if names[1:] else "")
        for names in alike.values()
    ]
    rest = len(told) - LISTED
    told = told[:LISTED] + ([f"{rest} other reasons: see the table of all jobs"] if rest > 0 else [])
    told += [f"{jobs(waiting)}: not started"] if waiting else []
    unknown = 0 if found.plan.trials is None else found.plan.total - len(found.jobs)
    return told + ([f"{unknown} of {found.plan.total} jobs: not begun"] if unknown > 0 else [])


def warnings(found: SweepFindings) -> list[str]:
    """What the jobs warn of, and what makes the configurations hard to compare."""
    told = cautions([each.row for each in found.ranked], "configurations")
    spaces = {each.bound.space for each in found.ranked}
    if len(spaces) > 1:
        told.append(f"Some log-likelihoods are of {listed(sorted(spaces))} data, so they do not compare.")
    if found.ranked:
        top = found.ranked[0].row
        most = max(len(each.row.counted) for each in found.ranked)
        if len(top.counted) < most:
            told.append(
                f"The best configuration has {len(top.counted)} of up to {most} seeds: with all of them its mean may "
                "fall."
            )
    return told


def jobs(count: int) -> str:
    return "1 job" if count == 1 else f"{count:,} jobs"
