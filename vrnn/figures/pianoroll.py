"""Music as a person looks at it and listens to it: piano rolls and MIDI files."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LOWEST = 21  # the MIDI number of the first key, A0
TICKS = 480  # of a MIDI file per quarter note
GAP_SECONDS = 1.0  # silence between the examples of a MIDI file
LEFT, TOP, BOTTOM, RIGHT = 0.6, 0.6, 0.5, 0.15  # margins, inches
WIDTH, HEIGHT, BESIDE, BELOW = 3.4, 1.6, 0.15, 0.32  # of a roll, and the gaps to the next one
GIVEN = "#cfe0f5"


class PianoRoll:
    """Each sequence as a roll, time to the right and pitch upwards, black where x is 1; and a MIDI file for each label.

    Examples stand beside one another, labels below one another. Keys that no drawn sequence uses are cut off above and
    below. With a prefix, the given part has a blue ground and ends at a red line.

    The MIDI files hold the drawn examples one after the other, with a second of silence between; a value of at least
    one half is a key that sounds, and a key that goes on sounding is one long note. They are written where mido is
    installed.

    Args:
      step_seconds: seconds that a step lasts in the MIDI files.
      num_examples: examples drawn at most, the first ones.

    Raises:
      ValueError: step_seconds is not positive, or num_examples below 1.
    """

    def __init__(self, step_seconds: float = 0.25, num_examples: int = 4):
        if not 0.0 < step_seconds < 60.0:
            raise ValueError(f"step_seconds must be between 0 and 60, got {step_seconds}")
        if num_examples < 1:
            raise ValueError(f"num_examples must be at least 1, got {num_examples}")
        self.step_seconds = step_seconds
        self.num_examples = num_examples

    def draw(
        self, rows: Mapping[str, Sequence[np.ndarray]], path: str | Path, *, title: str, prefix: int | None = None
    ) -> list[Path]:
        """Writes the PNG and the MIDI files `<stem>_<label>.mid`; the arguments are those of every figure.

        Raises:
          ValueError: there is no sequence, or one is not [T, 88].
        """
        from matplotlib.figure import Figure

        path = Path(path)
        rolls = {label: [_roll(x) for x in sequences[: self.num_examples]] for label, sequences in rows.items()}
        columns = max(map(len, rolls.values()), default=0)
        if columns == 0:
            raise ValueError("rows must hold at least one sequence to draw, got none")
        low, high = _pitches([roll for each in rolls.values() for roll in each])
        width = LEFT + columns * (WIDTH + BESIDE) - BESIDE + RIGHT
        height = TOP + len(rolls) * (HEIGHT + BELOW) - BELOW + BOTTOM
        figure = Figure(figsize=(width, height))
        figure.suptitle(title, x=LEFT / width, ha="left", y=1 - 0.1 / height, va="top")
        for row, (label, examples) in enumerate(rolls.items()):
            for column, roll in enumerate(examples):
                left = LEFT + column * (WIDTH + BESIDE)
                bottom = height - TOP - HEIGHT - row * (HEIGHT + BELOW)
                axes = figure.add_axes((left / width, bottom / height, WIDTH / width, HEIGHT / height))
                steps = max(len(each[column]) for each in rolls.values() if column < len(each))
                _draw(axes, roll, (low, high), steps, prefix)
                axes.tick_params(labelsize="x-small", labelleft=column == 0, labelbottom=row == len(rolls) - 1)
                if column == 0:
                    axes.set_title(label, loc="left", fontsize="small", pad=2, parse_math=False)
                if row == len(rolls) - 1:
                    axes.set_xlabel("step", fontsize="small")
        figure.savefig(path, dpi=150)
        files = [path]
        if importlib.util.find_spec("mido") is not None:
            for label, examples in rolls.items():
                name = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")
                files.append(path.with_name(f"{path.stem}_{name}.mid"))
                self._write_midi(files[-1], examples)
        return files

    def _write_midi(self, path: Path, examples: list[np.ndarray]) -> None:
        """Writes the examples, rolls [T, 88], one after the other, at 120 quarter notes a minute."""
        import mido

        per_step = max(1, round(2 * TICKS * self.step_seconds))  # ticks
        events: list[tuple[int, str, int]] = []  # (tick, kind, note)
        start = 0
        for roll in examples:
            sounds = np.pad((roll >= 0.5).astype(np.int8), ((1, 1), (0, 0)))  # NaN does not sound
            change = np.diff(sounds, axis=0)  # [T + 1, 88]
            for kind, sign in (("note_off", -1), ("note_on", 1)):
                found = np.argwhere(change == sign).tolist()
                events += [(start + step * per_step, kind, key + LOWEST) for step, key in found]
            start += len(roll) * per_step + round(2 * TICKS * GAP_SECONDS)
        track, now = mido.MidiTrack(), 0
        for tick, kind, note in sorted(events):  # note_off stands before note_on
            track.append(mido.Message(kind, note=note, velocity=80, time=tick - now))
            now = tick
        file = mido.MidiFile(type=0, ticks_per_beat=TICKS)
        file.tracks.append(track)
        file.save(path)


def _roll(x: np.ndarray) -> np.ndarray:
    if x.ndim != 2 or x.shape[1] != 88 or not len(x):
        raise ValueError(
            f"a sequence must be [T, 88] to be drawn as a piano roll, got {list(x.shape)}; choose the figures that "
            "belong to the data"
        )
    return x


def _pitches(rolls: Sequence[np.ndarray]) -> tuple[int, int]:
    """The first key that is drawn, and the one after the last: those that sound somewhere, and an octave at least."""
    used = np.flatnonzero(np.any([(roll > 0.05).any(0) for roll in rolls], axis=0))
    low, high = (int(used[0]), int(used[-1]) + 1) if used.size else (39, 40)
    short = max(0, 14 - (high - low))
    low = max(0, low - 1 - short // 2)
    return low, min(88, max(high + 1, low + 14))


def _draw(axes: Axes, roll: np.ndarray, pitches: tuple[int, int], steps: int, prefix: int | None) -> None:
    """One roll [T, 88]; `steps` is the length of the axis."""
    low, high = pitches
    if prefix is not None:
        axes.axvspan(0, min(prefix, steps), color=GIVEN, linewidth=0, zorder=0)
        axes.axvline(prefix, color="tab:red", linewidth=1, zorder=3)
    ink = np.zeros((high - low, len(roll), 4))  # black, so opaque as the value is high
    ink[..., 3] = np.nan_to_num(np.clip(roll[:, low:high].T, 0.0, 1.0))
    axes.imshow(ink, origin="lower", aspect="auto", interpolation="nearest", extent=(0, len(roll), low, high), zorder=2)
    octaves = [key for key in range(low, high) if (key + LOWEST) % 12 == 0]  # the keys C
    for key in octaves:
        axes.axhline(key, color="0.85", linewidth=0.5, zorder=1)
    axes.set_yticks([key + 0.5 for key in octaves], [f"C{(key + LOWEST) // 12 - 1}" for key in octaves])
    axes.set(xlim=(0, steps), ylim=(low, high))
