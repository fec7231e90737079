"""The report of a comparison: models side by side, measured on test, with significance and published numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from experiments.config.diff import differing, settings
from experiments.config.untrusted import command_to_show
from experiments.report.blocks.latex import latex
from experiments.report.blocks.media import gallery
from experiments.report.blocks.plots import Curve, draw_curves, history, literal_text, save
from experiments.report.blocks.tables import Cell, Column, Table
from experiments.report.blocks.templates import sentences
from experiments.report.columns import Sign, name_columns
from experiments.report.comparison.published import Published, published_cell, published_columns, references_of
from experiments.report.comparison.ranking import rank, significance_table
from experiments.report.report import Drawn, Named, Report
from experiments.report.rows import VALID, Mean, Row
from experiments.report.significance import LEVEL
from experiments.run.facts import BOUND, seed_of
from experiments.run.state import Job

PER_STEP = f"{BOUND}_per_step"
REACHED = 0.05  # of the test sequences: where fewer go on, their mean KL is not drawn


class Comparison(Report):
    """A comparison of models.

    Args:
      jobs: of each model by its label, one per seed, in any state; those that are not done are named and not counted.
      published: numbers of others on these data; they appear where every run's config is what they require.
      negate: print negative log-likelihoods, with <=, as the field does for images.
    """

    name, split, what, bounds = "comparison", "test", "rows", (BOUND, VALID)

    def __init__(self, jobs: Mapping[str, Sequence[Job]], published: Published | None = None, *, negate: bool = False):
        self.rows = [Row(label, each) for label, each in jobs.items()]
        self.jobs = [job for row in self.rows for job in row.jobs]
        seeds = [seed_of(job) for job in self.jobs]
        self.row_names = {"model": [row.label for row in self.rows]}
        self.job_names = {
            "model": [row.label for row in self.rows for _ in row.jobs],
            "seed": [None if seed is None else str(seed) for seed in seeds],
        }
        self.sign, self.published, self.ranking = Sign(negate), published, rank(self.rows)
        self.best = {place for place, row in enumerate(self.rows) if row.label in self.ranking.bold}
        self.references = references_of(self.rows)
        configs = [row.config for row in self.rows if row.config is not None]
        differences = [published.differences(config) for config in configs] if published else []
        self.obstacles = sorted({each for differing in differences for each in differing})
        self.comparable = None if self.obstacles else published
        self.later = sorted({name for row in self.rows for name in row.evaluations})

    def lengths(self) -> list[tuple[str, int, str]]:
        """What bounds are of, besides a sequence, where published ones are of fewer steps: ending, steps and unit."""
        published = self.comparable
        return [(f"_{published.steps}_steps", published.steps, published.unit)] if published and published.steps else []

    def figures(self, row: Row) -> dict[str, Mean | None]:
        names = {"log_likelihood": None, **{name: name for name in self.later}}
        figures = {name: row.mean(BOUND, evaluation) for name, evaluation in names.items()}
        figures["log_likelihood_per_step"] = row.mean(PER_STEP)
        for ending, steps, unit in self.lengths():
            for name, evaluation in names.items():
                mean = row.mean(PER_STEP, evaluation)
                figures[f"{name}{ending}"] = mean and mean.times(steps, unit)
        return {**figures, "bits_per_dim": row.mean("test/bits_per_dim"), "kl_per_step": row.kl_per_step}

    @cached_property
    def table(self) -> Table:
        mixed = {"exact", "lower_bound"} <= {row.bound.kind for row in self.rows if row.counted}
        as_they_stand = "They are compared as they stand, so a model with a bound may be better than it looks here"
        notes = self.how_to_read(f"{as_they_stand}, never worse." if mixed else "", estimates=bool(self.later))
        errors = [mean for figures in self.references.values() for mean in figures.values()]
        notes += sentences("comparison_notes", report=self, level=LEVEL, errors=errors) if notes else []

        title, heads = self.sign.title, {}
        for ending, _, unit in [("", 0, "nats per sequence"), *self.lengths()]:
            for name in ("log_likelihood", *self.later):
                heads[f"{name}{ending}"] = Column(title if name == "log_likelihood" else name.upper(), unit)
            heads.setdefault("log_likelihood_per_step", Column(title, "nats per step", minor=True))
            bound = f"log_likelihood{ending}"
        heads |= {"kl_per_step": Column("KL", "nats per step"), "bits_per_dim": Column("bits", "per dimension")}

        labels, theirs = [row.label for row in self.rows], self.comparable.rows if self.comparable else {}
        foreign = {name: values for name, values in theirs.items() if name not in labels}
        published: list[Named] = []
        for name, values in foreign.items():
            source = f"({values[0].source})" if values[0].source else ""
            published.append((Cell(name, remark=source), {bound: published_cell(values, self.sign, estimate=False)}))
        references: list[Named] = []
        for name, figures in self.references.items():
            per_step = figures.get("log_likelihood_per_step")
            long = [{bound: per_step.times(steps, unit)} for _, steps, unit in self.lengths() if per_step]
            references.append((Cell(name), figures | (long[0] if long else {})))
        more = published_columns([theirs.get(label, []) for label in labels], [*foreign.values()], unit, self.sign)
        further = {"Published": published, "References": references}
        return self.rows_table(heads, f"Test {title}", notes, further=further, more=more)

    @cached_property
    def summary(self) -> list[str]:
        top = next((row for row in self.rows if row.label == self.ranking.best), None)
        bounds = {name: figures.get("log_likelihood") for name, figures in self.references.items()}
        return sentences(
            "comparison_summary",
            report=self,
            top=top,
            value=self.sign.in_words(top.bound) if top else "",
            level=[self.rows[place].label for place in sorted(self.best) if self.rows[place] is not top],
            better=[name for name, bound in bounds.items() if top and bound and bound.value > top.bound.value],
        )

    @cached_property
    def against(self) -> Table:
        """Each of the other models against the best."""
        tested = [row for row in self.rows if row.label in {self.ranking.best, *self.ranking.verdicts}]
        one_seed = [row.label for row in tested if len(row.counted) == 1]
        values = {"report": self, "tested": tested, "one_seed": one_seed, "level": LEVEL}
        notes = sentences("significance_notes", **values) if self.ranking.groups else []
        return significance_table(self.rows, self.ranking, self.sign, notes)

    @property
    def appendix(self) -> list[Table]:
        return [self.against] if self.against.rows else []

    def page_values(self) -> dict[str, Any]:
        shown = {row.label: row.shown for row in self.rows if row.shown}
        commands = [
            (f"{label}, seed {job.result['seed']}", command_to_show(job.result["command"], job.run.result_file))
            for label, job in shown.items()
        ]
        samples = gallery({label: job.run.figures for label, job in shown.items()})
        known = [row for row in self.rows if row.config is not None]
        names = {"key": [*(differences := differing_settings(known))]}
        names |= {row.label: [values[n] for values in differences.values()] for n, row in enumerate(known)}
        settings = Table.of(name_columns(names))
        return {"run_commands": commands, "samples": samples, "settings": settings, "reached": REACHED}

    def records(self) -> list[dict[str, Any]]:
        return [{"row": record.pop("model"), **record} for record in super().records()]

    def texts(self) -> dict[str, str]:
        """The table for a paper, which has no box for cautions, so that they stand among the notes."""
        return {".tex": latex(self.table, "tab:comparison", self.cautions)}

    @literal_text()
    def draw(self, directory: Path) -> Drawn:
        """Draws the curves of all models."""
        bounds = {self.marked(row): history(row.counted, f"{VALID}_per_step", self.sign.value) for row in self.rows}
        kl = {row.label: history(row.counted, "valid/kl") if row.is_latent else [] for row in self.rows}
        by_step = {row.label: self.by_step(row, row.kl_by_step) if row.is_latent else [] for row in self.rows}
        ess = {row.label: self.by_step(row, row.ess_by_step) if row.is_latent else [] for row in self.rows}
        pictures = {
            "Validation": ("validation", bounds, "updates", f"{self.sign.title} [nats per step]"),
            "KL during training": ("kl_training", kl, "updates", "KL [nats per sequence]"),
            "KL of each time step": ("kl_by_step", by_step, "time step", "KL [nats]"),
            "Effective sample size": ("ess_by_step", ess, "time step", "ESS [particles]"),
        }
        return {
            heading: save(draw_curves(curves, x_label=x_label, y_label=y_label), directory / name)
            for heading, (name, curves, x_label, y_label) in pictures.items()
            if any(len(curve.steps) for seeds in curves.values() for curve in seeds)
        }

    def marked(self, row: Row) -> str:
        """The row's label with what its values on valid are to log p(x): "VRNN (≥)"; exact ones have no mark."""
        kinds = sorted({job.result["figures"][VALID]["kind"] for job in row.counted} - {"exact"})
        return f"{row.label} ({', '.join(map(self.sign.mark, kinds))})" if kinds else row.label

    def by_step(self, row: Row, found: np.ndarray | None) -> list[Curve]:
        """A mean of each time step, one curve a seed, from that of every counted seed [S, T]."""
        if found is None or row.lengths is None:
            return []
        reached = (row.lengths[:, None] > np.arange(found.shape[1])).mean(0) >= REACHED
        steps = 1.0 + np.flatnonzero(reached)
        return [Curve(steps, values[reached]) for values in found]


def differing_settings(rows: Sequence[Row]) -> dict[str, list[str]]:
    """Keys of the config, each with the values of the rows that count, where these differ."""
    return differing([settings(row.config) for row in rows if row.config is not None])
