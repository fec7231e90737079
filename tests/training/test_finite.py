"""A bound that is not finite is named by sequence, and whose fault it is."""

from __future__ import annotations

import math

import pytest
import torch

from vrnn.data.splits import Sequences
from vrnn.training.evaluation import Evaluation
from vrnn.training.finite import explain_not_finite

LENGTHS = torch.tensor([2, 1, 1, 1, 1])


def sequences(**changes) -> Sequences:
    return Sequences(torch.zeros(6, 3), LENGTHS, **changes)


def evaluation(*bounds: float) -> Evaluation:
    return Evaluation(torch.tensor(bounds, dtype=torch.float64), LENGTHS, "exact", torch.zeros(2))


def test_finite_bounds_need_no_explanation():
    assert explain_not_finite(evaluation(-1.0, 0.0, 3e300, -3e300, 1.0), "test", sequences()) is None


def test_a_kl_that_is_not_finite_is_told_though_the_bound_is():
    broken = Evaluation(torch.zeros(5).double(), LENGTHS, "lower_bound", torch.tensor([1.0, math.inf]))
    expected = "the test KL is not finite, though the bound is: inf at step 1"
    assert explain_not_finite(broken, "test", sequences()) == expected


@pytest.mark.parametrize("groups", [None, ["a", "b", "c", "d", "e"], [f"writer {name}" for name in "abcde"]])
def test_the_model_is_at_fault_where_the_data_are_finite(groups):
    found = explain_not_finite(
        evaluation(0.0, math.nan, 0.0, 0.0, -math.inf), "test", sequences(groups=groups), "writer"
    )
    b, e = ("sequence 1 (writer b)", "sequence 4 (writer e)") if groups else ("sequence 1", "sequence 4")
    assert found == (
        f"the test bound is not finite: 2 of 5 sequences have none ({b}: nan, {e}: -inf); "
        "all values of test are finite, the model's are not"
    )


def test_the_data_are_at_fault_where_they_are_not():
    broken = sequences()
    broken.values[2, 1] = math.inf
    assert explain_not_finite(evaluation(*[math.nan] * 5), "valid", broken) == (
        "the valid bound is not finite: 5 of 5 sequences have none "
        "(sequence 0: nan, sequence 1: nan, sequence 2: nan and 2 more); "
        "valid, sequence 1, step 0, dimension 1: the value is inf, so the data are at fault"
    )
