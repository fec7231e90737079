"""The categorical likelihood: against torch's and the Bernoulli, its frequencies, bits per sample of 8-bit sound."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch import distributions as torch_distributions

from vrnn.data.recordings.quantisation import quantise
from vrnn.data.splits import Sequences, Splits
from vrnn.data.standardisation import Standardisation
from vrnn.distributions import Bernoulli
from vrnn.likelihoods.categorical import Categorical
from vrnn.training.references import independent
from vrnn.training.space import Space


def test_it_is_torchs_categorical_of_the_number_of_each_value():
    likelihood = Categorical(3, levels=5)
    params = torch.randn(4, 15, dtype=torch.float64)
    numbers = torch.randint(5, (4, 3))
    x = torch.linspace(-1, 1, 5).double()[numbers]
    expected = torch_distributions.Categorical(logits=params.view(4, 3, 5)).log_prob(numbers).sum(-1)
    torch.testing.assert_close(likelihood(params).log_prob(x), expected)
    observed = torch.rand(4, 3) < 0.5
    some = torch_distributions.Categorical(logits=params.view(4, 3, 5)).log_prob(numbers) * observed
    torch.testing.assert_close(likelihood(params).log_prob(x, observed), some.sum(-1))


def test_two_symbols_are_a_bernoulli():
    likelihood, logits = Categorical(3, levels=2, low=0.0, high=1.0), torch.randn(4, 3, dtype=torch.float64)
    params = torch.stack([torch.zeros_like(logits), logits], -1).flatten(-2)
    x = (torch.rand(4, 3) < 0.5).double()
    torch.testing.assert_close(likelihood(params).log_prob(x), Bernoulli(logits).log_prob(x))
    torch.testing.assert_close(likelihood(params).mean, Bernoulli(logits).mean)


@pytest.mark.parametrize("mu_law", [False, True])
def test_sound_of_8_bits_costs_the_entropy_of_its_values_in_bits_per_sample(mu_law: bool):
    rng = np.random.default_rng(0)
    raw = torch.from_numpy(quantise(3000.0 * rng.standard_normal((5, 400, 4)), 256, mu_law))
    scale = Standardisation(torch.full((4,), 127.5), torch.full((4,), 127.5))
    sequences = Sequences.of_equal_length(scale.forward(raw))
    likelihood = Categorical(4)
    likelihood.check(sequences.values)
    splits = Splits(sequences, sequences, sequences, scale, levels=256)
    found = independent(likelihood, sequences, sequences).measurements("test", Space.of(likelihood, splits))
    counts = np.stack([np.bincount(raw.flatten(0, 1)[:, d].long().numpy(), minlength=256) for d in range(4)])
    shares = (counts + 1 / 256) / (counts.sum(1, keepdims=True) + 1)
    bits = found["test/bits_per_dim"]
    assert bits.value == pytest.approx(-(counts * np.log2(shares)).sum() / counts.sum(), rel=1e-5)
    assert bits.value == pytest.approx(entropy(counts), abs=0.02)
    assert (bits.unit, bits.kind) == ("bits per dimension", "exact")


def entropy(counts: np.ndarray) -> float:
    """Mean over dimensions of - sum p log2 p."""
    shares = counts / counts.sum(1, keepdims=True)
    return float(-np.where(counts > 0, shares * np.log2(np.where(counts > 0, shares, 1.0)), 0.0).sum(1).mean())


def test_values_that_were_not_observed_count_nothing_in_the_fit():
    likelihood = Categorical(2, levels=3, low=0.0, high=2.0)
    x = torch.tensor([[0.0, 2.0], [1.0, math.nan], [1.0, 2.0], [math.nan, 2.0]]).double()
    shares = likelihood.fit(x).exp().view(2, 3)
    expected = [[(1 + 1 / 3) / 4, (2 + 1 / 3) / 4, (1 / 3) / 4], [(1 / 3) / 4, (1 / 3) / 4, (3 + 1 / 3) / 4]]
    assert shares.tolist() == [pytest.approx(row) for row in expected]


@pytest.mark.parametrize(
    "bad", [[0.0, math.nan], [0.0, 0.5], [0.0, 3.0], [-1.0, 0.0]], ids=["nan", "between", "above", "below"]
)
def test_values_off_the_grid_are_refused(bad: list[float]):
    likelihood = Categorical(2, levels=3, low=0.0, high=2.0)
    likelihood.check(torch.tensor([[0.0, 1.0], [2.0, 1.0]]))
    with pytest.raises(ValueError, match="grid of levels = 3 points from low = 0 to high = 2"):
        likelihood.check(torch.tensor([[0.0, 1.0], bad]))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"x_dim": 0}, "x_dim must be at least 1"),
        ({"levels": 1}, "levels must be at least 2"),
        ({"levels": None}, "levels must be given"),
        ({"low": 1.0}, "low must be below high"),
        ({"low": math.nan}, "low must be below high"),
    ],
)
def test_wrong_arguments_are_answered_by_name(wrong: dict, message: str):
    with pytest.raises(ValueError, match=message):
        Categorical(**{"x_dim": 3, **wrong})
