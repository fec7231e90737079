"""The report of a sweep: which configuration is best, what each key does, how they learned, and how to go on."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

from experiments.config.overrides import quoted
from experiments.report.blocks.media import gallery
from experiments.report.blocks.tables import Cell, Column, Filled, Table, decimals
from experiments.report.blocks.templates import sentences
from experiments.report.report import Drawn, Report
from experiments.report.rows import VALID, LeftOut, Mean, Row, cautions, left_out, made_by
from experiments.report.sweep.findings import SEED, Importance, SweepFindings, find_importance
from experiments.report.sweep.plots import BINS, SHOWN, draw
from experiments.run.directory import RunDirectory
from experiments.run.facts import BOUND, config_of, seed_of, training_seconds
from experiments.run.state import State
from experiments.sweep.plan import SweepJob, SweepPlan
from experiments.text import counted, duration, tidy

TOP = 10  # configurations that a terminal shows
REASONS = 12  # that are told one by one; more are in the table of all jobs
STATES: tuple[State, ...] = ("done", "resumed", "running", "interrupted", "failed", "stale", "waiting")
CAPTION = "{} by their mean bound on the validation set"


class Sweep(Report):
    """A sweep of jobs in any state; its rows are the configurations with one that counts, the best first."""

    name, split, what, bounds = "sweep", "validation", "configurations", (VALID,)

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
        stopped, sequence = sum(bool(job.result.get("stopped")) for job in self.counted), "nats per sequence"
        notes = self.how_to_read("Bold: the best mean." if self.are_comparable else "")
        # Where the best value of a number is the lowest or the highest tried, the best may lie beyond.
        scales = self.findings.scales.items() if self.are_comparable else ()
        sides = [(key, self.rows[0].settings[key], scale.values) for key, scale in scales if scale.numeric]
        edges = [
            (key, tidy(value), "lower" if value == values[0] else "higher")
            for key, value, values in sides
            if len(values) > 2 and value in (values[0], values[-1])
        ]
        notes += sentences("sweep_notes", stopped=stopped, edges=edges) if notes else []
        heads = {
            "log_likelihood": Column("valid log-likelihood", sequence),
            "log_likelihood_per_step": Column("valid log-likelihood", "nats per step", minor=True),
            "kl": Column("KL", sequence),
        }
        # With one seed, ± is over sequences, the same for all: differences are much smaller, and are to be seen.
        gap = self.rows[0].bound.value - self.rows[len(self.rows) // 2].bound.value if self.rows else 0.0
        return self.rows_table(heads, CAPTION.format("Configurations"), notes, digits=decimals([gap]) if gap > 0 else 0)

    def figures(self, row: Row) -> dict[str, Mean | None]:
        kl = row.mean("valid/kl") if row.is_latent else None
        return {"log_likelihood": row.bound, "log_likelihood_per_step": row.mean(f"{VALID}_per_step"), "kl": kl}

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
        value = self.sign.in_words(top.bound) if top else ""
        later = [[job.result, *job.run.read_evaluations().values()] for job in self.counted]  # on their own test set
        on_test = [[BOUND in each["figures"] for each in some if each.get("on") is None] for some in later]
        tested = sum(map(any, on_test))
        values = {"top": top, "value": value, "states": ", ".join(states), "tested": tested, "plan": self.plan}
        return sentences("sweep_summary", report=self, **values)

    @cached_property
    def left_out(self) -> list[str]:
        """Jobs that do not count, and why: one row of those that are alike, and how many others; what has not begun."""
        alike: dict[str, list[LeftOut]] = {}
        for each in left_out([*self.rows, *self.findings.unranked]):
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
        return cautions(self.rows, self.what) + sentences("sweep_cautions", spaces=spaces, seeds=seeds)

    @cached_property
    def importance(self) -> Importance | str:
        """Of the swept keys, or why there is none."""
        return find_importance(self.findings)

    def page_values(self) -> dict[str, Any]:
        scales, values = self.findings.scales, [job.result["figures"][VALID]["value"] for job in self.counted]
        effects = sentences(
            "effects",
            bins=BINS,
            binned=any(len(scale.values) > 2 * BINS and scale.kind != "words" for scale in scales.values()),
            single=[key for key in scales if key not in self.findings.varied],
            below=[value for value in values if value < self.findings.floor],
            failed=sum(job.state == "failed" for job in self.jobs),
        )
        if isinstance(self.importance, Importance):
            importance = sentences("importance_of_keys", importance=self.importance)
        else:
            importance = [self.importance] if len(self.findings.keys) > 1 else []
        threads = sorted({job.result["threads"] for job in self.counted if "threads" in job.result})
        facts = {
            "settings of all jobs": " ".join(self.plan.overrides) or "the defaults",
            "training time in all": duration(sum(map(training_seconds, self.counted))) if self.counted else "",
            **dict(made_by(self.counted)),
            "threads per job": ", ".join(map(str, threads)),
        }
        best = self.findings.best
        return {
            "effects": effects,
            "importance": importance,
            "curves": SHOWN,
            "samples": gallery({self.rows[0].label: best.job.run.figures} if best else {}),
            "next_commands": self.commands,
            "known": [(name, text) for name, text in facts.items() if text],
        }

    @property
    def commands(self) -> list[tuple[str, str]]:
        """What to type next, each after what it is for."""
        commands = [
            ("Go on with this sweep, or repeat it", self.plan.command_to_show),
            ("See how far it is", typed("status", f"dir={literal(self.plan.directory)}")),
        ]
        if (best := self.findings.best) is None:
            return commands
        run, config = literal(best.job.run.path), config_of(best.job)
        commands.append(("Evaluate the selected configuration on test", typed("evaluate", f"run={run}")))
        keys = ("trainer.max_epochs", "trainer.max_steps")
        limits = {key: OmegaConf.select(config, key) if config else None for key in keys}
        if longer := [f"{key}={2 * limit}" for key, limit in limits.items() if limit][:1]:
            purpose = "Train the selected configuration for twice as long, and evaluate it on test"
            commands.append((purpose, typed("train", f"run_from={run}", *longer, "trainer.test=true")))
        return commands

    def draw(self, directory: Path) -> Drawn:
        return draw(self.findings, self.importance, directory)


def typed(app: str, *arguments: str) -> str:
    """A command of the suite, for a shell."""
    return shlex.join(["python", "-m", f"experiments.{app}", *arguments])


def literal(path: Path) -> str:
    """A path as Hydra's override grammar reads it, relative where it lies below the working directory."""
    text = str(RunDirectory(path))
    return text if re.fullmatch(r"[\w./+-]+", text) else quoted(text)
