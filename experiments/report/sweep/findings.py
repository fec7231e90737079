"""What a sweep finds, before any of it is written: its configurations, from the best one down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from experiments.config.diff import data_settings, differing, measures
from experiments.report.blocks.cells import Mean
from experiments.report.blocks.plots import floor
from experiments.report.blocks.scales import Scale
from experiments.report.rows import Row
from experiments.run.same_data import other_data
from experiments.run.state import Job
from experiments.sweep.plan import SweepJob, SweepPlan
from experiments.text import tidy

VALID = "valid/log_likelihood"
SEED = "seed"
LONG = 60  # letters of a value that are told


class Configuration(NamedTuple):
    """Jobs that differ in the seed alone.

    Attributes:
      settings: the swept keys with their values, without the seed.
      row: the jobs, judged by the bound on the validation set.
    """

    settings: dict[str, str]
    row: Row

    @property
    def bound(self) -> Mean:
        """Mean over the seeds; there is one where a job counts."""
        return self.row.bound


@dataclass(frozen=True)
class SweepFindings:
    """The jobs of a sweep, sorted.

    Attributes:
      plan: of the sweep.
      jobs: all that are known.
      ranked: configurations with a job that counts, the best first.
      unranked: the others.
    """

    plan: SweepPlan
    jobs: Sequence[SweepJob]
    ranked: Sequence[Configuration]
    unranked: Sequence[Configuration]

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
        return [job for configuration in self.ranked for job in configuration.row.counted]

    @cached_property
    def best(self) -> SweepJob | None:
        """Of the best configuration, the seed that is best on valid."""
        shown = self.ranked[0].row.shown if self.ranked else None
        return next((each for each in self.jobs if each.job is shown), None) if shown else None

    @cached_property
    def are_comparable(self) -> bool:
        """Whether the bounds of the configurations are of the same data and space, all of densities or none."""
        configs = [each.row.config for each in self.ranked if each.row.config is not None]
        if differing([data_settings(config) for config in configs]) or other_data(self.counted):
            return False
        return len({each.bound.space for each in self.ranked}) < 2 and len(measures(configs)) < 2

    @cached_property
    def scales(self) -> dict[str, Scale]:
        """The axis of each key, over the configurations that count."""
        return {key: Scale([each.settings[key] for each in self.ranked]) for key in self.keys if self.ranked}

    @cached_property
    def floor(self) -> float:
        """Where the pictures' axis of the bound ends below."""
        return floor([job.result["figures"][VALID]["value"] for job in self.counted])

    @property
    def axis(self) -> str:
        """Names the bound: what it is, its unit, its space."""
        bounds = [each.bound for each in self.ranked]
        kinds = " or ".join(sorted({bound.kind.replace("_", " ") for bound in bounds}))
        spaces = " or ".join(sorted({bound.space for bound in bounds}))
        return f"valid log-likelihood, {kinds}\n[{bounds[0].unit}, {spaces}]"


def find(plan: SweepPlan, jobs: Sequence[SweepJob]) -> SweepFindings:
    """Sorts the jobs of a sweep."""
    groups: dict[tuple[tuple[str, str], ...], list[Job]] = {}
    keys = [key for key in plan.keys if key != SEED]
    for each in jobs:
        settings = tuple((key, each.settings.get(key, "–")) for key in keys)
        groups.setdefault(settings, []).append(each.job)
    found = [Configuration(dict(group), Row(words(dict(group)), each, VALID)) for group, each in groups.items()]
    ranked = [each for each in found if each.row.counted]
    ranked.sort(key=lambda each: each.bound.value, reverse=True)
    return SweepFindings(plan, list(jobs), ranked, [each for each in found if not each.row.counted])


def words(settings: dict[str, str]) -> str:
    """Settings in words: latent.z_dim=8 optimizer.lr=1e-3; long values are cut."""
    cut = {key: tidy(value) if len(value) <= LONG else f"{value[:LONG]}…" for key, value in settings.items()}
    return " ".join(f"{key}={value}" for key, value in cut.items()) or "all seeds"
