"""The files of sketch-rnn: drawings as steps (dx, dy, pen-up) with y downwards, in an npz of three parts.

Ha, Eck, "A Neural Representation of Sketch Drawings" (2017). As distributed, `train`, `valid` and `test` are object
arrays, one [T, 3] array a drawing, which numpy can only unpickle. Repacked, each part is two plain arrays:
`train_strokes` [sum of T, 3] and `train_offsets` [N + 1], int64, where each drawing starts and the last one ends.

Steps of five columns are (dx, dy, p1, p2, p3), one of the three 1: the pen goes on drawing, is lifted after this point,
or the drawing is over, and this step and all after it are padding.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vrnn.data.ink.strokes import Ink
from vrnn.data.sources.files import require_archive, shown

PARTS = ("train", "valid", "test")


class _WrongStep(ValueError):
    """A drawing of a file that is sound otherwise; the message names part, drawing and step."""


class Drawings(NamedTuple):
    """What a file held.

    Attributes:
      parts: the ink of each part that the file has, y upwards, without drawings of no point.
      empty: drawings of no point.
      cut: offsets that were cut.
    """

    parts: dict[str, list[Ink]]
    empty: int
    cut: int

    def require_all_parts(self, path: Path) -> None:
        """Raises ValueError, which names the file, unless it has train, valid and test."""
        if missing := [part for part in PARTS if part not in self.parts]:
            raise ValueError(
                f"{shown(path)} is damaged or no file of sketch-rnn (it has no {' and no '.join(missing)}, only "
                f"{' and '.join(self.parts)}): take drawings of its own for each part, and "
                "numpy.savez(file, train=..., valid=..., test=...)"
            )


def read_sketch_rnn(path: Path, allow_pickle: bool = False, max_offset: float | None = None) -> Drawings:
    """The drawings of a file.

    Args:
      path: the npz file, in either layout.
      allow_pickle: whether object arrays may be unpickled, which runs what code the file brings along.
      max_offset: size to which larger offsets are cut, in the file's unit; None: none is.

    Raises:
      ValueError: the file is damaged, or stores pickled objects and may not.
    """
    found: dict[str, list[Ink]] = {}
    empty = cut = 0
    try:
        require_archive(path)
        with np.load(path, allow_pickle=allow_pickle, encoding="latin1") as arrays:
            for part in PARTS:
                if part not in arrays and f"{part}_strokes" not in arrays and f"{part}_offsets" not in arrays:
                    continue
                found[part] = []
                count, drawings = _drawings(arrays, part)
                for number, drawing in drawings:
                    steps, name = _steps(drawing, f"{part}, drawing {number}"), f"drawing {number}"
                    if max_offset is not None:
                        cut += int((np.abs(steps[:, :2]) > max_offset).sum())
                        steps[:, :2] = steps[:, :2].clip(-max_offset, max_offset)
                    if len(steps):
                        found[part].append(Ink(steps[:, :2].cumsum(axis=0) * (1.0, -1.0), steps[:, 2], name))
                empty += count - len(found[part])
            if not found:
                raise ValueError(f"it has {', '.join(arrays.files) or 'nothing'}")
    except _WrongStep as error:
        raise ValueError(f"{shown(path)} has a damaged drawing ({error}): correct it, or take it away") from error
    except Exception as error:  # a damaged archive fails in zipfile, zlib, pickle or numpy, each in its own way
        if "allow_pickle=False" in str(error):
            raise ValueError(
                f"allow_pickle must be true to read {shown(path)}: it stores pickled objects, which can run any "
                "code while they are read. If you trust its source, the dataset sketch reads it with path=<it> "
                "allow_pickle=true"
            ) from error
        raise ValueError(
            f"{shown(path)} is damaged or no file of sketch-rnn ({error}): expected for each of train, valid and test "
            "an array of [T, 3] or [T, 5] arrays of that name, or <part>_strokes [sum of T, 3 or 5] and "
            "<part>_offsets [N + 1], as numpy.savez writes them"
        ) from error
    return Drawings(found, empty, cut)


def _drawings(arrays: np.lib.npyio.NpzFile, part: str) -> tuple[int, Iterator[tuple[int, NDArray]]]:
    """How many drawings a part has, and the number and the steps [T, 3] or [T, 5] of each that may have any."""
    if f"{part}_offsets" not in arrays:
        drawings = arrays[part]
        return len(drawings), enumerate(drawings)
    steps, bounds = arrays[f"{part}_strokes"], arrays[f"{part}_offsets"]
    if bounds.ndim != 1 or len(bounds) < 2 or bounds.dtype.kind not in "iu":
        raise ValueError(f"{part}_offsets must be integers [N + 1], got {bounds.dtype} {list(bounds.shape)}")
    if bounds[0] != 0 or bounds[-1] != len(steps):
        ends = f"{int(bounds[0])} to {int(bounds[-1])}"
        raise ValueError(f"{part}_offsets must go from 0 to {len(steps)}, the steps of {part}_strokes, not from {ends}")
    if (falls := np.flatnonzero(bounds[1:] < bounds[:-1])).size:
        here = falls[0]
        raise ValueError(f"{part}_offsets must not fall, but number {here} is {bounds[here]}, then {bounds[here + 1]}")
    inked = np.flatnonzero(bounds[1:] > bounds[:-1])  # as many as there are steps, at most
    return len(bounds) - 1, ((int(number), steps[bounds[number] : bounds[number + 1]]) for number in inked)


def _steps(drawing: NDArray, place: str) -> NDArray[np.float64]:
    """(dx, dy, pen-up) [T, 3] of a drawing in three or five columns, y downwards as in the file.

    Raises:
      _WrongStep: it is none; the message begins with its place.
    """
    try:
        steps = np.array(drawing, dtype=np.float64)
    except (ValueError, TypeError) as error:
        raise _WrongStep(f"{place}: it is no array of numbers, {error}") from error
    if steps.size == 0:
        return np.empty((0, 3))
    if steps.ndim != 2 or steps.shape[1] not in (3, 5):
        raise _WrongStep(f"{place}: it is {list(steps.shape)} values, not steps of 3 or 5 columns")
    if steps.shape[1] == 5:
        pen = steps[:, 2:]
        ends = np.flatnonzero(pen[:, 2] == 1)
        steps = steps[: ends[0] if ends.size else None]
        wrong = ~(np.isin(steps[:, 2:], (0, 1)).all(axis=1) & (steps[:, 2:].sum(axis=1) == 1))
        rule = "one of p1, p2 and p3 must be 1, the others 0"
        kept = steps[:, [0, 1, 3]]
    else:
        wrong, rule, kept = ~np.isin(steps[:, 2], (0, 1)), "pen-up must be 0 or 1", steps
    for bad, reason in ((~np.isfinite(kept[:, :2]).all(axis=1), "dx and dy must be finite"), (wrong, rule)):
        if bad.any():
            raise _WrongStep(f"{place}, step {bad.argmax()}: {reason}, got {steps[bad.argmax()].tolist()}")
    return kept
