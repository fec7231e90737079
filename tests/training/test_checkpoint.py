"""Checkpoints are whole or not there."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import torch

from vrnn.training.checkpoint import CheckpointError, load, save

CONTENT = {"model": {"weight": torch.arange(6.0).view(2, 3)}, "step": 7, "best": -1.5, "state": [None, True, "name"]}


@contextmanager
def small_files() -> Iterator[None]:
    """No file may grow past 300 bytes, as on a disk that has just run full; nor may the log of the tests, within it."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


def test_what_is_saved_is_loaded(tmp_path: Path):
    path = tmp_path / "new" / "folder" / "last.pt"
    save(path, CONTENT)
    found = load(path, "cpu")
    assert torch.equal(found.pop("model")["weight"], CONTENT["model"]["weight"])
    assert found == {name: value for name, value in CONTENT.items() if name != "model"}
    save(path, {"step": 8})
    assert load(path, "cpu") == {"step": 8}
    assert os.listdir(path.parent) == ["last.pt"]


def test_a_full_disk_keeps_the_former_checkpoint_and_leaves_nothing_behind(tmp_path: Path):
    path = tmp_path / "last.pt"
    path.write_bytes(b"the former one")
    with (
        pytest.raises(CheckpointError, match=r"last\.pt: .*File too large.*former one is kept.*another directory"),
        small_files(),
    ):
        save(path, CONTENT)
    assert path.read_bytes() == b"the former one"
    assert os.listdir(tmp_path) == ["last.pt"]


def test_a_full_disk_at_the_first_checkpoint_says_that_there_is_none(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"there is no former one"), small_files():
        save(tmp_path / "last.pt", CONTENT)
    assert os.listdir(tmp_path) == []


def test_a_place_that_cannot_be_a_folder_is_named(tmp_path: Path):
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file" / "last.pt", tmp_path / "file" / "folder" / "last.pt"):
        with pytest.raises(CheckpointError, match=r"last\.pt: the checkpoint could not be written"):
            save(path, CONTENT)


def test_every_truncation_is_refused_with_the_path(tmp_path: Path):
    path = tmp_path / "last.pt"
    save(path, CONTENT)
    whole = path.read_bytes()
    for size in (0, 1, 30, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match=r"last\.pt: this is not a whole checkpoint"):
            load(path, "cpu")


def test_a_missing_checkpoint_is_named(tmp_path: Path):
    with pytest.raises(CheckpointError, match=r"absent\.pt: there is no such checkpoint"):
        load(tmp_path / "absent.pt", "cpu")


class Payload:
    """Unpickling it would make a file."""

    def __init__(self, path: Path):
        self.path = path

    def __reduce__(self) -> tuple:
        return (Path.touch, (self.path,))


def test_nothing_but_tensors_and_plain_values_is_unpickled(tmp_path: Path):
    torch.save({"model": Payload(tmp_path / "executed")}, tmp_path / "last.pt")
    with pytest.raises(CheckpointError, match=r"last\.pt: this is not a whole checkpoint of this suite"):
        load(tmp_path / "last.pt", "cpu")
    assert not (tmp_path / "executed").exists()
