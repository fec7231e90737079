"""One pass over all values of a dataset: they must be finite, fit the likelihood, and give the data's fingerprint."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import itertools
import json
import math
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from vrnn.data.checks.fingerprint import Fingerprint, PartPrint
from vrnn.data.sources.files import printable
from vrnn.data.splits import Sequences, Splits

STRETCHES = 64  # of each part; figures are taken of each, and some single values
SINGLE = 4  # values taken of each stretch
BLOCK = 2**22  # values read at a time: they may lie in a file that is larger than memory
KEPT = "fingerprint.json"  # beside the cache that the values are mapped from

Check = Callable[[str, Tensor], None]


class NotFinite(ValueError):
    """A value is NaN or infinite; the message says of which part, sequence and step."""


def inspect(splits: Splits, check: Check | None = None, checked_by: str = "") -> Fingerprint:
    """The fingerprint of data, all of whose values are found to be finite.

    Of values that are mapped from a cache it is kept there, with what they were checked by, and is read the next time.

    Args:
      splits: the data.
      check: is given every block of values of a part, (name, values [n, D]), and raises where they are no good.
      checked_by: identifies `check`.

    Raises:
      NotFinite: a value is NaN or infinite.
    """
    files = {printable(name): size for name, size in splits.files}
    scale = splits.standardisation.mean.tolist(), splits.standardisation.std.tolist()
    kept, stamp = None, None
    if splits.cache is not None:
        found = (splits.cache / "values.npy").stat()
        stamp = [found.st_size, found.st_mtime_ns]
        kept = _read_kept(splits.cache / KEPT, stamp)
        if kept is not None and (check is None or checked_by in kept[1]):
            return Fingerprint(files, kept[0].parts, *scale)
    _require_scale(splits)
    parts = {name: _measure(name, part, splits, check) for name, part in splits.parts.items()}
    fingerprint = Fingerprint(files, parts, *scale)
    if splits.cache is not None:
        known = sorted({*(kept[1] if kept else []), *([checked_by] if check else [])})
        _write_kept(splits.cache / KEPT, {"stamp": stamp, "checked_by": known, **fingerprint.as_dict(), "files": {}})
    return fingerprint


def find_not_finite(sequences: Sequences) -> tuple[int, int, int] | None:
    """Sequence, step and dimension of the first stored value that is NaN or infinite; None: all are finite."""
    for row, block in _blocks(sequences, 0, len(sequences.values)):
        if (found := _not_finite(block)) is not None:
            number, step = sequences.find(row + found[0])
            return number, step, found[1]
    return None


def describe_not_finite(name: str, sequences: Sequences, grouping: str | None = None) -> str | None:
    """Where the first value that is NaN or infinite stands, in words; None: all are finite."""
    found = find_not_finite(sequences)
    if found is None:
        return None
    number, step, dimension = found
    value = float(sequences.values[int(sequences.starts[number]) + step, dimension])
    return f"{name}, {sequences.name(number, grouping)}, step {step}, dimension {dimension}: the value is {value}"


def _require_scale(splits: Splits) -> None:
    """Raises NotFinite if no standardisation could be fitted: every value would be called NaN, and none be named."""
    std, mean = splits.standardisation.std, splits.standardisation.mean
    if not bool(std.isfinite().all() and mean.isfinite().all() and (std > 0).all()):
        raise NotFinite(
            f"train has no finite mean and standard deviation (mean {float(mean[0]):g}, std {float(std.min()):g}): "
            "it holds NaN or infinity, or is the same value everywhere"
        )


def _measure(name: str, sequences: Sequences, splits: Splits, check: Check | None) -> PartPrint:
    """The fingerprint of a part, in one pass."""
    values, hashed = sequences.values, hashlib.sha256()
    edges = torch.linspace(0, len(values), min(STRETCHES, len(values)) + 1, dtype=torch.float64).long().tolist()
    projections, sizes, single = [], [], []
    for start, end in itertools.pairwise(edges):
        total = squares = 0.0
        for _, block in _blocks(sequences, start, end):
            flat = block.contiguous().view(-1)
            square = float(flat.dot(flat))
            if not math.isfinite(square):  # the quick way to find that a value is not
                if _not_finite(block) is not None:
                    raise NotFinite(describe_not_finite(name, sequences, splits.grouping))
                square = float(flat.double().square().sum())
            if check is not None:
                check(name, block)
            hashed.update(flat.numpy().data)
            total += float(flat.dot(_signs(len(flat)).to(flat.dtype)))
            squares += square
        count = (end - start) * sequences.x_dim
        projections.append(total / math.sqrt(count))
        sizes.append(math.sqrt(squares / count))
        places = torch.linspace(0, count - 1, min(SINGLE, count), dtype=torch.float64).long()
        single += values[start + places // sequences.x_dim, places % sequences.x_dim].double().tolist()
    if sequences.observed is not None:
        hashed.update(sequences.observed.contiguous().numpy().data)
    placed = hashlib.sha256(sequences.lengths.numpy().data)
    if sequences.are_windows:
        placed.update(sequences.starts.numpy().data)
    lengths = placed.hexdigest()
    return PartPrint(len(sequences), len(values), lengths, hashed.hexdigest(), projections, sizes, single)


@functools.cache
def _all_signs(size: int) -> Tensor:
    """Signs without a pattern, the same on every machine [size]: a bit of the finaliser of MurmurHash3."""
    hashed = torch.arange(size)
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        hashed = ((hashed ^ (hashed >> shift)) * factor) & 0xFFFFFFFF
    return ((hashed ^ (hashed >> 16)) % 2 * 2 - 1).float()


def _signs(size: int) -> Tensor:
    """The first signs [size]; they are made for powers of two."""
    return _all_signs(1 << (size - 1).bit_length())[:size]


def _blocks(sequences: Sequences, start: int, end: int) -> Iterator[tuple[int, Tensor]]:
    """The stored values' rows from `start` to `end`, in parts that memory holds, each with the number of its first."""
    rows = max(1, BLOCK // sequences.x_dim)
    return ((row, sequences.values[row : min(row + rows, end)]) for row in range(start, end, rows))


def _not_finite(block: Tensor) -> tuple[int, int] | None:
    """Row and dimension of the first value that is not finite."""
    found = (~block.isfinite()).nonzero()
    return (int(found[0, 0]), int(found[0, 1])) if len(found) else None


def _read_kept(path: Path, stamp: list[int]) -> tuple[Fingerprint, list[str]] | None:
    """What was found before of values with this stamp, and by what they were checked; None: nothing of use."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        if content["stamp"] != stamp:
            return None
        return Fingerprint.from_dict(content), [str(name) for name in content["checked_by"]]
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def _write_kept(path: Path, content: dict[str, Any]) -> None:
    """Keeps it where that is possible; else it is found anew the next time."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    with contextlib.suppress(OSError):
        try:
            temporary.write_text(json.dumps(content), encoding="utf-8")
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
