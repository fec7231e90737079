"""What a sweep finds, before any of it is written: its configurations, from the best one down."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property

from experiments.config.diff import data_settings, differing, measures
from experiments.report.blocks.plots import floor
from experiments.report.blocks.scales import Scale
from experiments.report.rows import VALID, Row
from experiments.run.same_data import other_data
from experiments.run.state import Job
from experiments.sweep.plan import SweepJob, SweepPlan
from experiments.text import short_names, tidy

SEED = "seed"
LONG = 60  # letters of a value that a label has


class SweepFindings:
    """The jobs of a sweep, sorted into configurations: jobs that differ in the seed alone.

    Args:
      plan: of the sweep.
      jobs: all that are known.

    Attributes:
      ranked: configurations with a job that counts, the best first by their bounds on the validation set.
      unranked: the others.
    """

    def __init__(self, plan: SweepPlan, jobs: Sequence[SweepJob]):
        self.plan, self.jobs = plan, jobs
        groups: dict[tuple[tuple[str, str], ...], list[Job]] = {}
        for each in jobs:
            settings = tuple((key, each.settings.get(key, "–")) for key in self.keys)
            groups.setdefault(settings, []).append(each.job)
        rows = [Row(label_of(dict(group)), each, VALID, dict(group)) for group, each in groups.items()]
        self.ranked = sorted((row for row in rows if row.counted), key=lambda row: row.bound.value, reverse=True)
        self.unranked = [row for row in rows if not row.counted]

    @property
    def keys(self) -> list[str]:
        """What tells configurations apart."""
        return [key for key in self.plan.keys if key != SEED]

    @property
    def varied(self) -> list[str]:
        """Keys of which more than one value counts."""
        return [key for key, scale in self.scales.items() if len(scale.values) > 1]

    @property
    def counted(self) -> list[Job]:
        """Jobs that count, those of the best configuration first."""
        return [job for row in self.ranked for job in row.counted]

    @cached_property
    def best(self) -> SweepJob | None:
        """Of the best configuration, the seed that is best on valid."""
        shown = self.ranked[0].shown if self.ranked else None
        return next((each for each in self.jobs if each.job is shown), None) if shown else None

    @cached_property
    def are_comparable(self) -> bool:
        """Whether the bounds of the configurations are of the same data and space, all of densities or none."""
        configs = [row.config for row in self.ranked if row.config is not None]
        if differing([data_settings(config) for config in configs]) or other_data(self.counted):
            return False
        return len({row.bound.space for row in self.ranked}) < 2 and len(measures(configs)) < 2

    @cached_property
    def scales(self) -> dict[str, Scale]:
        """The axis of each key, over the configurations that count."""
        return {key: Scale([row.settings[key] for row in self.ranked]) for key in self.keys if self.ranked}

    @cached_property
    def floor(self) -> float:
        """Where the pictures' axis of the bound ends below."""
        return floor([job.result["figures"][VALID]["value"] for job in self.counted])

    @property
    def axis(self) -> str:
        """Names the bound: what it is, its unit, its space."""
        bounds = [row.bound for row in self.ranked]
        kinds = " or ".join(sorted({bound.kind.replace("_", " ") for bound in bounds}))
        spaces = " or ".join(sorted({bound.space for bound in bounds}))
        return f"valid log-likelihood, {kinds}\n[{bounds[0].unit}, {spaces}]"

    def short_label(self, row: Row) -> str:
        """A configuration with the last parts of its keys, where there is little room."""
        names = short_names(self.keys)
        return " ".join(f"{names[key]}={tidy(value)}" for key, value in row.settings.items()) or row.label


def label_of(settings: dict[str, str]) -> str:
    """Settings in words: latent.z_dim=8 optimizer.lr=1e-3; long values are cut."""
    cut = {key: tidy(value) if len(value) <= LONG else f"{value[:LONG]}…" for key, value in settings.items()}
    return " ".join(f"{key}={value}" for key, value in cut.items()) or "all seeds"
