"""The raw drawings of Omniglot: texts of points in time, in a folder or a zip archive."""

from __future__ import annotations

import errno
import math
import os
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vrnn.data.ink.strokes import Ink
from vrnn.data.sources.files import is_hidden, listed, printable, require_archive, shown


def read_raw(source: Path, sample_rate: int | None) -> tuple[list[tuple[str, Ink]], list[tuple[str, int]]]:
    """All drawings with their names `<alphabet>/<character>/<number>_<drawer>.txt`, sorted, printable; and the files.

    Args:
      source: the folder that holds the alphabets, or an archive of it; links are followed, hidden files passed over.
      sample_rate: positions of the pen per second; None: the points as recorded.

    Raises:
      OSError: a file or folder cannot be read.
      ValueError: a drawing or the archive is damaged; the message names it.
    """
    files: list[tuple[str, int]] = []
    texts: dict[str, bytes] = {}
    for name, content in _folder(source, files) if source.is_dir() else _archive(source, files):
        if name in texts:
            raise ValueError(f"{shown(source)} holds two drawings called {printable(name)}; take one away")
        texts[name] = content
    drawings = []
    for name in sorted(texts):
        try:
            ink = read_drawing(texts[name].decode("utf-8-sig"), sample_rate)
            drawings.append((printable(name), ink._replace(name=printable(name))))
        except ValueError as error:
            raise ValueError(
                f"{printable(name)} in {shown(source)} is damaged: {error}; unpack it again, or take it away"
            ) from error
    return drawings, files


def _folder(source: Path, files: list[tuple[str, int]]) -> Iterator[tuple[str, bytes]]:
    """Name and content of every drawing in a folder."""
    waiting = [(source, "")]
    try:
        while waiting:
            folder, above = waiting.pop()
            for entry in sorted(folder.iterdir()):
                name = f"{above}{entry.name}"
                if is_hidden(entry.name):
                    continue
                if entry.is_symlink() and not entry.exists():  # an alphabet on a disk that is not mounted, say
                    raise FileNotFoundError(errno.ENOENT, "a link to what is not there", str(entry))
                if name.count("/") < 2 and entry.is_dir():
                    waiting.append((entry, f"{name}/"))
                elif name.count("/") == 2 and entry.suffix == ".txt":
                    yield name, entry.read_bytes()
                    files.append(listed(entry, source.parent.parent))
    except OSError as error:
        reason = f"{shown(os.fsdecode(error.filename or source))} cannot be read ({error.strerror})"
        raise type(error)(
            f"{reason}: it is part of Omniglot's drawings; make it readable, or unpack them again"
        ) from error


def _archive(source: Path, files: list[tuple[str, int]]) -> Iterator[tuple[str, bytes]]:
    """Name and content of every drawing in an archive, whatever folders its alphabets lie in; nothing is unpacked."""
    name = ""
    try:
        require_archive(source)
        with zipfile.ZipFile(source) as archive:
            for name in archive.namelist():
                parts = name.split("/")
                if is_hidden(name) or len(parts) < 3 or not name.endswith(".txt"):
                    continue
                if ".." in parts or name.startswith("/"):
                    raise ValueError("it leads out of the archive")
                yield "/".join(parts[-3:]), archive.read(name)
    except Exception as error:  # a damaged archive fails in zipfile, zlib or struct, each in its own way
        raise ValueError(
            f"{shown(source)} is damaged (at {printable(name) or 'its begin'}: {error}); "
            "put an intact copy in its place"
        ) from error
    files.append(listed(source, source.parent.parent))


def read_drawing(text: str, sample_rate: int | None) -> Ink:
    """The ink of a drawing: the line START, then x,y,t of each point (y negative downwards, t in ms), BREAK per stroke.

    Raises:
      ValueError: the text is none.
    """
    start, *lines = text.split() or [""]
    if start != "START" or lines[-1:] != ["BREAK"]:
        raise ValueError("expected START, points as x,y,t and BREAK after each stroke")
    strokes: list[list[list[float]]] = [[]]
    for number, line in enumerate(lines, 2):
        if line == "BREAK":
            strokes.append([])
            continue
        try:
            point = [float(value) for value in line.split(",")]
        except ValueError:
            point = []
        if len(point) != 3 or not all(map(math.isfinite, point)):
            raise ValueError(f"line {number} is {line[:60]!r}, where x,y,t is expected, three finite numbers")
        strokes[-1].append(point)
    points = [np.array(stroke) for stroke in strokes if stroke]
    if not points:
        raise ValueError("it has no point")
    return Ink.of([stroke[:, :2] if sample_rate is None else _at_equal_times(stroke, sample_rate) for stroke in points])


def _at_equal_times(stroke: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Positions [n, 2] of a stroke of (x, y, t in ms) [N, 3], its first and last point among them."""
    step = 1000.0 / sample_rate
    # At most two samples, since the pen may rest for seconds; at least 1 ms, since some clocks stand or go back.
    times = np.append(0.0, np.diff(stroke[:, 2]).clip(1.0, 2.0 * step).cumsum())  # [N]
    steps = max(round(times[-1] / step), min(1, len(stroke) - 1))
    at = np.linspace(0.0, times[-1], steps + 1)
    return np.column_stack([np.interp(at, times, coordinate) for coordinate in stroke[:, :2].T])
