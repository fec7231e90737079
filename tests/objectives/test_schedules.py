"""The weights' schedule."""

from __future__ import annotations

import pytest

from vrnn.objectives.schedules import Linear


def test_linear_goes_from_start_to_end_and_stays():
    ramp = Linear(0.2, 1.0, 4)
    assert [ramp(step) for step in (0, 1, 2, 3, 4, 5, 10**9)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0, 1.0])
    assert [Linear(3.0, 0.0, 2)(step) for step in (0, 1, 2)] == [3.0, 1.5, 0.0]


def test_linear_over_no_steps_is_its_end():
    assert Linear(0.2, 1.0, 0)(0) == 1.0


def test_a_negative_number_of_steps_is_refused_by_name():
    with pytest.raises(ValueError, match="steps must be at least 0, got -1"):
        Linear(0.0, 1.0, -1)
