"""Files of piano rolls: MATLAB's .mat as they are distributed, and npz without pickles.

A .mat file has the variables traindata, validdata and testdata, each a cell array of rolls [T, 88]: the corpora of
Boulanger-Lewandowski et al. 2012 as Bai et al. 2018 (arXiv 1803.01271) passed them on. An npz file has for each part
`<part>_rolls` [sum of T, 88] and `<part>_offsets` [N + 1], integers: where each piece starts and the last one ends.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from vrnn.data.sources.files import MAX_RATIO, SHARE_OF_MEMORY, require_archive, shown
from vrnn.memory import free_memory

KEYS = 88
LOWEST, HIGHEST = 21, 108  # the MIDI numbers of a piano's keys, A0 to C8
PARTS = ("train", "valid", "test")
COMPRESSED = 15  # the type of an element of a .mat file whose bytes are deflated

Roll = NDArray[np.uint8]  # [T, 88], 1 where a key sounds


def read_rolls(path: Path) -> dict[str, list[Roll]]:
    """The pieces of train, valid and test in a .mat or npz file; a piece may have no step.

    Raises:
      ValueError: the file is damaged, or holds something else.
    """
    matlab = path.suffix.lower() == ".mat"
    try:
        rolls = _of_mat(path) if matlab else _of_npz(path)
        return {part: [_roll(values, f"{part}, piece {i}") for i, values in enumerate(rolls[part])] for part in PARTS}
    except Exception as error:  # a damaged file fails in zlib, zipfile, scipy or numpy, each in its own way
        expected = (
            "the variables traindata, validdata and testdata, each a cell array of rolls [T, 88]"
            if matlab
            else "<part>_rolls [sum of T, 88] and <part>_offsets [N + 1] for train, valid and test, as numpy.savez "
            "writes them"
        )
        reason = str(error) or type(error).__name__
        raise ValueError(f"{shown(path)} is damaged or holds no piano rolls ({reason}): expected {expected}") from error


def _of_mat(path: Path) -> dict[str, list[Any]]:
    """What the cells of each part hold."""
    from scipy.io import loadmat

    require_unpackable(path)
    found = loadmat(path, variable_names=[f"{part}data" for part in PARTS])
    cells = {}
    for part in PARTS:
        cell = found.get(f"{part}data")
        if cell is None or cell.dtype != object:
            raise ValueError(f"it has no cell array {part}data")
        cells[part] = list(cell.flat)
    return cells


def _of_npz(path: Path) -> dict[str, list[Any]]:
    """The pieces of each part."""
    require_archive(path)
    pieces = {}
    with np.load(path, allow_pickle=False) as arrays:
        for part in PARTS:
            if f"{part}_rolls" not in arrays or f"{part}_offsets" not in arrays:
                raise ValueError(f"it has no {part}_rolls and {part}_offsets, only {', '.join(arrays.files)}")
            steps, bounds = arrays[f"{part}_rolls"], arrays[f"{part}_offsets"]
            if bounds.ndim != 1 or len(bounds) < 2 or bounds.dtype.kind not in "iu":
                raise ValueError(f"{part}_offsets must be integers [N + 1], got {bounds.dtype} {list(bounds.shape)}")
            if bounds[0] != 0 or bounds[-1] != len(steps) or (bounds[1:] < bounds[:-1]).any():
                raise ValueError(f"{part}_offsets must rise from 0 to {len(steps)}, the steps of {part}_rolls")
            pieces[part] = [steps[a:b] for a, b in zip(bounds[:-1].tolist(), bounds[1:].tolist(), strict=True)]
    return pieces


def _roll(values: Any, place: str) -> Roll:
    """Values as a roll.

    Raises:
      ValueError: they are none; the message begins with their place.
    """
    if not isinstance(values, np.ndarray) or values.dtype.kind not in "biuf":
        raise ValueError(f"{place}: it is no array of numbers")
    if values.size == 0:
        return np.empty((0, KEYS), np.uint8)
    if values.ndim != 2 or values.shape[1] != KEYS:
        raise ValueError(f"{place}: it is {list(values.shape)} values, not [T, {KEYS}]")
    if not ((values == 0) | (values == 1)).all():
        raise ValueError(f"{place}: its values must be 0 or 1, but range from {values.min():.4g} to {values.max():.4g}")
    return values.astype(np.uint8)


def require_unpackable(path: Path) -> None:
    """Refuses a .mat file whose compressed elements would fill the memory.

    Raises:
      ValueError: the reason, to stand in brackets.
    """
    content = path.read_bytes()
    if len(content) < 128 or content[126:128] not in (b"IM", b"MI"):
        raise ValueError(f"it is no MATLAB file of version 5; it begins with {content[:16]!r}")
    order: Literal["little", "big"] = "little" if content[126:128] == b"IM" else "big"
    most = max(MAX_RATIO * len(content), int(SHARE_OF_MEMORY * free_memory()))
    start, total = 128, 0
    while start + 8 <= len(content):
        kind, size = (int.from_bytes(content[at : at + 4], order) for at in (start, start + 4))
        if kind == COMPRESSED:
            unpacker, rest = zlib.decompressobj(), content[start + 8 : start + 8 + size]
            while rest and not unpacker.eof:
                total += len(unpacker.decompress(rest, 1 << 20))
                rest = unpacker.unconsumed_tail
                if total > most:
                    raise ValueError(f"its {len(content)} bytes unpack to more than there is room for")
        start += 8 + size
