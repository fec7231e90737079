"""MIDI files as piano rolls, and piano rolls as MIDI files; both by mido."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType
from typing import NamedTuple

import numpy as np

from vrnn.data.music.rolls import HIGHEST, KEYS, LOWEST, Roll

DRUMS = 9  # the channel, counted from 0, whose notes are no pitches
MAX_STEPS = 100_000  # of a piece; a damaged file can claim to last for years


class Piece(NamedTuple):
    """What a MIDI file held.

    Attributes:
      roll: [T, 88], from the first note to the end of the last one; T is 0 where it has none.
      outside: notes that a piano has no key for.
    """

    roll: Roll
    outside: int


def require_mido() -> ModuleType:
    """mido.

    Raises:
      ImportError: it is not installed.
    """
    try:
        import mido
    except ImportError as error:
        raise ImportError("MIDI files are read by mido, which is not installed: pip install mido") from error
    return mido


def read_midi(path: Path, steps_per_beat: int) -> Piece:
    """All tracks but the drums in one roll: a key is 1 in every step from the beginning of a note to its end.

    Both are rounded to steps, and a note has one step at least. Pedals and loudness are left out, and so is tempo: a
    step is a part of a beat and not of a second.

    Args:
      path: the file.
      steps_per_beat: steps per quarter note.

    Raises:
      ImportError: mido is not installed.
      ValueError: it is no MIDI file, or not one that has a beat; the message is the reason alone.
    """
    mido = require_mido()
    try:
        file = mido.MidiFile(path)
    except Exception as error:  # OSError, EOFError, KeySignatureError, ValueError, IndexError, LookupError ...
        raise ValueError(str(error) or f"it ends too early ({type(error).__name__})") from error
    if file.type == 2:
        raise ValueError("its tracks are pieces of their own (type 2)")
    if not 0 < file.ticks_per_beat < 32768:
        raise ValueError("its time is counted in frames of a film, not in beats")
    notes, outside = [], 0
    for track in file.tracks:
        tick = 0
        sounding: dict[tuple[int, int], int] = {}  # (channel, note) -> the tick at which it began
        for message in track:
            tick += message.time
            if message.type in ("note_on", "note_off") and message.channel != DRUMS:
                key = message.channel, message.note
                if key in sounding:  # a note that begins again ends first
                    notes.append((message.note, sounding.pop(key), tick))
                if message.type == "note_on" and message.velocity > 0:
                    sounding[key] = tick
        notes += [(note, start, tick) for (_, note), start in sounding.items()]
    kept = []
    for note, *ticks in notes:
        start, end = (int(each * steps_per_beat / file.ticks_per_beat + 0.5) for each in ticks)
        outside += not LOWEST <= note <= HIGHEST
        if LOWEST <= note <= HIGHEST:
            kept.append((note - LOWEST, start, max(end, start + 1)))
    first, last = min((start for _, start, _ in kept), default=0), max((end for *_, end in kept), default=0)
    if last - first > MAX_STEPS:
        raise ValueError(f"it would have {last - first} steps, more than {MAX_STEPS}")
    roll = np.zeros((last - first, KEYS), np.uint8)
    for key, start, end in kept:
        roll[start - first : end - first, key] = 1
    return Piece(roll, outside)
