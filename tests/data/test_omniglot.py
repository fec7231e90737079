"""Omniglot: both variants, from files written here and from the real ones where they are given."""

from __future__ import annotations

import itertools
import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.data.stroke_files import (
    ALPHABETS,
    DRAWERS,
    PARTS,
    drawings,
    raw_drawing,
    raw_texts,
    write_packed,
    write_pickled,
    write_raw,
)
from vrnn.data.ink.omniglot_raw import read_drawing
from vrnn.data.omniglot import RAW, SIMPLIFIED, omniglot


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    root = tmp_path_factory.mktemp("data")
    write_packed(root / "handwriting" / SIMPLIFIED)
    write_raw(root / "handwriting", archive=True)
    return root


@pytest.fixture
def make(root):
    return partial(omniglot, root=str(root))


@pytest.fixture
def real():
    folder = os.environ.get("VRNN_DATA_DIR", "")
    if not all(Path(folder, "handwriting", name).is_file() for name in (SIMPLIFIED, f"{RAW}.zip")):
        pytest.skip("needs the real Omniglot: set VRNN_DATA_DIR to the folder that holds handwriting/")
    return partial(omniglot, root=folder)


def positions(splits, part: str) -> list[np.ndarray]:
    """Points after the first of each sequence of a part, seen from the first, in raw units."""
    sequences = getattr(splits, part)
    raw = splits.standardisation.inverse(sequences.values.double())[:, :2].numpy()
    return [steps.cumsum(axis=0) for steps in np.split(raw, sequences.lengths.cumsum(0)[:-1])]


def groups(splits, part: str) -> list[tuple[int, int]]:
    """Alphabet and drawer of each sequence: what the jump to the second stroke says in the files written here."""
    jumps = [points[3] - points[2] for points in positions(splits, part)]
    return [(round((x + 3) / 1000), round((y - 3) / -100)) for x, y in jumps]


# Simplified


@pytest.mark.parametrize("part", PARTS)
def test_simplified_drawings_are_those_of_the_file_turned_upwards(make, part):
    splits = make(dequantise=False)
    found, pen = positions(splits, part), getattr(splits, part).values[:, 2]
    for points, drawing in zip(found, drawings(part), strict=True):
        np.testing.assert_allclose(points, drawing[1:, :2].cumsum(axis=0) * (1, -1), atol=1e-3)
    assert pen.tolist() == np.concatenate([drawing[1:, 2] for drawing in drawings(part)]).tolist()


def test_dequantised_positions_round_back_to_the_file(make):
    noisy, exact = make(), make(dequantise=False)
    for part in PARTS:
        noise = np.concatenate(positions(noisy, part)) - np.concatenate(positions(exact, part))
        assert 0.4 < np.abs(noise).max() <= 0.5 + 1e-3
        assert torch.equal(getattr(noisy, part).values[:, 2], getattr(exact, part).values[:, 2])
    values = noisy.train.values
    assert min(len(values[:, axis].unique()) for axis in (0, 1)) == len(values)  # no value comes twice
    assert torch.equal(make(seed=0).train.values, values)
    assert not torch.equal(make(seed=1).train.values, values)


# Raw


@pytest.mark.parametrize("split_by", ["drawer", "alphabet"])
def test_raw_parts_are_disjoint_and_complete(make, split_by):
    parts = [groups(make(variant="raw", split_by=split_by, sample_rate=None), part) for part in PARTS]
    everything = [(a + 1, drawer + 1) for a in range(len(ALPHABETS)) for drawer in range(DRAWERS)]
    assert sorted(itertools.chain(*parts)) == everything
    axis = {"alphabet": 0, "drawer": 1}[split_by]
    chosen = [{group[axis] for group in part} for part in parts]
    assert len(set.union(*chosen)) == sum(map(len, chosen))
    assert [len(part) for part in chosen] == ([16, 2, 2] if split_by == "drawer" else [2, 1, 1])


def test_the_seed_chooses_the_raw_parts(make):
    one, same, other = (groups(make(variant="raw", sample_rate=None, seed=seed), "test") for seed in (0, 0, 1))
    assert one == same != other


def test_raw_drawings_from_the_folder_are_those_of_the_archive(make, tmp_path):
    write_raw(tmp_path / "handwriting", archive=False)
    for rate in (None, 20):
        zipped, plain = (make(variant="raw", sample_rate=rate, **where) for where in ({}, {"root": str(tmp_path)}))
        assert all(torch.equal(getattr(zipped, part).values, getattr(plain, part).values) for part in PARTS)


def test_raw_points_are_kept_as_recorded():
    strokes = [np.array([[1.5, -2, 0], [3, -4.25, 30]]), np.array([[7, -1, 90]])]
    ink = read_drawing(raw_drawing(strokes), None)
    np.testing.assert_allclose(ink.points, np.concatenate(strokes)[:, :2])
    assert ink.pen_up.tolist() == [0, 1, 1]


def test_equal_times_are_the_points_where_those_were_recorded_at_equal_times():
    stroke = np.array([[0, 0, 10], [1, -5, 60], [4, -5, 110], [4, -9, 160]])
    np.testing.assert_allclose(read_drawing(raw_drawing([stroke]), 20).points, stroke[:, :2], atol=1e-9)
    half = read_drawing(raw_drawing([stroke]), 40).points
    np.testing.assert_allclose(half[::2], stroke[:, :2], atol=1e-9)
    np.testing.assert_allclose(half[1::2], (stroke[1:, :2] + stroke[:-1, :2]) / 2, atol=1e-9)


