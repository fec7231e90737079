"""Which models are as good as the best: laws, and the same numbers as SciPy's own tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from experiments.report.significance import against_best, holm


def models(*shifts: float, seeds: int = 3, noise: float = 1.0) -> dict[str, np.ndarray]:
    """Bounds [S, N] of models m0, m1, ... around common sequences."""
    random = np.random.default_rng(5)
    sequences = random.normal(-100.0, 30.0, 50)
    return {f"m{i}": sequences + shift + random.normal(0.0, noise, (seeds, 50)) for i, shift in enumerate(shifts)}


@pytest.mark.parametrize("seeds", [1, 2, 3])
def test_a_shift_far_above_the_noise_makes_a_model_the_only_best(seeds):
    for place in range(3):
        found = models(*(500.0 * (i == place) for i in range(3)), seeds=seeds)
        best, verdicts = against_best(found)
        assert best == f"m{place}"
        assert verdicts.keys() == found.keys() - {best}
        assert all(verdict.is_worse for verdict in verdicts.values())
        assert all(verdict.difference == pytest.approx(-500.0, abs=1.0) for verdict in verdicts.values())


@pytest.mark.parametrize("seeds", [1, 3])
def test_equal_models_are_both_best(seeds):
    found = models(0.0, -300.0, seeds=seeds)
    found["again"] = found["m0"].copy()
    best, verdicts = against_best(found)
    (other,) = {"m0", "again"} - {best}
    assert verdicts[other].p_sequences == 1.0
    assert not verdicts[other].is_worse
    assert verdicts["m1"].is_worse


def test_a_difference_that_is_the_same_on_every_sequence_is_certain():
    values = np.arange(8.0)[None]
    _, verdicts = against_best({"a": values, "b": values - 0.25})
    assert verdicts["b"] == (-0.25, 0.0, 0.0, None)
    assert verdicts["b"].is_worse


def test_one_sequence_tells_nothing():
    best, verdicts = against_best({"a": np.array([[1.0]]), "b": np.array([[5.0]])})
    assert best == "b"
    assert not verdicts["a"].is_worse


def test_what_training_again_would_change_is_no_difference():
    """One lucky seed shifts every sequence: certain over sequences, nothing over seeds."""
    found = models(0.0, 0.0)
    found["m0"] += np.array([[0.0], [8.0], [30.0]])
    best, verdicts = against_best(found)
    assert best == "m0"
    assert verdicts["m1"].p_sequences < 1e-6
    assert verdicts["m1"].p_seeds > 0.1
    assert not verdicts["m1"].is_worse


def test_both_tests_are_those_of_scipy():
    found = models(0.0, -0.3, seeds=4)
    best, verdicts = against_best(found)
    (other,) = found.keys() - {best}
    paired = stats.ttest_rel(found[other].mean(0), found[best].mean(0))
    seeds = stats.ttest_ind(found[other].mean(1), found[best].mean(1))
    assert verdicts[other].p_sequences == pytest.approx(paired.pvalue)
    assert verdicts[other].p_seeds == pytest.approx(seeds.pvalue)
    difference = found[other].mean(0) - found[best].mean(0)
    assert verdicts[other].error == pytest.approx(difference.std(ddof=1) / math.sqrt(50))


def test_the_variance_between_seeds_is_that_of_all_models():
    """As in a one-way analysis of variance, whose F of two groups is the square of t."""
    found = models(0.0, -0.3, seeds=2)
    best, verdicts = against_best(found)
    (other,) = found.keys() - {best}
    alone = verdicts[other].p_seeds
    found["m2"] = models(-300.0, seeds=6, noise=0.1)["m0"]
    _, verdicts = against_best(found)
    residual = sum(((values.mean(1) - values.mean()) ** 2).sum() for values in found.values()) / (1 + 1 + 5)
    t = (found[other].mean() - found[best].mean()) / math.sqrt(residual * (1 / 2 + 1 / 2))
    assert verdicts[other].p_seeds == pytest.approx(2 * stats.t.sf(abs(t), 7))  # the larger one: Holm leaves it
    assert verdicts[other].p_seeds < alone


def test_single_seeds_are_tested_over_sequences_only():
    found = models(0.0, -40.0, seeds=1)
    _, verdicts = against_best(found)
    assert verdicts["m1"].p_seeds is None
    assert verdicts["m1"].is_worse
    found["m0"] = models(0.0, seeds=3)["m0"]
    assert against_best(found)[1]["m1"].p_seeds < 1e-3  # the others tell what a seed can change


def test_one_model_stands_alone():
    assert against_best(models(0.0)) == ("m0", {})


def test_holm():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({"a": 0.6, "b": 0.9}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}
