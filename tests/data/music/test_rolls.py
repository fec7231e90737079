"""Files of piano rolls: both layouts hold the same; what is wrong in one ends in a line that names it."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import pytest
from scipy.io import savemat

from tests.data.makers.pianoroll import COUNTS, rolls, write_mat
from vrnn.data.music import rolls as module
from vrnn.data.music.rolls import read_rolls

PARTS = {part: rolls(part) for part in COUNTS}


def write_npz(path: Path, parts: dict[str, list[np.ndarray]], **further) -> None:
    arrays = {f"{part}_rolls": np.concatenate(pieces) for part, pieces in parts.items()}
    arrays |= {f"{part}_offsets": np.cumsum([0, *map(len, pieces)]) for part, pieces in parts.items()}
    np.savez_compressed(path, **{**arrays, **further})


@pytest.mark.parametrize("kind", [np.uint8, np.float64, np.bool_])
def test_both_layouts_hold_the_pieces_that_were_written(tmp_path: Path, kind):
    parts = {part: [piece.astype(kind) for piece in pieces] for part, pieces in PARTS.items()}
    write_mat(tmp_path / "a.mat", parts)
    write_npz(tmp_path / "a.npz", parts)
    for name in ("a.mat", "a.npz"):
        found = read_rolls(tmp_path / name)
        for part, pieces in PARTS.items():
            assert all(map(np.array_equal, found[part], pieces))
            assert len(found[part]) == len(pieces)
            assert {piece.dtype for piece in found[part]} == {np.dtype(np.uint8)}


def wrong(piece: np.ndarray) -> dict[str, list[np.ndarray]]:
    return {**PARTS, "valid": [PARTS["valid"][0], piece]}


@pytest.mark.parametrize(
    ("piece", "reason"),
    [
        (np.zeros((4, 87), np.uint8), r"valid, piece 1: it is \[4, 87\] values, not \[T, 88\]"),
        (np.full((4, 88), 2, np.uint8), "valid, piece 1: its values must be 0 or 1, but range from 2 to 2"),
        (np.full((4, 88), np.nan), "valid, piece 1: its values must be 0 or 1"),
        (np.array(["a", "b"]), "valid, piece 1: it is no array of numbers"),
    ],
)
def test_a_wrong_piece_is_named(tmp_path: Path, piece: np.ndarray, reason: str):
    write_mat(tmp_path / "a.mat", wrong(piece))
    with pytest.raises(ValueError, match=rf"a\.mat is damaged or holds no piano rolls \({reason}") as caught:
        read_rolls(tmp_path / "a.mat")
    assert "\n" not in str(caught.value)


def test_what_is_no_such_file_is_refused(tmp_path: Path):
    write_mat(tmp_path / "whole.mat", PARTS)
    whole = (tmp_path / "whole.mat").read_bytes()
    contents = {
        "empty": b"",
        "text": b"no music\n" * 100,
        "cut": whole[: len(whole) // 2],
        "garbled": whole[:200] + bytes(255 - byte for byte in whole[200:]),
    }
    for name, content in contents.items():
        for suffix in ("mat", "npz"):
            path = tmp_path / f"{name}.{suffix}"
            path.write_bytes(content)
            with pytest.raises(ValueError, match=rf"{name}\.{suffix} is damaged or holds no piano rolls \(") as caught:
                read_rolls(path)
            assert "\n" not in str(caught.value)


def test_a_mat_without_cells_is_refused(tmp_path: Path):
    savemat(tmp_path / "a.mat", {"traindata": np.zeros((3, 88)), "other": 1})
    with pytest.raises(ValueError, match="it has no cell array traindata"):
        read_rolls(tmp_path / "a.mat")


@pytest.mark.parametrize(
    ("further", "reason"),
    [
        ({"test_offsets": np.array([0, 5, 2])}, "test_offsets must rise from 0 to"),
        ({"test_offsets": np.array([0.0, 12.0])}, "test_offsets must be integers"),
        ({"test_rolls": np.array([{}], object)}, "allow_pickle=False"),
    ],
)
def test_a_wrong_npz_is_refused_and_no_pickle_is_read(tmp_path: Path, further, reason: str):
    write_npz(tmp_path / "a.npz", PARTS, **further)
    with pytest.raises(ValueError, match=reason):
        read_rolls(tmp_path / "a.npz")


def test_an_npz_that_lacks_a_part_is_refused(tmp_path: Path):
    write_npz(tmp_path / "a.npz", {"train": PARTS["train"]})
    with pytest.raises(ValueError, match="it has no valid_rolls and valid_offsets, only train_rolls, train_offsets"):
        read_rolls(tmp_path / "a.npz")


def test_a_mat_that_would_fill_the_memory_is_not_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    packed = zlib.compress(bytes(1 << 22), 9)
    head = b"MATLAB".ljust(124) + b"\x00\x01IM"
    (tmp_path / "a.mat").write_bytes(head + (15).to_bytes(4, "little") + len(packed).to_bytes(4, "little") + packed)
    monkeypatch.setattr(module, "free_memory", lambda: 1 << 20)
    with pytest.raises(ValueError, match="bytes unpack to more than there is room for"):
        read_rolls(tmp_path / "a.mat")