@pytest.mark.parametrize("rate", [5, 20, 200])
def test_resampled_strokes_keep_their_ends_and_pauses_become_short(rate):
    strokes = [
        np.array([[0, 0, 0], [2, -1, 7], [3, -3, 9000]]),  # a rest of nine seconds
        np.array([[5, -5, 9100]]),  # a dot
        np.array([[9, -9, 9300], [8, -8, 9290], [7, -7, 9290]]),  # a clock that goes back, and stands still
    ]
    ink = read_drawing(raw_drawing(strokes), rate)
    ends = np.flatnonzero(ink.pen_up)
    assert len(ends) == 3
    np.testing.assert_allclose(ink.points[ends], [stroke[-1, :2] for stroke in strokes])
    np.testing.assert_allclose(ink.points[[0, *ends[:-1] + 1]], [stroke[0, :2] for stroke in strokes])
    assert ends[0] <= 3 + rate * 0.007


# What is wrong with files and arguments


def test_absent_files_say_what_is_expected_and_where_from(tmp_path):
    for variant, name in (("simplified", SIMPLIFIED), ("raw", f"{RAW}.zip")):
        with pytest.raises(FileNotFoundError, match=r"Give root=<the folder that holds handwriting>") as caught:
            omniglot(root=str(tmp_path), variant=variant)
        assert str(tmp_path / "handwriting" / name) in str(caught.value)
        assert "github.com" in str(caught.value)


def test_root_defaults_to_data_in_the_working_directory(make, root, tmp_path, monkeypatch):
    (tmp_path / "data").symlink_to(root)
    monkeypatch.chdir(tmp_path)
    assert torch.equal(omniglot().train.values, make().train.values)


@pytest.mark.parametrize("variant", ["simplified", "raw"])
def test_files_cut_short_are_called_damaged(root, tmp_path, variant):
    name = SIMPLIFIED if variant == "simplified" else f"{RAW}.zip"
    whole = (root / "handwriting" / name).read_bytes()
    (tmp_path / "handwriting").mkdir()
    for content in (b"", b"no archive", whole[: len(whole) // 2], whole[:200] + bytes(400) + whole[600:]):
        (tmp_path / "handwriting" / name).write_bytes(content)
        with pytest.raises(ValueError, match=rf"{name} is damaged"):
            omniglot(root=str(tmp_path), variant=variant)


def test_the_pickled_original_is_refused_with_a_way_to_read_it(tmp_path):
    (tmp_path / "handwriting").mkdir()
    write_pickled(tmp_path / "handwriting" / SIMPLIFIED)
    with pytest.raises(ValueError, match=r"can run any code.*the dataset sketch reads it"):
        omniglot(root=str(tmp_path))


@pytest.mark.parametrize(
    "text", ["", "START\n", "1,2,3\nBREAK\n", "START\n1,2,3\n", "START\n1,2\nBREAK\n", "START\n1,x,3\nBREAK\n"]
)
def test_a_damaged_drawing_is_named(tmp_path, text):
    write_raw(tmp_path / "handwriting", archive=False)
    name = sorted(raw_texts())[7]
    (tmp_path / "handwriting" / RAW / name).write_text(text)
    with pytest.raises(ValueError, match=rf"{name} in .* is damaged"):
        omniglot(root=str(tmp_path), variant="raw")


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("x_dim", 2, "x_dim must be 3"),
        ("seed", -1, "seed must be at least 0, got -1"),
        ("sample_rate", 4, "sample_rate must be null .* or at least 5, got 4"),
    ],
)
def test_values_out_of_range_are_named(make, argument, value, message):
    with pytest.raises(ValueError, match=message):
        make(**{argument: value})


def test_simplified_needs_all_three_parts(tmp_path):
    (tmp_path / "handwriting").mkdir()
    steps = np.concatenate(drawings("train"))
    packed = {f"{p}_strokes": steps for p in ("train", "test")} | {
        f"{p}_offsets": [0, len(steps)] for p in ("train", "test")
    }
    np.savez(tmp_path / "handwriting" / SIMPLIFIED, **packed)
    with pytest.raises(
        ValueError, match=rf"{SIMPLIFIED} is damaged or no file of sketch-rnn \(it has no valid, only train"
    ):
        omniglot(root=str(tmp_path))


def test_simplified_drawings_of_fractions_are_not_dequantised(tmp_path):
    (tmp_path / "handwriting").mkdir()
    steps = np.concatenate(drawings("train")) / (10, 10, 1)
    packed = {f"{p}_strokes": steps for p in PARTS} | {f"{p}_offsets": [0, len(steps)] for p in PARTS}
    np.savez(tmp_path / "handwriting" / SIMPLIFIED, **packed)
    with pytest.raises(ValueError, match=r"^dequantise must be false for .*: train, drawing 0, has "):
        omniglot(root=str(tmp_path))
    assert omniglot(root=str(tmp_path), dequantise=False).train.lengths.tolist() == [len(steps) - 1]


# The real files


def test_the_real_simplified_drawings(real):
    splits = real()
    assert [len(splits.train), len(splits.valid), len(splits.test)] == [30_000, 1000, 1000]
    assert int(splits.valid.lengths.max()) == 156
    assert float(splits.train.lengths.double().mean()) == pytest.approx(30.11, abs=0.01)
    assert float(splits.standardisation.std[0]) == pytest.approx(77.09, abs=0.02)


def test_the_real_raw_drawings(real):
    as_recorded, resampled = real(variant="raw", sample_rate=None), real(variant="raw")
    for splits, steps in ((as_recorded, 137.1), (resampled, 57.4)):
        lengths = torch.cat([getattr(splits, part).lengths for part in PARTS])
        assert len(lengths) == 2720
        assert float(lengths.double().mean()) == pytest.approx(steps, abs=0.2)
        assert [len(splits.train), len(splits.valid), len(splits.test)] == [2176, 272, 272]
