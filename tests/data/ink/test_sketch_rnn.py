"""The files of sketch-rnn: five columns, padding, and which step of which drawing is wrong."""

from __future__ import annotations

import re
import time
from pathlib import Path

import numpy as np
import pytest

from tests.data.stroke_files import PARTS, drawings, write_pickled
from vrnn.data.ink.sketch_rnn import read_sketch_rnn

STEPS = np.array([[0, 0, 0], [3, 4, 0], [1, 1, 1], [2, 2, 1]], dtype=float)


def five_columns(steps: np.ndarray, length: int | None = None) -> np.ndarray:
    """sketch-rnn's own steps of five columns: (dx, dy, draws, lifted, over), padded to `length` by 0, 0, 0, 0, 1."""
    big = np.zeros((len(steps) if length is None else length, 5))
    big[: len(steps), :2] = steps[:, :2]
    big[: len(steps), 3] = steps[:, 2]
    big[: len(steps), 2] = 1 - steps[:, 2]
    big[len(steps) :, 4] = 1
    return big


def write(path: Path, valid: list[np.ndarray], pickled: bool = False) -> Path:
    """A file whose part valid has these drawings, as object arrays or end to end."""
    arrays = {}
    for part in PARTS:
        chosen = valid if part == "valid" else [STEPS]
        if pickled:
            arrays[part] = np.empty(len(chosen), dtype=object)
            arrays[part][:] = chosen
        else:
            arrays[f"{part}_strokes"] = np.concatenate(chosen)
            arrays[f"{part}_offsets"] = np.cumsum([0, *map(len, chosen)])
    np.savez(path, **arrays)
    return path


def test_five_columns_hold_the_same_ink_as_three(tmp_path):
    columns = {part: np.stack([five_columns(steps, 14) for steps in drawings(part)]) for part in PARTS}
    np.savez(tmp_path / "five.npz", **columns)  # one plain array [N, T, 5] each, which needs no pickle
    five = read_sketch_rnn(tmp_path / "five.npz").parts
    three = read_sketch_rnn(write_pickled(tmp_path / "three.npz"), allow_pickle=True).parts
    for part in PARTS:
        assert len(five[part]) == PARTS[part]
        for one, other in zip(five[part], three[part], strict=True):
            np.testing.assert_array_equal(one.points, other.points)
            np.testing.assert_array_equal(one.pen_up, other.pen_up)
            assert one.name == other.name


def test_the_first_step_that_is_over_ends_the_drawing_whatever_follows(tmp_path):
    padded = five_columns(STEPS, 7)
    padded[5:] = np.nan
    whole = five_columns(STEPS)  # as long as it can be: no step is left to say that it is over
    for pickled in (False, True):
        found = read_sketch_rnn(
            write(tmp_path / "a.npz", [padded, whole], pickled)
            if pickled
            else write(tmp_path / "b.npz", [padded, whole]),
            allow_pickle=pickled,
        )
        for ink in found.parts["valid"]:
            assert ink.points.tolist() == (STEPS[:, :2].cumsum(axis=0) * (1, -1)).tolist()
            assert ink.pen_up.tolist() == STEPS[:, 2].tolist()


@pytest.mark.parametrize(
    "empty", [np.empty((0, 3)), np.empty(0), five_columns(STEPS[:0], 3)], ids=["3", "0", "padding"]
)
def test_empty_drawings_are_left_out_and_counted(tmp_path, empty):
    found = read_sketch_rnn(write(tmp_path / "a.npz", [empty, STEPS, empty], pickled=True), allow_pickle=True)
    assert [ink.name for ink in found.parts["valid"]] == ["drawing 1"]
    assert (found.empty, found.cut) == (2, 0)


def test_very_many_empty_drawings_take_no_time(tmp_path):
    with np.load(write(tmp_path / "a.npz", [STEPS, STEPS])) as arrays:
        kept = dict(arrays)
    offsets = np.repeat(np.array([0, 4, 8], dtype=np.uint64), 300_000)
    np.savez_compressed(tmp_path / "a.npz", **{**kept, "valid_offsets": offsets})
    began = time.process_time()
    found = read_sketch_rnn(tmp_path / "a.npz")
    assert [ink.name for ink in found.parts["valid"]] == ["drawing 299999", "drawing 599999"]
    assert found.empty == 900_000 - 3
    assert time.process_time() - began < 2


