"""A row of a comparison: what the runs of one model, one per seed, say together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from omegaconf import DictConfig

from experiments.report.blocks.cells import Mean, spread
from experiments.report.groups import Groups, read_groups
from experiments.report.sequences import read_sequences
from experiments.run.facts import BOUND, config_of, training_seconds, valid_evaluations, why_not
from experiments.run.state import Job


class Row:
    """The runs of one model.

    Args:
      label: names the model.
      jobs: one per seed, in any state; those that are done and have the bound count.
      bound: the figure that the row is judged by.
    """

    def __init__(self, label: str, jobs: Sequence[Job], bound: str = BOUND):
        self.label, self._judged_by = label, bound
        self.jobs = tuple(jobs)
        self.left_out = {number: reason for number, job in enumerate(jobs) if (reason := why_not(job, bound))}
        self.counted = [job for number, job in enumerate(jobs) if number not in self.left_out]

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
          evaluation: where it is: one of `evaluations`, or the runs' own results.
        """
        figures = [self._figures(job, evaluation).get(name) for job in self.counted]
        known = [figure for figure in figures if figure is not None]
        if not known or len(known) < len(figures):
            return None
        first, values = known[0], np.array([figure["value"] for figure in known])
        rest = first["kind"], first["unit"], first["space"]
        if len(values) == 1:
            return Mean(float(values[0]), first["standard_error"], "sequences", *rest, spread(first))
        return Mean(float(values.mean()), float(values.std(ddof=1)) / math.sqrt(len(values)), "seeds", *rest)

    @cached_property
    def evaluations(self) -> list[str]:
        """Names of later evaluations, such as iwae-40, that estimate the test likelihood of every counted run."""
        evaluations = [valid_evaluations(job).items() for job in self.counted]
        names = [{name for name, content in each if is_estimate(content)} for each in evaluations]
        return sorted(set.intersection(*names)) if names else []

    @cached_property
    def bounds(self) -> np.ndarray | None:
        """Bounds of every counted seed on every test sequence, in nats [S, N]; None where a run has lost them."""
        return self._sequences("bounds")

    @cached_property
    def lengths(self) -> np.ndarray | None:
        """Steps of every test sequence [N]."""
        found = self._sequences("lengths")
        return None if found is None else found[0]

    @cached_property
    def groups(self) -> Groups | None:
        """Which of the test sequences belong together; None where a run has lost its bounds."""
        if self.bounds is None:
            return None
        found = [read_groups(job.run.test_sequences, self.bounds.shape[1]) for job in self.counted]
        return next((groups for groups in found if groups.word is not None), found[0])

    @cached_property
    def kl_by_step(self) -> np.ndarray | None:
        """Mean KL of each time step over the test sequences that reach it, in nats, of every counted seed [S, T]."""
        return self._sequences("kl_by_step")

    @property
    def kl_per_step(self) -> Mean | None:
        """KL of the posterior from the prior, in nats per step; None without latent variables."""
        kl, bound = self.mean("test/kl"), self.mean(BOUND)
        if kl is None or bound is None or bound.kind == "exact" or self.lengths is None:
            return None
        return kl.times(1.0 / float(self.lengths.mean()), "nats per step")

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
        name = "valid/log_likelihood"
        return max(self.counted, key=lambda job: job.result["figures"][name]["value"], default=None)

    @cached_property
    def config(self) -> DictConfig | None:
        """The resolved config of a counted run; seeds differ in nothing else."""
        return config_of(self.counted[0]) if self.counted else None

    def _figures(self, job: Job, evaluation: str | None) -> dict[str, Any]:
        return job.result["figures"] if evaluation is None else valid_evaluations(job)[evaluation]["figures"]

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
