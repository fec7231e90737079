"""Which models are as good as the best: laws, closed forms, and the same numbers as SciPy's own tests."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from experiments.report.significance import against_best, components, holm


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
    assert verdicts[other].p == 1.0
    assert not verdicts[other].is_worse
    assert verdicts["m1"].is_worse


def test_a_difference_that_is_the_same_on_every_sequence_is_certain():
    values = np.arange(8.0)[None]
    _, verdicts = against_best({"a": values, "b": values - 0.25})
    assert verdicts["b"] == pytest.approx((-0.25, 0.0, 7.0, 0.0))
    assert verdicts["b"].is_worse


@pytest.mark.parametrize("groups", [None, ["x", "y"] * 4])
def test_fewer_than_three_groups_tell_nothing(groups):
    values = np.arange(8.0 if groups else 2.0)[None]
    with pytest.raises(ValueError, match="groups must be at least 3 different ones to tell anything, got 2"):
        against_best({"a": values, "b": values - 5.0}, groups)


def test_what_training_again_would_change_is_no_difference():
    """One lucky seed shifts every sequence: certain over sequences, nothing over seeds."""
    found = models(0.0, 0.0)
    found["m0"] += np.array([[0.0], [8.0], [30.0]])
    best, verdicts = against_best(found)
    assert best == "m0"
    assert verdicts["m1"].p > 0.1
    _, alone = against_best({name: values.mean(0, keepdims=True) for name, values in found.items()})
    assert alone["m1"].p < 1e-6


def test_what_other_speakers_would_change_is_no_difference():
    """One model is better for two speakers of six, alike on all of their recordings: certain over recordings only."""
    random = np.random.default_rng(3)
    speakers = np.repeat([*"abcdef"], 50)
    a = random.normal(-100.0, 5.0, (1, 300))
    b = a - 4.0 * np.isin(speakers, ["b", "e"]) + random.normal(0.0, 2.0, (1, 300))
    _, by_recording = against_best({"a": a, "b": b})
    _, by_speaker = against_best({"a": a, "b": b}, speakers)
    assert by_recording["b"].p < 1e-6
    assert by_speaker["b"].p > 0.1
    assert by_speaker["b"].difference == by_recording["b"].difference


def test_one_seed_and_no_groups_is_the_paired_test():
    found = models(0.0, -0.3, seeds=1)
    best, verdicts = against_best(found)
    (other,) = found.keys() - {best}
    paired = stats.ttest_rel(found[other][0], found[best][0])
    difference = found[other][0] - found[best][0]
    assert verdicts[other].p == pytest.approx(paired.pvalue)
    assert verdicts[other].freedom == pytest.approx(49)
    assert verdicts[other].error == pytest.approx(difference.std(ddof=1) / math.sqrt(50))


def test_seeds_alone_are_welch_s_test():
    """Many seeds, whose differences are the same on every sequence: only the seeds' spread is left."""
    random = np.random.default_rng(8)
    sequences = random.normal(-100.0, 30.0, 50)
    seeds = {"a": random.normal(0.0, 1.0, (9, 1)), "b": random.normal(-0.5, 5.0, (9, 1))}
    best, verdicts = against_best({name: sequences + values for name, values in seeds.items()})
    (other,) = seeds.keys() - {best}
    welch = stats.ttest_ind(seeds[other][:, 0], seeds[best][:, 0], equal_var=False)
    assert verdicts[other].p == pytest.approx(welch.pvalue, rel=1e-6)
    assert verdicts[other].freedom == pytest.approx(welch.df, rel=1e-6)


