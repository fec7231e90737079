"""The report of a sweep: which configuration is best, what each key does, how they learned, and how to go on."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path

from experiments.report import words
from experiments.report.blocks.media import GalleryPart, gallery
from experiments.report.blocks.tables import Cell, Column, Filled, Table, decimals
from experiments.report.blocks.templates import sentences
from experiments.report.columns import AS_IT_IS, figure_cells
from experiments.report.report import Drawn, Report
from experiments.report.rows import VALID, Mean, Row
from experiments.report.sweep.commands import next_commands
from experiments.report.sweep.findings import SEED, SweepFindings
from experiments.report.sweep.importance import Importance, find_importance
from experiments.report.sweep.plots import BINS, SHOWN, draw
from experiments.run.facts import seed_of, training_seconds
from experiments.run.state import Job, State
from experiments.sweep.plan import SweepJob, SweepPlan
from experiments.text import counted, duration, tidy

TOP = 10  # configurations that a terminal shows
REASONS = 12  # that are told one by one; more are in the table of all jobs
STATES: tuple[State, ...] = ("done", "resumed", "running", "interrupted", "failed", "stale", "waiting")
CAPTION = "{} by their mean bound on the validation set"
STEP, KL = f"{VALID}_per_step", "valid/kl"


class Sweep(Report):
    """A sweep; its rows are the configurations with a job that counts, the best first.

    Args:
      plan: of the sweep.
      jobs: all that are known, in any state; those that are not done are named and not counted.
    """

    name, split, what, bounds = "sweep", "validation", "configurations", (VALID,)
    curves = SHOWN

    def __init__(self, plan: SweepPlan, jobs: Sequence[SweepJob]):
        self.findings = SweepFindings(plan, jobs)
        self.plan, self.rows, self.jobs = plan, self.findings.ranked, [each.job for each in jobs]
        ranks = [str(rank) for rank in range(1, len(self.rows) + 1)]
        self.row_names = {"rank": ranks} | {key: [row.settings[key] for row in self.rows] for key in self.findings.keys}
        seeds = [None if (seed := seed_of(job)) is None else str(seed) for job in self.jobs]
        self.job_names = {key: [each.settings.get(key) for each in jobs] for key in plan.keys}
        self.job_names.setdefault(SEED, seeds)
        self.are_comparable = self.findings.are_comparable
        self.best = {0} if self.are_comparable else set()

    @cached_property
    def table(self) -> Table:
        rows, dagger = self.rows, len({row.bound.over for row in self.rows}) > 1
        # With one seed, ± is over sequences, the same for all: differences are much smaller, and are to be seen.
        gap = rows[0].bound.value - rows[len(rows) // 2].bound.value if rows else 0.0
        digits = decimals([gap]) if gap > 0 else 0
        title, sequence = "valid log-likelihood", "nats per sequence"
        bounds = figure_cells([row.bound for row in rows], strong=self.best, dagger=dagger, digits=digits)
        steps = figure_cells([row.mean(STEP) for row in rows], dagger=dagger)
        # The KL is always averaged over draws; a mark on all of them would tell nothing.
        kl = [replace(AS_IT_IS.cell(row.mean(KL) if row.is_latent else None, 2), mark="") for row in rows]
        columns = [(Column(title, sequence), bounds), (Column(title, "nats per step", minor=True), steps)]
        stopped = sum(bool(job.result.get("stopped")) for job in self.counted)
        notes = self.how_to_read("Bold: the best mean." if self.are_comparable else "")
        notes += sentences("sweep_notes", stopped=stopped, edges=self.edges) if rows else []
        return self.built([*columns, (Column("KL", sequence), kl)], CAPTION.format("Configurations"), notes)

    @property
    def edges(self) -> list[tuple[str, str, str]]:
        """Keys of numbers whose best value is the lowest or the highest tried, so that the best may lie beyond."""
        scales = self.findings.scales.items() if self.are_comparable else ()
        sides = [(key, self.rows[0].settings[key], scale.values) for key, scale in scales if scale.numeric]
        return [
            (key, tidy(value), "lower" if value == values[0] else "higher")
            for key, value, values in sides
            if len(values) > 2 and value in (values[0], values[-1])
        ]

    def figures(self, row: Row) -> dict[str, Mean | None]:
        return {"log_likelihood": row.bound, "log_likelihood_per_step": row.mean(STEP), "kl": row.mean(KL)}

    @property
    def short_table(self) -> Table:
        """The best configurations, each in one column, for there is no room for a column of each key."""
        above, rest = self.table.cut(TOP)
        hidden = {"rank", "parameters", *self.findings.keys}
        names = [Cell(self.findings.short_label(row)) for row in self.rows[:TOP]]
        columns: list[Filled] = [(Column("configuration", numeric=False), names)]
        columns += [
            (column, [line[place] for line in above.rows])
            for place, column in enumerate(above.columns)
            if column.title not in hidden
        ]
        which = f"The best {TOP} of {len(self.rows)} configurations" if rest.rows else "Configurations"
        return Table.of(columns, CAPTION.format(which))

    @cached_property
    def summary(self) -> list[str]:
        counts = Counter(job.state for job in self.jobs)
        states = [f"{counts[state] if len(counts) > 1 else 'all'} {state}" for state in STATES if counts[state]]
        top = self.rows[0] if self.rows else None
        value = words.in_words(top.bound, self.sign) if top else ""
        tested = sum(is_tested(job) for job in self.counted)
        values = {"top": top, "value": value, "states": ", ".join(states), "tested": tested, "plan": self.plan}
        return sentences("sweep_summary", report=self, **values)

    @cached_property
    def left_out(self) -> list[str]:
        """Jobs that do not count, and why: one row of those that are alike, and how many others; what has not begun."""
        alike: dict[str, list[words.LeftOut]] = {}
        for each in words.left_out([*self.rows, *self.findings.unranked]):
            # Two that diverged differ in the step alone.
            alike.setdefault(re.sub(r"[\d.,]+", "#", each.reason), []).append(each)
        waiting = sum(each.jobs for each in alike.pop("not started", []))
        reasons = [
            str(first) + (f" (and {counted(sum(each.jobs for each in others), 'other job')})" if others else "")
            for first, *others in alike.values()
        ]
        rest = len(reasons) - REASONS
        reasons = reasons[:REASONS] + [f"{rest} other reasons: see the table of all jobs"] * (rest > 0)
        reasons += [f"{counted(waiting, 'job')}: not started"] * bool(waiting)
        unknown = 0 if self.plan.trials is None else self.plan.total - len(self.jobs)
        return reasons + [f"{unknown} of {self.plan.total} jobs: not begun"] * (unknown > 0)

    @cached_property
    def cautions(self) -> list[str]:
        spaces, seeds = sorted({row.bound.space for row in self.rows}), [len(row.counted) for row in self.rows]
        return words.cautions(self.rows, self.what) + sentences("sweep_cautions", spaces=spaces, seeds=seeds)

    @cached_property
    def importance(self) -> Importance | str:
        """Of the swept keys, or why there is none."""
        return find_importance(self.findings)

    @property
    def importance_notes(self) -> list[str]:
        """What its picture shows, or why there is none where there are keys to choose from."""
        if isinstance(self.importance, Importance):
            return sentences("importance", found=self.importance)
        return [self.importance] if len(self.findings.keys) > 1 else []

    @property
    def effects(self) -> list[str]:
        """How the pictures of the keys' effects are to be read."""
        scales, values = self.findings.scales, [job.result["figures"][VALID]["value"] for job in self.counted]
        return sentences(
            "effects",
            bins=BINS,
            binned=any(len(scale.values) > 2 * BINS and scale.kind != "words" for scale in scales.values()),
            single=[key for key in scales if key not in self.findings.varied],
            below=[value for value in values if value < self.findings.floor],
            failed=sum(job.state == "failed" for job in self.jobs),
        )

    @property
    def commands(self) -> list[tuple[str, str]]:
        """What to type next."""
        return next_commands(self.findings)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What the jobs have in common, and what made them."""
        threads = sorted({job.result["threads"] for job in self.counted if "threads" in job.result})
        facts = [("settings of all jobs", " ".join(self.plan.overrides) or "the defaults")]
        if self.counted:
            facts.append(("training time in all", duration(sum(map(training_seconds, self.counted)))))
        return [
            *facts,
            *words.made_by(self.counted),
            *[("threads per job", ", ".join(map(str, threads)))] * bool(threads),
        ]

    def samples(self) -> list[GalleryPart]:
        best = self.findings.best
        return gallery({self.rows[0].label: best.job.run.figures} if best else {})

    def draw(self, directory: Path) -> Drawn:
        return draw(self.findings, self.importance, directory)


def is_tested(job: Job) -> bool:
    """Whether a job was measured on its own test set, at its end or by the evaluate app."""
    later = job.run.read_evaluations().values()
    figures = [job.result["figures"], *(content["figures"] for content in later if content.get("on") is None)]
    return any("test/log_likelihood" in each for each in figures)
