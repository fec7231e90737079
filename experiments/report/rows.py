"""A row of a report: what the runs of one model or configuration, one per seed, say together."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from omegaconf import DictConfig

from experiments.report.sequences import Groups, read_groups, read_sequences
from experiments.run.facts import BOUND, config_of, training_seconds, valid_evaluations, why_not
from experiments.run.state import Job

if TYPE_CHECKING:
    from vrnn.objectives.base import Kind

VALID = "valid/log_likelihood"


@dataclass(frozen=True)
class Mean:
    """A figure over the seeds of a row.

    Attributes:
      value: mean over seeds.
      error: its standard error; None where it was not computed.
      over: what the error is over: seeds, or the test sequences where there is one seed only.
      groups: the groups that these sequences come in, such as "6 speakers"; None: the sequences are independent, or an
        older result does not say.
      kind, unit, space: as of the runs' own figures.
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
      settings: of a configuration of a sweep: the swept keys with their values, without the seed.

    Attributes:
      left_out: why jobs do not count, by their places.
      counted: those that do.
    """

    def __init__(self, label: str, jobs: Sequence[Job], bound: str = BOUND, settings: Mapping[str, str] | None = None):
        self.label, self._judged_by, self.settings = label, bound, dict(settings or {})
        self.jobs = tuple(jobs)
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
        """A figure over the seeds; None where a counted run has none.

        Args:
          name: of the figure, for instance "test/log_likelihood".
          evaluation: where it is: one of `evaluations`; None: the runs' own results.
        """
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
        names = [
            {name for name, content in valid_evaluations(job).items() if is_estimate(content)} for job in self.counted
        ]
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


def is_estimate(evaluation: dict[str, Any]) -> bool:
    """Whether it estimates the test likelihood."""
    return evaluation["figures"].get(BOUND, {}).get("kind") == "estimate"
