"""The oscillators: their exact log-likelihood is above what any reference reaches, and invariant to the scale."""

from __future__ import annotations

import pytest
import torch

from vrnn.data.oscillators import oscillators
from vrnn.data.standardisation import Standardisation
from vrnn.likelihoods.gaussian import Gaussian
from vrnn.training.references import references
from vrnn.training.space import Space

SMALL = {"num_steps": 40, "train_sequences": 20, "valid_sequences": 4, "test_sequences": 30}


def test_the_true_process_is_above_the_reference_without_memory():
    splits = oscillators(**SMALL)
    found = references(Gaussian(3), splits)
    truth, independent = found["the true process"], found["independent Gaussian"]
    assert truth.kind == "exact"
    assert (truth.bounds > independent.bounds).double().mean() > 0.9


def test_its_raw_log_likelihood_does_not_depend_on_the_standardisation():
    splits = oscillators(**SMALL)
    other = splits.standardised_as(Standardisation(torch.tensor([1.0, 2.0, 3.0]), torch.tensor([2.0, 0.5, 1.0])))
    raw = [
        references(Gaussian(3), each)["the true process"].measurements("test", Space.of(Gaussian(3), each))
        for each in (splits, other)
    ]
    values = [each["test/raw_log_likelihood"].value for each in raw]
    assert values[0] == pytest.approx(values[1], rel=1e-5)


def test_bursts_are_labelled_and_dropouts_are_not_observed():
    splits = oscillators(**SMALL, burst_rate=0.05, dropout_rate=0.02)
    labels, observed = splits.train.labels, splits.train.observed
    assert 0.05 < labels.double().mean() < 0.2
    assert 0.05 < (~observed).double().mean() < 0.3
    loud = splits.train.values[labels.bool()].abs().mean()
    assert loud > splits.train.values[~labels.bool()].abs().mean()
    plain = oscillators(**SMALL, burst_rate=0.0, dropout_rate=0.0)
    assert plain.train.observed is None
    assert not plain.train.labels.any()


@pytest.mark.parametrize(
    ("key", "value"), [("noise", 0.0), ("burst_rate", 0.7), ("dropout_rate", -0.1), ("x_dim", 0), ("test_sequences", 0)]
)
def test_arguments_out_of_range_are_named(key: str, value: float):
    with pytest.raises(ValueError, match=f"^{key} must be"):
        oscillators(**{**SMALL, key: value})
