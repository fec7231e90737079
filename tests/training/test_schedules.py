"""Factors on the learning rate."""

from __future__ import annotations

import pytest

from vrnn.training.schedules import Constant, Cosine, OneCycle

ALL = [Constant(), Cosine(), Cosine(warmup=0.3, end=0.2), Cosine(warmup=1.0), OneCycle(), OneCycle(0.0), OneCycle(1.0)]


@pytest.mark.parametrize("schedule", ALL)
@pytest.mark.parametrize("total", [1, 2, 7, 1000])
def test_factors_lie_between_zero_and_one_also_past_the_end(schedule, total: int):
    assert all(0.0 <= schedule(step, total) <= 1.0 for step in range(2 * total))
    assert schedule(0, total) > 0.0  # the first update does something


def test_constant_is_one():
    assert {Constant()(step, 10) for step in range(20)} == {1.0}


def test_one_cycle_starts_peaks_and_ends_where_it_says():
    schedule, total = OneCycle(warmup=0.2, start=0.04, end=0.001), 100
    factors = [schedule(step, total) for step in range(total)]
    assert factors[0] == pytest.approx(0.04)
    assert factors[10] == pytest.approx((0.04 + 1.0) / 2)  # half of the way up
    assert factors[20] == max(factors) == 1.0
    assert factors[-1] == pytest.approx(0.001)
    assert factors[:21] == sorted(factors[:21])
    assert factors[20:] == sorted(factors[20:], reverse=True)


def test_cosine_rises_linearly_and_falls_along_half_a_cosine():
    schedule, total = Cosine(warmup=0.2, end=0.1), 100
    factors = [schedule(step, total) for step in range(total + 1)]
    assert factors[0] == pytest.approx(1 / 21)
    assert factors[19] == pytest.approx(20 / 21)
    assert factors[20] == max(factors) == 1.0
    assert factors[20 + 79 // 2] == pytest.approx(0.55, abs=0.01)  # half of the way down
    assert factors[99] == pytest.approx(0.1)  # the last update
    assert factors[20:] == sorted(factors[20:], reverse=True)
    assert Cosine()(0, 100) == 1.0


@pytest.mark.parametrize("name", ["warmup", "start", "end"])
@pytest.mark.parametrize("value", [-0.1, 1.1, float("nan")])
def test_fractions_are_refused_by_name(name: str, value: float):
    with pytest.raises(ValueError, match=f"{name} must be between 0 and 1, got {value}"):
        OneCycle(**{name: value})
    if name != "start":
        with pytest.raises(ValueError, match=f"{name} must be between 0 and 1, got {value}"):
            Cosine(**{name: value})
