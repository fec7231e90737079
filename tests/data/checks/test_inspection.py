"""One pass over all values: what is not finite is named by part, sequence and step; a cache is read through once."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import pytest
import torch

from vrnn.data.checks.inspection import NotFinite, describe_not_finite, inspect
from vrnn.data.splits import Sequences, Splits, Standardisation

LENGTHS = torch.tensor([4, 1, 3])


def part(at: tuple[int, int] | None = None, value: float = math.nan, **changes) -> Sequences:
    values = torch.arange(16.0).view(8, 2)
    if at is not None:
        values[at] = value
    return Sequences(values, LENGTHS, **changes)


def data(**changes: Sequences) -> Splits:
    return Splits(**{"train": part(), "valid": part(), "test": part(), **changes}, standardisation=IDENTITY)


IDENTITY = Standardisation.identity(2)


@pytest.mark.parametrize("name", ["train", "valid", "test"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_value_that_is_not_finite_is_named(name, value):
    with pytest.raises(NotFinite, match=f"^{name}, sequence 2, step 1, dimension 0: the value is {value}$"):
        inspect(data(**{name: part((6, 0), value)}))


def test_with_the_sequences_group():
    broken = part((4, 1), groups=["nicolas", "jackson", "theo"])
    with pytest.raises(NotFinite, match=r"^test, sequence 1 \(group jackson\), step 0, dimension 1: the value is nan$"):
        inspect(data(test=broken))
    assert describe_not_finite("test", broken, "speaker").startswith("test, sequence 1 (speaker jackson), step 0")
    assert describe_not_finite("test", part()) is None


def test_a_large_value_is_finite_though_its_square_is_not():
    sizes = inspect(data(test=part((6, 0), 3e30))).parts["test"].sizes
    assert max(sizes) == pytest.approx(math.sqrt((9e60 + 13.0**2) / 2))


@pytest.mark.parametrize("std", [0.0, math.nan])
def test_train_without_a_scale_is_refused(std):
    scale = Standardisation(torch.zeros(2), torch.tensor([1.0, std]))
    with pytest.raises(NotFinite, match="train has no finite mean and standard deviation"):
        inspect(Splits(part(), part(), part(), scale))


def test_every_value_of_every_part_is_checked():
    seen: dict[str, list[torch.Tensor]] = {}
    inspect(data(), lambda name, values: seen.setdefault(name, []).append(values))
    assert list(seen) == ["train", "valid", "test"]
    assert all(torch.equal(torch.cat(blocks), part().values) for blocks in seen.values())


@pytest.fixture
def cached(tmp_path: Path) -> Splits:
    """Data that are mapped from a file."""
    array = np.lib.format.open_memmap(tmp_path / "values.npy", "w+", np.float32, (24, 2))
    array[:] = np.arange(48).reshape(24, 2)
    array.flush()
    values = torch.from_numpy(np.load(tmp_path / "values.npy", mmap_mode="c"))
    parts = [Sequences(block, LENGTHS, batch_device="cpu") for block in values.split(8)]
    return Splits(*parts, IDENTITY, cache=tmp_path, files=(("a.wav", 3),))


def test_a_cache_is_read_through_once_for_each_check(cached, tmp_path):
    passes: list[str] = []

    def look() -> object:
        return inspect(cached, lambda name, _: passes.append(name), "gaussian")

    first = look()
    read = len(passes)
    assert look() == first
    assert len(passes) == read, "known already"
    assert inspect(cached) == first
    assert inspect(cached, lambda name, _: passes.append(name), "gmm") == first
    assert len(passes) == 2 * read, "another likelihood has not seen them"
    assert look() == first
    assert len(passes) == 2 * read
    assert first.files == {"a.wav": 3}

    os.utime(tmp_path / "values.npy", ns=(1, 1))
    look()
    assert len(passes) == 3 * read, "what lies there is not what was read"
    (tmp_path / "fingerprint.json").write_text("[1]")
    assert look() == first


def test_a_cache_that_cannot_be_written_to_costs_nothing_else(cached, tmp_path):
    (tmp_path / "fingerprint.json").mkdir()
    assert inspect(cached) == inspect(cached)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fingerprint.json", "values.npy"]
