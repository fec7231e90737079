"""Which keys matter: the importance that a sweep's report tells."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from pathlib import Path

import numpy as np

from experiments.report.sweep.findings import Importance, SweepFindings, find_importance, permute
from experiments.sweep.plan import SweepJob
from tests.experiments.report.conftest import Runs
from tests.experiments.report.sweep.test_write import flat, plan_of


def made(runs: Runs, folder: Path, bound: Callable[[float, float], float]):
    """A sweep of two keys with the given bounds."""
    pairs = list(itertools.product(range(1, 7), range(1, 6)))
    jobs = [SweepJob({"a": str(a), "b": str(b)}, runs.done(flat(bound(a, b)))) for a, b in pairs]
    return SweepFindings(plan_of(folder, jobs), jobs)


def test_importance_finds_the_key_that_matters(runs, tmp_path):
    found = find_importance(made(runs, tmp_path, lambda a, b: -20.0 * a))
    assert isinstance(found, Importance)
    assert found.keys == ["a", "b"]
    assert found.drops[0] > 1.0
    assert abs(found.drops[1]) < 0.05
    assert found.explained > 0.8


def test_importance_of_noise_is_not_told(runs, tmp_path):
    noise = np.random.default_rng(0)
    assert "cannot say" in find_importance(made(runs, tmp_path, lambda a, b: noise.normal()))


def test_importance_needs_configurations_and_keys(runs, tmp_path):
    jobs = [SweepJob({"a": str(a), "b": str(a % 2)}, runs.done(flat(-a))) for a in range(5)]
    assert "at least 6 configurations" in find_importance(SweepFindings(plan_of(tmp_path, jobs), jobs))


def test_importance_is_the_same_each_time():
    inputs = np.random.default_rng(1).normal(size=(12, 2))
    first, second = permute(inputs, inputs[:, 0]), permute(inputs, inputs[:, 0])
    np.testing.assert_array_equal(first[1], second[1])
