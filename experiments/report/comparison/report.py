"""The report of a comparison: models side by side, measured on test, with significance and published numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from experiments.config.untrusted import command_to_show
from experiments.report import words
from experiments.report.blocks.latex import latex
from experiments.report.blocks.media import GalleryPart, gallery
from experiments.report.blocks.plots import Curve, draw_curves, history, literal_text, save
from experiments.report.blocks.tables import Cell, Table
from experiments.report.blocks.templates import sentences
from experiments.report.columns import Sign
from experiments.report.comparison.published import Published
from experiments.report.comparison.tables import (
    figure_columns,
    foreign_models,
    references_of,
    settings_table,
    significance_table,
)
from experiments.report.ranking import rank
from experiments.report.report import Drawn, Report
from experiments.report.rows import VALID, Mean, Row
from experiments.report.significance import LEVEL
from experiments.run.facts import BOUND, seed_of
from experiments.run.state import Job


class Comparison(Report):
    """A comparison of models.

    Args:
      jobs: label of a model: its jobs, one per seed, in any state; those that are not done are named and not counted.
      published: numbers of others on these data; they appear where every run's config is what they require.
      negate: print negative log-likelihoods, with <=, as the field does for images.

    Attributes:
      ranking: which models are the best.
      obstacles: what keeps the published numbers out of the table.
      references: what the bounds are read against, by name.
    """

    name, split, what, bounds = "comparison", "test", "rows", (BOUND, VALID)
    reached = 0.05  # of the test sequences: where fewer go on, their mean KL is not drawn

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

    @cached_property
    def table(self) -> Table:
        mixed = {"exact", "lower_bound"} <= {row.bound.kind for row in self.rows if row.counted}
        as_they_stand = "They are compared as they stand, so a model with a bound may be better than it looks here"
        after_marks = f"{as_they_stand}, never worse." if mixed else ""
        notes = self.how_to_read(after_marks, estimates=any(row.evaluations for row in self.rows))
        errors = [mean for figures in self.references.values() for mean in figures.values()]
        notes += sentences("comparison_notes", report=self, level=LEVEL, errors=errors) if notes else []
        published = None if self.obstacles else self.published
        foreign = foreign_models(self.rows, published)
        sources = {name: values[0].source for name, values in foreign.items()}
        further = {
            "Published": [Cell(name, remark=f"({source})" if source else "") for name, source in sources.items()],
            "References": [*map(Cell, self.references)],
        }
        columns = figure_columns(self.rows, self.sign, self.best, published, foreign, self.references)
        return self.built(columns, f"Test {self.sign.title}", notes, further)

    def figures(self, row: Row) -> dict[str, Mean | None]:
        figures = {"log_likelihood": row.mean(BOUND), "log_likelihood_per_step": row.mean(f"{BOUND}_per_step")}
        later = sorted({name for each in self.rows for name in each.evaluations})
        figures |= {name: row.mean(BOUND, name) for name in later}
        return {**figures, "bits_per_dim": row.mean("test/bits_per_dim"), "kl_per_step": row.kl_per_step}

    @cached_property
    def summary(self) -> list[str]:
        top = next((row for row in self.rows if row.label == self.ranking.best), None)
        bounds = {name: figures[BOUND].value for name, figures in self.references.items() if BOUND in figures}
        return sentences(
            "comparison_summary",
            report=self,
            top=top,
            value=words.in_words(top.bound, self.sign) if top else "",
            level=[self.rows[place].label for place in sorted(self.best) if self.rows[place] is not top],
            better=[name for name, value in bounds.items() if top and value > top.bound.value],
        )

    @cached_property
    def against(self) -> Table:
        """Each of the other models against the best."""
        return significance_table(self.rows, self.ranking, self.sign, self.significance_notes)

    @property
    def significance_notes(self) -> list[str]:
        """How the test is to be read, and how far its verdicts reach."""
        tested = [row for row in self.rows if row.label in {self.ranking.best, *self.ranking.verdicts}]
        one_seed = [row.label for row in tested if len(row.counted) == 1]
        values = {"report": self, "tested": tested, "one_seed": one_seed, "level": LEVEL}
        return sentences("significance_notes", **values) if self.ranking.groups else []

    @property
    def appendix(self) -> list[Table]:
        return [self.against] if self.against.rows else []

    @property
    def settings(self) -> Table:
        """What tells the models apart."""
        return settings_table(self.rows)

    @property
    def facts(self) -> list[tuple[str, str]]:
        """What made the runs."""
        return words.made_by(self.counted)

    @property
    def commands(self) -> list[tuple[str, str]]:
        """What made the run that stands for each model."""
        shown = [(row.label, row.shown) for row in self.rows if row.shown]
        return [
            (f"{label}, seed {job.result['seed']}", command_to_show(job.result["command"], job.run.result_file))
            for label, job in shown
        ]

    def records(self) -> list[dict[str, Any]]:
        return [{"row": record.pop("model"), **record} for record in super().records()]

    def samples(self) -> list[GalleryPart]:
        return gallery({row.label: row.shown.run.figures for row in self.rows if row.shown})

    def texts(self) -> dict[str, str]:
        """The table for a paper, which has no box for cautions, so that they stand among the notes."""
        return {".tex": latex(self.table, "tab:comparison", self.cautions)}

    @literal_text()
    def draw(self, directory: Path) -> Drawn:
        """Draws the curves of all models."""
        bounds = {self.marked(row): history(row.counted, f"{VALID}_per_step", self.sign.value) for row in self.rows}
        kl = {row.label: history(row.counted, "valid/kl") if row.is_latent else [] for row in self.rows}
        by_step = {row.label: self.kl_by_step(row) if row.is_latent else [] for row in self.rows}
        pictures = {
            "Validation": ("validation", bounds, "updates", f"{self.sign.title} [nats per step]"),
            "KL during training": ("kl_training", kl, "updates", "KL [nats per sequence]"),
            "KL of each time step": ("kl_by_step", by_step, "time step", "KL [nats]"),
        }
        return {
            heading: save(draw_curves(curves, x_label=x_label, y_label=y_label), directory / name)
            for heading, (name, curves, x_label, y_label) in pictures.items()
            if any(len(curve.steps) for seeds in curves.values() for curve in seeds)
        }

    def marked(self, row: Row) -> str:
        """The row's label with what its values on valid are to log p(x): "VRNN (≥)"; exact ones have no mark."""
        kinds = sorted({job.result["figures"][VALID]["kind"] for job in row.counted})
        marks = ", ".join(self.sign.mark(kind) for kind in kinds if kind != "exact")
        return f"{row.label} ({marks})" if marks else row.label

    def kl_by_step(self, row: Row) -> list[Curve]:
        """The KL of each step, one curve a seed."""
        if row.kl_by_step is None or row.lengths is None:
            return []
        reached = (row.lengths[:, None] > np.arange(row.kl_by_step.shape[1])).mean(0) >= self.reached
        steps = 1.0 + np.flatnonzero(reached)
        return [Curve(steps, values[reached]) for values in row.kl_by_step]
