"""MIDI files as piano rolls: times, keys, what is left out, what is refused."""

from __future__ import annotations

from pathlib import Path

import mido
import numpy as np
import pytest

from vrnn.data.music import midi as module
from vrnn.data.music.midi import read_midi

Note = tuple[int, float, float]  # MIDI number, beginning and end in quarter notes


def write_midi(path: Path, *tracks: list[Note], ticks: int = 96, kind: int = 1, channel: int = 0) -> Path:
    """Writes notes, each track by itself."""
    file = mido.MidiFile(type=kind, ticks_per_beat=ticks)
    for notes in tracks:
        events = [(start, 1, note) for note, start, _ in notes] + [(end, 0, note) for note, _, end in notes]
        track, now = mido.MidiTrack(), 0
        for beat, on, note in sorted(events):
            tick = round(beat * ticks)
            # An end is written as a beginning of no loudness, as many programs do.
            track.append(mido.Message("note_on", channel=channel, note=note, velocity=64 * on, time=tick - now))
            now = tick
        file.tracks.append(track)
    file.save(path)
    return path


def sounding(roll: np.ndarray) -> list[set[int]]:
    """The MIDI numbers of each step."""
    return [{int(key) + 21 for key in np.flatnonzero(step)} for step in roll]


@pytest.mark.parametrize("ticks", [24, 96, 480])
def test_notes_sound_from_their_beginning_to_their_end(tmp_path: Path, ticks: int):
    path = write_midi(tmp_path / "a.mid", [(60, 0, 1), (64, 0.5, 1.5)], [(21, 1, 1.5), (108, 0, 0.5)], ticks=ticks)
    assert sounding(read_midi(path, 2).roll) == [{60, 108}, {60, 64}, {64, 21}]


def test_silence_stays_between_notes_and_goes_around_them(tmp_path: Path):
    path = write_midi(tmp_path / "a.mid", [(60, 4, 5), (62, 6, 7)])
    assert sounding(read_midi(path, 1).roll) == [{60}, set(), {62}]


def test_a_short_note_has_a_step_and_a_repeated_one_ends_before(tmp_path: Path):
    path = write_midi(tmp_path / "a.mid", [(60, 0, 0.01), (61, 0, 2), (61, 1, 3)])
    assert sounding(read_midi(path, 1).roll) == [{60, 61}, {61}]  # as the first end stops the second note


def test_drums_and_keys_outside_of_the_piano_are_left_out(tmp_path: Path):
    assert len(read_midi(write_midi(tmp_path / "drums.mid", [(40, 0, 1)], channel=9), 4).roll) == 0
    found = read_midi(write_midi(tmp_path / "low.mid", [(5, 0, 1), (60, 0, 1), (127, 0, 1)]), 1)
    assert (sounding(found.roll), found.outside) == ([{60}], 2)


def test_what_cannot_be_read_is_refused_with_a_reason(tmp_path: Path):
    whole = write_midi(tmp_path / "whole.mid", [(60, 0, 1)]).read_bytes()
    contents = {
        "empty": b"",
        "text": b"no music\n" * 9,
        "cut": whole[:-6],
        "garbled": whole[:20] + b"\xff" * 30,
        "film": whole[:12] + (0xE728).to_bytes(2, "big") + whole[14:],
    }
    for name, content in contents.items():
        path = tmp_path / f"{name}.mid"
        path.write_bytes(content)
        with pytest.raises(ValueError, match=r".") as caught:
            read_midi(path, 4)
        assert "\n" not in str(caught.value)
    with pytest.raises(ValueError, match="type 2"):
        read_midi(write_midi(tmp_path / "two.mid", [(60, 0, 1)], kind=2), 4)


def test_a_piece_that_would_last_for_years_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "MAX_STEPS", 10)
    with pytest.raises(ValueError, match="it would have 12 steps, more than 10"):
        read_midi(write_midi(tmp_path / "a.mid", [(60, 0, 1), (60, 11, 12)]), 1)
