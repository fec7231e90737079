"""A row of a report: what the runs of one model or configuration, one per seed, say together, and what rows say."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import numpy as np
from omegaconf import DictConfig

from experiments.config.diff import data_settings, differing, measures
from experiments.report.blocks.templates import sentences
from experiments.report.sequences import Groups, read_groups, read_sequences
from experiments.run.facts import BOUND, config_of, last_line, seed_of, training_seconds, valid_evaluations, why_not
from experiments.run.same_data import other_data
from experiments.run.state import Job
from experiments.text import listed

if TYPE_CHECKING:
    from vrnn.objectives.base import Kind

VALID = "valid/log_likelihood"
NAMED = 6  # rows that a sentence names; more are counted


@dataclass(frozen=True)
class Mean:
    """A figure over the seeds of a row; kind, unit and space are those of the runs' figures.

    Attributes:
      value: mean over seeds.
      error: its standard error; None where it was not computed.
      over: what the error is over: seeds, or the test sequences where there is one seed only.
      groups: the groups that these sequences come in, such as "6 speakers"; None: they are independent, or not known.
    """

    value: float
    error: float | None
    over: Literal["seeds", "sequences"]
    kind: Kind
    unit: str
    space: str
    groups: str | None = None

    @classmethod
    def of_seeds(cls, figures: Sequence[dict[str, Any]]) -> Mean:
        """The mean of a figure of several seeds, or of a single one with its error over sequences."""
        first, values = figures[0], np.array([figure["value"] for figure in figures], dtype=float)
        rest = first["kind"], first["unit"], first["space"]
        if len(values) > 1:
            return cls(float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values)), "seeds", *rest)
        over = first.get("over")
        is_group = isinstance(over, str) and re.fullmatch(r"[\d,]{1,12} [a-z]{1,20}", over)
        return cls(float(values[0]), first["standard_error"], "sequences", *rest, over if is_group else None)

    def times(self, factor: float, unit: str) -> Mean:
        """The same figure over `factor` times as much, in the unit of that."""
        error = None if self.error is None else self.error * factor
        return replace(self, value=self.value * factor, error=error, unit=unit)


class Row:
    """The runs of one model or configuration.

    Args:
      label: names it.
      jobs: one per seed, in any state; those that are done and have the bound count.
      bound: the figure that the row is judged by.
      settings: of a configuration: the swept keys with their values, without the seed.
    """

    def __init__(self, label: str, jobs: Sequence[Job], bound: str = BOUND, settings: Mapping[str, str] | None = None):
        self.label, self.jobs, self._judged_by, self.settings = label, tuple(jobs), bound, dict(settings or {})
        self.left_out = {place: reason for place, job in enumerate(jobs) if (reason := why_not(job, bound))}
        self.counted = [job for place, job in enumerate(jobs) if place not in self.left_out]

    @cached_property
    def bound(self) -> Mean:
        """The figure that the row is judged by, over its counted seeds.

        Raises:
          LookupError: no run counts.
        """
        mean = self.mean(self._judged_by)
        if mean is None:
            raise LookupError(f"{self.label}: no run counts")
        return mean

    def mean(self, name: str, evaluation: str | None = None) -> Mean | None:
        """A figure over the seeds, of their results or of one of `evaluations`; None where a counted run has none."""
        if evaluation is None:
            figures = [job.result["figures"].get(name) for job in self.counted]
        elif evaluation in self.evaluations:
            figures = [valid_evaluations(job)[evaluation]["figures"].get(name) for job in self.counted]
        else:
            return None
        return Mean.of_seeds(figures) if figures and None not in figures else None

    @cached_property
    def evaluations(self) -> list[str]:
        """Names of later evaluations, such as iwae-40, that estimate the test likelihood of every counted run."""
        later = [valid_evaluations(job) for job in self.counted]
        kinds = [{name: each["figures"].get(BOUND, {}).get("kind") for name, each in named.items()} for named in later]
        names = [{name for name, kind in each.items() if kind == "estimate"} for each in kinds]
        return sorted(set.intersection(*names)) if names else []

    @cached_property
    def bounds(self) -> np.ndarray | None:
        """Bounds of every counted seed on every test sequence, in nats [S, N]; None where a run has lost them."""
        return self._sequences("bounds")

    @cached_property
    def lengths(self) -> np.ndarray | None:
        """Steps of every test sequence [N]."""
        lengths = self._sequences("lengths")
        return None if lengths is None else lengths[0]

    @cached_property
    def groups(self) -> Groups | None:
        """Which of the test sequences belong together; None where a run has lost its bounds."""
        if self.bounds is None:
            return None
        kept = [read_groups(job.run.test_sequences, self.bounds.shape[1]) for job in self.counted]
        return next((groups for groups in kept if groups.word is not None), kept[0])

    @cached_property
    def kl_by_step(self) -> np.ndarray | None:
        """Mean KL of each time step over the test sequences that reach it, in nats, of every counted seed [S, T]."""
        return self._sequences("kl_by_step")

    @cached_property
    def ess_by_step(self) -> np.ndarray | None:
        """Mean effective sample size after each time step, as the KL [S, T]; None where there are no particles."""
        return self._sequences("ess_by_step")

    @property
    def is_latent(self) -> bool:
        """Whether it counts and has latent variables, so that there is a KL of the posterior from the prior."""
        return bool(self.counted) and self.bound.kind != "exact"

    @property
    def kl_per_step(self) -> Mean | None:
        """The KL on test, in nats per step; None without latent variables."""
        kl = self.mean("test/kl") if self.is_latent else None
        return (
            None if kl is None or self.lengths is None else kl.times(1.0 / float(self.lengths.mean()), "nats per step")
        )

    @property
    def parameters(self) -> int | None:
        return self.counted[0].result.get("parameters") if self.counted else None

    @property
    def seconds(self) -> float | None:
        """Mean time spent training, over all resumes."""
        return float(np.mean([training_seconds(job) for job in self.counted])) if self.counted else None

    @cached_property
    def shown(self) -> Job | None:
        """The run whose samples stand for the row: the best on valid, since test is only measured on."""
        return max(self.counted, key=lambda job: job.result["figures"][VALID]["value"], default=None)

    @cached_property
    def config(self) -> DictConfig | None:
        """The resolved config of a counted run; seeds differ in nothing else."""
        return config_of(self.counted[0]) if self.counted else None

    def _sequences(self, name: str) -> np.ndarray | None:
        """An array of test_sequences.npz of all counted runs [S, ...]."""
        arrays = [read_sequences(job.run.test_sequences).get(name) for job in self.counted]
        known = [array for array in arrays if array is not None]
        if len(known) < len(arrays) or len({array.shape for array in known}) != 1:
            return None
        return np.stack(known)


def updates_and_seconds(job: Job) -> tuple[int | None, float | None]:
    """How long a job in any state was trained, over all resumes."""
    last = last_line(job)
    return job.result.get("step") or last.get("step"), last.get("seconds", job.result.get("seconds"))


def commit(result: Mapping[str, object]) -> str:
    """What made a result, short."""
    if not result.get("commit"):
        return "–"
    return str(result["commit"])[:10] + (" + uncommitted changes" if result.get("dirty") else "")


class LeftOut(NamedTuple):
    """Jobs of a row that do not count for the same reason: their row and seeds in words, how many they are, and why."""

    which: str
    jobs: int
    reason: str

    def __str__(self) -> str:
        return f"{self.which}: {self.reason}"


def left_out(rows: Sequence[Row]) -> list[LeftOut]:
    """Jobs that do not count, and why; seeds of a row with the same reason together."""
    names: dict[tuple[Row, str], list[str]] = {}
    for row in rows:
        for place, reason in row.left_out.items():
            seed = seed_of(row.jobs[place])
            name = row.jobs[place].run.path.name if seed is None else f"seed {seed}"
            names.setdefault((row, reason), []).append(name)
    return [
        LeftOut(f"{row.label}, {listed(seeds)}" if len(row.jobs) > 1 else row.label, len(seeds), reason)
        for (row, reason), seeds in names.items()
    ]


def cautions(rows: Sequence[Row], what: str) -> list[str]:
    """What the runs themselves warn of, and what makes rows hard to compare; `what` is the report's word for them."""
    counted = [row for row in rows if row.counted]
    theirs = [{text for job in row.counted for text in job.result.get("cautions", [])} for row in counted]
    warned = []
    for text in sorted(set().union(*theirs)):
        labels = [row.label for row, texts in zip(counted, theirs, strict=True) if text in texts]
        who = listed(labels) if len(labels) <= NAMED else f"{len(labels)} of {len(counted)} {what}"
        warned.append((who if len(labels) < len(counted) else "", text.rstrip(".")))
    configs = [row.config for row in rows if row.config is not None]
    data = differing([data_settings(config) for config in configs])
    jobs = [job for row in counted for job in row.counted]
    commits = sorted({commit(job.result) for job in jobs})
    other = None if data else other_data(jobs)
    doubts = {"data": data, "other_data": other, "measures": measures(configs), "commits": commits}
    return sentences("cautions", warned=warned, what=what, **doubts)


def made_by(jobs: Sequence[Job]) -> list[tuple[str, str]]:
    """The code and the versions that made results, as facts for a page; nothing of no jobs."""
    versions = [", ".join(f"{name} {number}" for name, number in job.result["versions"].items()) for job in jobs]
    facts = {"commit": [commit(job.result) for job in jobs], "versions": versions}
    return [(name, "; ".join(dict.fromkeys(texts))) for name, texts in facts.items() if texts]
