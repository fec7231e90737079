"""The axes of swept keys, and what is averaged along them."""

from __future__ import annotations

import numpy as np
import pytest

from experiments.report.blocks.plots import Scale
from experiments.report.sweep.plots import means_over
from experiments.text import as_number, tidy


def test_means_are_over_the_configurations_that_share_a_value():
    places, values = np.array([0.0, 1.0, 0.0]), np.array([1.0, 5.0, 4.0])
    centres, means, errors = means_over(places, values, Scale(["0", "1"]))
    assert (centres.tolist(), means.tolist()) == ([0.0, 1.0], [2.5, 5.0])
    np.testing.assert_allclose(errors, [1.5, np.nan])


@pytest.mark.parametrize(
    ("texts", "kind", "first"),
    [
        (["1e-2", "1e-4", "1e-3"], "log", "1e-4"),
        (["8", "2"], "linear", "2"),
        (["0", "1e-4", "1e-2"], "words", "0"),
        (["null", "5"], "words", "5"),
        (["adam"], "words", "adam"),
        (["3"], "linear", "3"),
    ],
)
def test_scales(texts, kind, first):
    scale = Scale(texts)
    assert (scale.kind, scale.values[0]) == (kind, first)
    low, high = scale.ends
    assert low < high
    places = [place for place, _ in scale.ticks(0.1)]
    assert places == sorted(places)
    assert all(low <= place <= high for place in places)


def test_numbers_of_a_search_are_rounded_and_others_stand_as_typed():
    assert [tidy(text) for text in ("0.00123456789", "1e-4", "256", "adam", "[32,32]", "0.0001")] == [
        "0.001235", "1e-4", "256", "adam", "[32,32]", "0.0001"
    ]  # fmt: skip
    assert [as_number(text) for text in ("8", "1e-3", "nan", "inf", "true")] == [8, 1e-3, None, None, None]
