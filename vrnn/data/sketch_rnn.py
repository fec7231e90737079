"""The files of sketch-rnn: drawings as steps (dx, dy, pen-up) with y downwards, in an npz of three parts.

Ha, Eck, "A Neural Representation of Sketch Drawings" (2017). As distributed, `train`, `valid` and `test` are object
arrays, one [T, 3] array a drawing, which numpy can only unpickle. Repacked, each part is two plain arrays:
`train_strokes` [sum of T, 3] and `train_offsets` [N + 1], int64, where each drawing starts and the last one ends.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from vrnn.data.strokes import Ink

PARTS = ("train", "valid", "test")


def read_sketch_rnn(path: Path, allow_pickle: bool = False) -> list[list[Ink]]:
    """The drawings of train, valid and test, y turned upwards.

    Args:
      path: the npz file, in either layout.
      allow_pickle: whether object arrays may be unpickled, which runs what code the file brings along.

    Raises:
      ValueError: the file is damaged, or stores pickled objects and may not.
    """
    if not zipfile.is_zipfile(path):  # numpy would take whatever else it is for a pickle
        raise ValueError(
            f"{path.absolute()} is damaged: it is no npz file, or cut short; put an intact copy in its place"
        )
    try:
        with np.load(path, allow_pickle=allow_pickle, encoding="latin1") as arrays:
            return [[_ink(steps) for steps in _drawings(arrays, part)] for part in PARTS]
    except Exception as error:  # a damaged archive fails in zipfile, zlib, pickle or numpy, each in its own way
        if "allow_pickle=False" in str(error):
            raise ValueError(
                f"allow_pickle must be true to read {path.absolute()}: it stores pickled objects, which can run any "
                "code while they are read. If you trust its source: data=sketch data.path=<it> data.allow_pickle=true"
            ) from error
        raise ValueError(
            f"{path.absolute()} is damaged or no file of sketch-rnn ({error}): expected for each of train, valid and "
            "test an array of [T, 3] arrays of that name, or <part>_strokes [sum of T, 3] and <part>_offsets [N + 1]"
        ) from error


def _drawings(arrays: np.lib.npyio.NpzFile, part: str) -> list[NDArray]:
    """The steps [T, 3] of each drawing of a part."""
    if f"{part}_offsets" not in arrays:
        return list(arrays[part])
    steps, bounds = arrays[f"{part}_strokes"], arrays[f"{part}_offsets"]
    if bounds.ndim != 1 or len(bounds) < 2 or bounds[0] != 0 or bounds[-1] != len(steps) or (np.diff(bounds) < 1).any():
        raise ValueError(f"{part}_offsets do not cut {part}_strokes, {len(steps)} steps, into drawings")
    return np.split(steps, bounds[1:-1])


def _ink(steps: NDArray) -> Ink:
    """The ink of steps (dx, dy down, pen-up) [T, 3]; the first step leads to the first point."""
    steps = np.asarray(steps, dtype=np.float64)
    if steps.ndim != 2 or steps.shape[1] != 3 or not np.isfinite(steps).all() or not np.isin(steps[:, 2], (0, 1)).all():
        raise ValueError(f"a drawing is {list(steps.shape)} values, not T finite steps of dx, dy and pen-up 0 or 1")
    return Ink(steps[:, :2].cumsum(axis=0) * (1.0, -1.0), steps[:, 2])
