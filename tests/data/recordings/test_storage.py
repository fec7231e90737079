"""Values in a memory-mapped file: the same as in memory, made once, whole or not there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from vrnn.data.recordings.storage import Filled, Storage
from vrnn.data.standardisation import Standardisation

SHAPE = (30, 4)


def fill(values: np.ndarray) -> Filled:
    values[:] = np.arange(values.size).reshape(values.shape)
    standardisation = Standardisation(torch.full((4,), 3.0), torch.full((4,), 7.0))
    return Filled(standardisation, {"train": [True, False]}, {"files found": 2}, ["b is silent"])


def never(values: np.ndarray) -> Filled:
    raise AssertionError("these are known")


@pytest.fixture
def cache(tmp_path) -> Path:
    return tmp_path / "deep" / "cache"


@pytest.fixture
def storage(cache) -> Storage:
    return Storage(0.0, str(cache))


def test_values_are_written_once_and_found_again(storage, cache):
    for how in (fill, never):
        values, filled, folder = storage.stored(SHAPE, "a", how)
        assert folder.parent == cache
        assert filled[1:] == ({"train": [True, False]}, {"files found": 2}, ["b is silent"])
        assert isinstance(values, np.memmap)
        assert (values.dtype, values.shape) == (np.float32, SHAPE)
        assert np.array_equal(values.ravel(), np.arange(120))
        assert filled.standardisation.mean.tolist() == [3.0] * 4
        assert filled.standardisation.std.tolist() == [7.0] * 4
    assert len(list(cache.iterdir())) == 1
    with pytest.raises(AssertionError, match="these are known"):
        storage.stored(SHAPE, "b", never)


def test_a_failure_leaves_nothing_behind(storage, cache):
    with pytest.raises(AssertionError):
        storage.stored(SHAPE, "a", never)
    assert list(cache.iterdir()) == []


def test_a_job_that_was_slower_takes_what_the_faster_one_wrote(storage, cache):
    def slow(values: np.ndarray) -> Filled:
        storage.stored(SHAPE, "a", fill)  # another job, from its start to its end
        return fill(values)

    values, *_ = storage.stored(SHAPE, "a", slow)
    assert np.array_equal(values.ravel(), np.arange(120))
    assert len(list(cache.iterdir())) == 1


@pytest.mark.parametrize(
    ("name", "damage"),
    [
        ("values.npy", lambda content: content[:-8]),  # cut short
        ("values.npy", lambda content: b""),
        ("values.npy", lambda content: content.replace(b"<f4", b"<i4")),
        ("values.npy", lambda content: content.replace(b"(30, 4)", b"(4, 30)")),
        ("about.json", lambda content: content[:20]),
        ("about.json", lambda content: content.replace(b"7.0", b"0.0")),
        ("about.json", lambda content: content.replace(b"3.0", b"NaN")),
        ("about.json", lambda content: content.replace(b"[3.0, ", b"[")),
        ("about.json", lambda content: b"[]"),
    ],
)
def test_values_that_are_not_whole_are_named_and_left_alone(storage, cache, name, damage):
    *_, folder = storage.stored(SHAPE, "a", fill)
    (folder / name).write_bytes(damage((folder / name).read_bytes()))
    (folder / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=rf"^cache holds {folder}, which is damaged \(.*\): take that folder"):
        storage.stored(SHAPE, "a", never)
    assert (folder / "notes.txt").read_text() == "mine"


def test_another_file_of_the_same_name_is_left_alone(storage, cache):
    *_, folder = storage.stored(SHAPE, "a", fill)
    folder.rename(folder.with_name("elsewhere"))
    folder.write_text("mine")
    with pytest.raises(ValueError, match=r"^cache holds .* which is damaged"):
        storage.stored(SHAPE, "a", never)
    assert folder.read_text() == "mine"


def test_a_disk_without_the_space_is_answered_before_it_is_full(storage, cache):
    with pytest.raises(ValueError, match=r"^cache needs 3725\.3 GB, and .*cache has [\d.]+ GB left"):
        storage.stored((10**9, 1000), "a", never)
    assert list(cache.iterdir()) == []


def test_a_cache_that_cannot_be_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"^cache cannot be written to"):
        Storage(0.0, str(tmp_path / "file" / "cache")).stored(SHAPE, "a", never)


def test_only_what_is_larger_than_memory_is_mapped(cache):
    storage = Storage(1.0, str(cache))
    assert not storage.maps((2**18, 2**10))
    assert storage.maps((2**18 + 1, 2**10))
