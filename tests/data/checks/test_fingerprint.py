"""Data are recognised, what changed is named, and the rounding of another machine is no change."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from vrnn.data.checks.fingerprint import Fingerprint
from vrnn.data.checks.inspection import _signs, inspect
from vrnn.data.splits import Sequences, Splits, Standardisation

FILES = (("a.wav", 100), ("b.wav", 200))


@pytest.fixture
def make() -> Callable[..., Splits]:
    """Data of 50, 20 and 10 ragged sequences; `change` is applied to the values of test."""

    def make(
        change: Callable[[torch.Tensor], torch.Tensor] = lambda x: x, files=FILES, shuffled: bool = False
    ) -> Splits:
        parts = []
        for number, size in enumerate((50, 20, 10)):
            generator = torch.Generator().manual_seed(number)
            lengths = torch.randint(5, 30, (size,), generator=generator)
            values = torch.randn(int(lengths.sum()), 3, generator=generator) * 0.7
            parts.append(Sequences(change(values) if number == 2 else values, lengths))
        if shuffled:
            parts[0] = Sequences(parts[0].values, parts[0].lengths.flip(0))
        return Splits(*parts, Standardisation.identity(3), files=files)

    return make


def change(now: Splits, before: Splits):
    return inspect(now).change_from(inspect(before))


def test_the_same_data_are_the_same_whatever_the_files_are_called(make):
    found = change(make(files=(("renamed.wav", 100),)), make())
    assert (found.words, found.is_other) == ([], False)
    assert inspect(make()).digest == inspect(make(files=())).digest


def test_it_survives_json(make):
    own = inspect(make())
    again = Fingerprint.from_dict(json.loads(json.dumps(own.as_dict())))
    assert again == own
    assert again.digest == own.digest


def test_rounding_is_told_and_is_no_other_data(make):
    found = change(make(lambda x: x * (1 + 1e-6 * torch.randn_like(x))), make())
    assert (found.words, found.is_rounding, found.is_other) == (["the values of test are others"], True, False)


def test_one_value_of_a_million_that_is_another_is_no_rounding():
    values, lengths = torch.randn(400_000, 3), torch.full((20_000,), 20)
    other = values.clone()
    other[86_421, 1] = 0.5 - other[86_421, 1].sign()
    few = Sequences(values[:20], lengths[:1])
    found = [Splits(Sequences(each, lengths), few, few, Standardisation.identity(3)) for each in (values, other)]
    assert change(*found).is_other
    rounded = Splits(Sequences(values * (1 + 1e-6), lengths), few, few, Standardisation.identity(3))
    assert change(rounded, found[0]).is_rounding


def test_the_signs_are_those_of_the_hash_and_balanced():
    """MurmurHash3's finaliser, by numbers of Python."""

    def hashed(h: int) -> int:
        h = ((h ^ h >> 16) * 0x85EBCA6B) % 2**32
        h = ((h ^ h >> 13) * 0xC2B2AE35) % 2**32
        return h ^ h >> 16

    found = _signs(5000)
    assert found.tolist() == [hashed(n) % 2 * 2 - 1 for n in range(5000)]
    assert abs(float(found.sum())) < 4 * 5000**0.5
    assert torch.equal(_signs(77), found[:77])


@pytest.mark.parametrize(("scale", "is_other"), [(2.0, True), (1.001, True), (1 + 1e-6, False)])
def test_the_same_values_of_another_scale_are_other_data(make, scale, is_other):
    """Raw values twice as large are standardised to the same bits."""
    louder = replace(make(), standardisation=Standardisation(torch.zeros(3), scale * torch.ones(3)))
    found = change(louder, make())
    assert (found.words, found.is_other) == (["train has another mean and standard deviation"], is_other)


@pytest.mark.parametrize(
    ("now", "words"),
    [
        ({"change": lambda x: x * 1.001}, ["the values of test are others"]),
        ({"change": lambda x: x + 0.01}, ["the values of test are others"]),
        ({"change": lambda x: x.flip(0)}, ["the values of test are others"]),
        ({"change": lambda x: torch.cat([x[:-1], -x[-1:]])}, ["the values of test are others"]),
        ({"shuffled": True}, ["the sequences of train have other lengths"]),
        (
            {"change": lambda x: x * 1.000001, "files": (*FILES, ("c.wav", 7))},
            ["1 file is new: c.wav", "the values of test are others"],
        ),
        (
            {"change": lambda x: -x, "files": (*FILES, ("\x1b[31m.wav", 7))},
            ["1 file is new: \\x1b[31m.wav", "the values of test are others"],
        ),
        (
            {"change": lambda x: -x, "files": (("b.wav", 201), *((f"{n}.wav", 1) for n in range(5)))},
            [
                "5 files are new: 0.wav, 1.wav, 2.wav and others",
                "1 file is gone: a.wav",
                "1 file has another size: b.wav",
                "the values of test are others",
            ],
        ),
    ],
)
def test_what_changed_is_named(make, now, words):
    found = change(make(**now), make())
    assert found.words == words
    assert found.is_other


def test_another_number_of_sequences_is_named(make):
    less = make().test
    less = Sequences(less.values[: int(less.lengths[:9].sum())], less.lengths[:9])
    found = change(replace(make(), test=less), make())
    assert found.words == ["test has 9 sequences and had 10"]
    assert found.is_other


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: content.pop("valid"),
        lambda content: content["train"].update(values=3),
        lambda content: content["train"].update(projections=["x"]),
        lambda content: content.update(files=[1]),
        lambda content: content.update(test=[]),
    ],
)
def test_what_is_no_fingerprint_is_refused(make, damage):
    content = inspect(make()).as_dict()
    content = json.loads(json.dumps(content))
    damage(content)
    with pytest.raises(ValueError, match=r"fingerprint|could not convert"):
        Fingerprint.from_dict(content)