def changed(at: tuple[int, int], value: float, big: bool = False) -> np.ndarray:
    steps = five_columns(STEPS, 5) if big else STEPS.copy()
    steps[at] = value
    return steps


@pytest.mark.parametrize(
    ("drawing", "message"),
    [
        (changed((1, 0), np.nan), "step 1: dx and dy must be finite, got [nan, 4.0, 0.0]"),
        (changed((3, 1), -np.inf), "step 3: dx and dy must be finite, got [2.0, -inf, 1.0]"),
        (changed((0, 2), np.nan), "step 0: pen-up must be 0 or 1, got [0.0, 0.0, nan]"),
        (changed((2, 2), 2), "step 2: pen-up must be 0 or 1, got [1.0, 1.0, 2.0]"),
        (changed((1, 1), np.nan, big=True), "step 1: dx and dy must be finite, got [3.0, nan, 1.0, 0.0, 0.0]"),
        (changed((2, 2), 1, big=True), "step 2: one of p1, p2 and p3 must be 1, the others 0, got [1.0, 1.0, 1.0, 1.0"),
        (changed((0, 2), 0, big=True), "step 0: one of p1, p2 and p3 must be 1"),
        (STEPS[:, :2], "it is [4, 2] values, not steps of 3 or 5 columns"),
        (np.ones((4, 4)), "it is [4, 4] values, not steps of 3 or 5 columns"),
        (np.ones(4), "it is [4] values, not steps of 3 or 5 columns"),
    ],
)
def test_a_wrong_step_is_named_by_file_part_drawing_and_number(tmp_path, drawing, message):
    path = write(tmp_path / "cat.npz", [STEPS, drawing], pickled=True)
    with pytest.raises(ValueError, match=re.escape(f"{path} has a damaged drawing (valid, drawing 1")) as caught:
        read_sketch_rnn(path, allow_pickle=True)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("offsets", "message"),
    [
        ([0, 3, 2, 4], "must not fall, but number 1 is 3, then 2"),
        ([0, -1, 4], "must not fall, but number 0 is 0, then -1"),
        (np.array([0, 3, 2, 4], dtype=np.uint64), "must not fall, but number 1 is 3, then 2"),
        ([1, 4], "must go from 0 to 4, the steps of valid_strokes, not from 1 to 4"),
        ([0, 2**62], "must go from 0 to 4, the steps of valid_strokes, not from 0 to 4611686018427387904"),
        ([0.0, 4.0], "must be integers [N + 1], got float64 [2]"),
        ([[0, 4]], "must be integers [N + 1], got int64 [1, 2]"),
        ([0], "must be integers [N + 1], got int64 [1]"),
    ],
)
def test_offsets_that_do_not_cut_are_named(tmp_path, offsets, message):
    with np.load(write(tmp_path / "cat.npz", [STEPS])) as arrays:
        kept = dict(arrays)
    np.savez(tmp_path / "cat.npz", **{**kept, "valid_offsets": np.array(offsets)})
    with pytest.raises(ValueError, match=re.escape(f"valid_offsets {message}")):
        read_sketch_rnn(tmp_path / "cat.npz")


def test_an_npy_and_an_npz_of_other_things_say_what_they_are(tmp_path):
    np.save(tmp_path / "cat.npy", STEPS)
    with pytest.raises(ValueError, match=r"cat.npy is damaged or no file .*begins with b.\\x93NUMPY.*numpy.savez"):
        read_sketch_rnn(tmp_path / "cat.npy")
    np.savez(tmp_path / "other.npz", samples=STEPS, rate=8000)
    with pytest.raises(ValueError, match=r"other.npz is damaged or no file of sketch-rnn \(it has samples, rate\)"):
        read_sketch_rnn(tmp_path / "other.npz")
