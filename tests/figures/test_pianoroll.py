"""Piano rolls: what is drawn, and MIDI files that play it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread

from vrnn.data.music.midi import read_midi
from vrnn.figures.pianoroll import PianoRoll


def melody(steps: int, seed: int) -> np.ndarray:
    """A roll [T, 88] that begins and ends with a note."""
    x = (np.random.default_rng(seed).random((steps, 88)) < 0.05).astype(np.float32)
    x[[0, -1], 40] = 1.0
    return x


def test_a_png_and_a_midi_file_for_each_label(tmp_path: Path):
    rows = {"input": [melody(9, 0), melody(7, 1)], "continuation 1": [melody(9, 2), melody(7, 3)]}
    files = PianoRoll().draw(rows, tmp_path / "a.png", title="Rolls", prefix=3)
    assert [path.name for path in files] == ["a.png", "a_input.mid", "a_continuation_1.mid"]
    picture = imread(files[0])[..., :3]
    assert (picture.reshape(-1, 3) == 0.0).all(1).mean() > 0.005  # black keys
    blue = np.abs(picture - np.array([207, 224, 245]) / 255).max(-1) < 0.01
    assert blue.mean() > 0.05
    files = PianoRoll().draw(rows, tmp_path / "b.png", title="Rolls")
    assert not (np.abs(imread(files[0])[..., :3] - np.array([207, 224, 245]) / 255).max(-1) < 0.01).any()


@pytest.mark.parametrize("step_seconds", [0.25, 0.5])
def test_a_midi_file_holds_the_drawn_pieces_with_silence_between(tmp_path: Path, step_seconds: float):
    pieces = [melody(9, 0), melody(7, 1), melody(5, 2)]
    _, path = PianoRoll(step_seconds, num_examples=2).draw({"sample": pieces}, tmp_path / "a.png", title="")
    silent = round(1.0 / step_seconds)
    expected = np.concatenate([pieces[0], np.zeros((silent, 88)), pieces[1]])
    assert np.array_equal(read_midi(path, round(0.5 / step_seconds)).roll, expected)  # 120 quarter notes a minute


def test_a_key_sounds_from_one_half_and_nan_does_not(tmp_path: Path):
    x = np.zeros((3, 88), np.float32)
    x[:, 40], x[:, 41], x[:, 42] = 0.5, 0.49, np.nan
    _, path = PianoRoll().draw({"mean": [x]}, tmp_path / "a.png", title="")
    roll = read_midi(path, 2).roll
    assert np.flatnonzero(roll.any(0)).tolist() == [40]
    assert len(roll) == 3


def test_silence_is_drawn(tmp_path: Path):
    files = PianoRoll().draw({"sample": [np.zeros((4, 88))]}, tmp_path / "a.png", title="$x_")
    assert all(path.stat().st_size for path in files)


def test_without_mido_there_is_the_picture_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert PianoRoll().draw({"sample": [melody(4, 0)]}, tmp_path / "a.png", title="") == [tmp_path / "a.png"]


def test_what_is_no_roll_is_refused(tmp_path: Path):
    for rows in ({}, {"sample": []}):
        with pytest.raises(ValueError, match="at least one sequence"):
            PianoRoll().draw(rows, tmp_path / "a.png", title="")
    with pytest.raises(ValueError, match=r"must be \[T, 88\]"):
        PianoRoll().draw({"sample": [np.zeros((3, 28))]}, tmp_path / "a.png", title="")
    with pytest.raises(ValueError, match="step_seconds"):
        PianoRoll(step_seconds=0.0)
    with pytest.raises(ValueError, match="num_examples"):
        PianoRoll(num_examples=0)