def test_seeds_of_several_models_are_corrected_by_the_studentized_range():
    random = np.random.default_rng(9)
    found = {name: random.normal(mean, 2.0, (9, 1)) + np.arange(20.0)
             for name, mean in {"a": 0.0, "b": -1.0, "c": -2.0}.items()}  # fmt: skip
    best, verdicts = against_best(found)
    for name, verdict in verdicts.items():
        welch = stats.ttest_ind(found[name][:, 0], found[best][:, 0], equal_var=False)
        expected = stats.studentized_range.sf(abs(welch.statistic) * math.sqrt(2), 3, welch.df)
        assert verdict.p == pytest.approx(expected, rel=1e-4)
        assert verdict.p > welch.pvalue


def test_the_spread_between_groups_is_that_of_the_jackknife():
    random = np.random.default_rng(4)
    groups = np.array([*"aabbbbbcccccccdd"])
    bounds = [random.normal(size=(2, 16)), random.normal(size=(3, 16))]
    found = components(bounds, groups)
    differences = bounds[0].mean(0) - bounds[1].mean(0)
    left_out = np.array([differences[groups != name].mean() for name in "abcd"])
    jackknife = 3 / 4 * ((left_out - differences.mean()) ** 2).sum()
    assert found.groups[0, 0] + found.groups[1, 1] - 2 * found.groups[0, 1] == pytest.approx(jackknife)
    assert found.groups_freedom == pytest.approx(1 / sum((size / 16) ** 2 for size in (2, 5, 7, 2)) - 1)
    assert found.seeds == pytest.approx([values.mean(1).var(ddof=1) / len(values) for values in bounds])


def test_groups_of_one_sequence_are_no_groups():
    found = models(0.0, -0.3, -0.1)
    (best, none), (also, single) = against_best(found), against_best(found, [str(number) for number in range(50)])
    assert best == also
    for name, verdict in none.items():
        assert single[name] == pytest.approx(verdict)


def test_each_model_has_its_own_spread_between_seeds():
    """A third model that varies a lot makes a difference of two steady ones less sure by its mere number only."""
    found = models(0.0, -0.8, seeds=4)
    _, alone = against_best(found)
    found["wild"] = models(-300.0, seeds=4)["m0"] + np.array([[0.0], [90.0], [-90.0], [50.0]])
    _, beside = against_best(found)
    assert beside["m1"].error == pytest.approx(alone["m1"].error)
    assert alone["m1"].p <= beside["m1"].p <= 3 * alone["m1"].p


def test_all_pairs_are_corrected_for():
    """The best is chosen on the same numbers, so that a pair without it could have been the one that is looked at."""
    found = models(0.0, -0.2, -0.5, seeds=1)
    best, verdicts = against_best(found)
    pairs = {frozenset(pair): stats.ttest_rel(*(found[name][0] for name in pair)).pvalue
             for pair in (("m0", "m1"), ("m0", "m2"), ("m1", "m2"))}  # fmt: skip
    for name, verdict in verdicts.items():
        assert verdict.p == pytest.approx(holm(pairs)[frozenset((best, name))])


def test_one_seed_among_several_has_the_spread_of_the_model_that_varies_most():
    found = models(0.0, 0.0, -9.0, noise=0.1)
    found["m0"] += np.array([[0.0], [8.0], [20.0]])
    found["m2"] = found["m2"][:1]
    parts = components(list(found.values()))
    spread = found["m0"].mean(1).var(ddof=1)
    assert parts.seeds == pytest.approx([spread / 3, found["m1"].mean(1).var(ddof=1) / 3, spread])
    _, verdicts = against_best(found)
    # One estimate of two degrees of freedom, and nothing else of any size.
    assert verdicts["m2"].error == pytest.approx(math.sqrt(spread * (1 / 3 + 1)), rel=1e-3)
    assert verdicts["m2"].freedom == pytest.approx(2.0, rel=1e-3)


def test_one_model_stands_alone():
    assert against_best(models(0.0)) == ("m0", {})


def test_holm():
    assert holm({"a": 0.01, "b": 0.04, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.06, "c": 0.06})
    assert holm({"a": 0.6, "b": 0.9}) == {"a": 1.0, "b": 1.0}
    assert holm({}) == {}
