"""Splits by name: fractions, seeds, and that a new name moves no other."""

from __future__ import annotations

import itertools
import os

import numpy as np
import pytest

from vrnn.data.sources.partition import place, split_by_name

NAMES = [f"speaker{number:04d}" for number in range(2000)]


def test_places_are_even_and_independent_of_each_other_and_of_the_seeds():
    places = np.array([[place(name, seed) for name in NAMES] for seed in (0, 1, 2)])
    assert (places >= 0).all()
    assert (places < 1).all()
    for row in places:
        counts = np.histogram(row, 20, (0, 1))[0]
        assert ((counts - 100) ** 2 / 100).sum() < 43.8  # chi squared, 19 degrees, p = 0.001
    assert np.abs(np.corrcoef(places)[np.triu_indices(3, 1)]).max() < 0.075
    assert np.abs(np.corrcoef(places[:, :-1], places[:, 1:])[:3, 3:]).max() < 0.085


def test_places_are_these_for_ever():
    assert place("a", 0) == pytest.approx(0.8102656835248532)
    assert place(os.fsdecode(b"caf\xe9"), 3) != place("caf", 3)


def test_parts_have_their_fractions_and_share_no_name():
    parts = split_by_name(NAMES, 0.1, 0.2, 5)
    assert sorted(itertools.chain(*parts.values())) == NAMES
    assert len(parts["valid"]) == pytest.approx(200, abs=50)
    assert len(parts["test"]) == pytest.approx(400, abs=65)
    assert parts == split_by_name(reversed(NAMES), 0.1, 0.2, 5) != split_by_name(NAMES, 0.1, 0.2, 6)


def test_a_new_name_moves_no_other():
    few = split_by_name(NAMES[::2], 0.1, 0.1, 0)
    many = split_by_name(NAMES, 0.1, 0.1, 0)
    assert all(set(few[part]) == set(many[part]) & set(NAMES[::2]) for part in few)


@pytest.mark.parametrize("seed", range(20))
def test_three_names_fill_three_parts(seed):
    parts = split_by_name("abc", 0.01, 0.01, seed)
    assert sorted(map(len, parts.values())) == [1, 1, 1]


def test_what_leaves_nothing_to_train_on_is_named():
    with pytest.raises(ValueError, match="leave nothing to train on of 2: valid has 1 and test 1"):
        split_by_name("ab", 0.1, 0.1, 0)
    with pytest.raises(ValueError, match="test_fraction must be between 0 and 1, got 1"):
        split_by_name("abc", 0.1, 1, 0)
