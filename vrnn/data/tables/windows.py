"""Train, valid and test of sequences, and the windows that they are cut into, which are views of the stored steps."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from vrnn.data.sequences import Sequences
from vrnn.data.sources.files import printable
from vrnn.data.sources.partition import split_by_name
from vrnn.data.standardisation import Standardisation
from vrnn.data.tables.columns import Array
from vrnn.data.tables.pieces import Piece

PARTS = ("train", "valid", "test")
BLOCK = 2**16  # steps that are looked at a time


class Fractions(NamedTuple):
    """Shares of valid and test; train has the rest."""

    valid: float
    test: float


def by_sequence(pieces: Sequence[Piece], fractions: Fractions, seed: int) -> dict[str, list[Piece]]:
    """Whole sequences, each by its own name.

    Raises:
      ValueError: there are fewer than three.
    """
    if len(pieces) < 3:
        raise ValueError(
            f"split='by_sequence' needs at least 3 sequences, and there {'is' if len(pieces) == 1 else 'are'} "
            f"{len(pieces)}: choose split=by_time, or give the column that names sequences: id=<column>"
        )
    chosen = split_by_name([piece.name for piece in pieces], fractions.valid, fractions.test, seed)
    return {part: [piece for piece in pieces if piece.name in set(names)] for part, names in chosen.items()}


def by_time(pieces: Sequence[Piece], fractions: Fractions) -> dict[str, list[Piece]]:
    """Each sequence cut in time: train lies before valid, and valid before test.

    Raises:
      ValueError: a share is out of range, or nothing is left for train.
    """
    for name, share in (("valid_fraction", fractions.valid), ("test_fraction", fractions.test)):
        if not 0 < share < 1:
            raise ValueError(f"{name} must be between 0 and 1, got {share}")
    if fractions.valid + fractions.test >= 1:
        raise ValueError(f"valid_fraction and test_fraction leave nothing to train on: {sum(fractions):g} of all")
    parts: dict[str, list[Piece]] = {part: [] for part in PARTS}
    for piece in pieces:
        steps = len(piece.values)
        second = steps - round(steps * fractions.test)
        first = second - round(steps * fractions.valid)
        for part, cut in zip(PARTS, (slice(first), slice(first, second), slice(second, None)), strict=True):
            parts[part].append(piece.rows(cut))
    return parts


def by_column(pieces: Sequence[Piece], column: str) -> dict[str, list[Piece]]:
    """Stretches of steps that a column gives to train, valid or test.

    Raises:
      ValueError: it holds another word.
    """
    parts: dict[str, list[Piece]] = {part: [] for part in PARTS}
    for piece in pieces:
        assert piece.part is not None
        borders = [0, *(np.flatnonzero(piece.part[1:] != piece.part[:-1]) + 1).tolist(), len(piece.part)]
        for start, end in itertools.pairwise(borders):
            word = str(piece.part[start]).strip().lower()
            if word not in parts:
                raise ValueError(
                    f"split_column {printable(column)!r} holds {printable(word)!r}: expected train, valid or test"
                )
            parts[word].append(piece.rows(slice(start, end)))
    return parts


def by_lists(pieces: Sequence[Piece], lists: dict[str, list[str]]) -> dict[str, list[Piece]]:
    """Sequences that lists name.

    Raises:
      ValueError: a name is none of a sequence, or stands twice.
    """
    known = {piece.name: piece for piece in pieces}
    seen: dict[str, str] = {}
    for part, names in lists.items():
        for name in names:
            if name not in known:
                few = printable(", ".join(list(known)[:6]))
                raise ValueError(f"lists.{part} names {printable(name)!r}, and the sequences are {few}")
            if name in seen:
                raise ValueError(
                    f"lists must not name a sequence twice: {printable(name)!r} is in {seen[name]} and {part}"
                )
            seen[name] = part
    return {part: [known[name] for name in lists[part]] for part in PARTS}


def fit(train: Sequence[Piece], columns: Sequence[str]) -> Standardisation:
    """Mean and standard deviation of every column over what train observed.

    Raises:
      ValueError: a column of train is empty or constant.
    """
    x_dim = len(columns)
    count, total, squares = (np.zeros(x_dim) for _ in range(3))
    low, high = np.full(x_dim, np.nan), np.full(x_dim, np.nan)
    for block in _blocks(train):
        count += (~np.isnan(block)).sum(0)
        total += np.nansum(block, 0)
        low, high = np.fmin(low, np.fmin.reduce(block, 0)), np.fmax(high, np.fmax.reduce(block, 0))
    for name, seen in zip(columns, count, strict=True):
        if not seen:
            raise ValueError(f"columns has {printable(name)!r}, of which train holds no value: leave it out")
    mean = total / count
    for block in _blocks(train):  # a second pass, since means may be large
        squares += np.nansum(np.square(block - mean), 0)
    std = np.sqrt(squares / count)
    for name, least, most, spread in zip(columns, low, high, std, strict=True):
        if least == most or not spread > 0:
            raise ValueError(
                f"columns has {printable(name)!r}, which is {least:g} everywhere in train: there is nothing to model, "
                "leave it out"
            )
    return Standardisation(torch.from_numpy(mean), torch.from_numpy(std))


def _blocks(pieces: Sequence[Piece]) -> Iterator[Array]:
    """The steps of all pieces, as many at a time as take little memory [n, D]."""
    for piece in pieces:
        for start in range(0, len(piece.values), BLOCK):
            yield piece.values[start : start + BLOCK]


def long_enough(part: str, pieces: Sequence[Piece], window: int | None) -> list[Piece]:
    """The pieces of at least a window, or of two steps where there are no windows.

    Raises:
      ValueError: there is none.
    """
    kept = [piece for piece in pieces if len(piece.values) >= (window or 2)]
    longest = max((len(piece.values) for piece in pieces), default=0)
    if not kept and window:
        raise ValueError(
            f"window is {window}, and no sequence of {part} has so many steps (the longest has {longest}): give a "
            "smaller window, or more to its share"
        )
    if not kept:
        raise ValueError(f"split leaves {part} no sequence of two steps or more: give more to its share")
    return kept


def cut(
    part: str,
    pieces: Sequence[Piece],
    window: int | None,
    stride: int | None,
    scale: Standardisation,
    tally: Counter[str],
) -> Sequences:
    """Windows of `window` steps, `stride` apart, over the standardised steps, which are stored once.

    Args:
      part: what the pieces are, for messages.
      pieces: sequences, or parts of them.
      window: steps of each; None: each piece is a sequence.
      stride: steps from one begin to the next; None: as many as a window has.
      scale: fitted on train.
      tally: of what is left over.

    Raises:
      ValueError: no piece is as long as a window.
    """
    kept = long_enough(part, pieces, window)
    tally["sequences too short"] += sum(len(piece.values) > 0 for piece in pieces) - len(kept)
    stride = stride or window
    if window is not None and stride == window:  # nothing overlaps, so what is left over need not be stored
        tally["steps cut at ends"] += sum(len(piece.values) % window for piece in kept)
        kept = [piece.rows(slice(len(piece.values) // window * window)) for piece in kept]
    sizes = np.array([len(piece.values) for piece in kept])
    first = np.cumsum(sizes) - sizes
    if window is None or stride is None:
        begins, owner = [first], np.arange(len(kept))
    else:
        begins = [start + np.arange(0, size - window + 1, stride) for start, size in zip(first, sizes, strict=True)]
        owner = np.repeat(np.arange(len(kept)), [len(each) for each in begins])
        if stride != window:
            tally["steps cut at ends"] += int(sum(max(0, (size - window) % stride) for size in sizes))
    starts = torch.from_numpy(np.concatenate(begins))
    lengths = torch.from_numpy(sizes) if window is None else torch.full((len(starts),), window)
    plain = window is None or stride == window
    values, observed = _stored(kept, int(sizes.sum()), scale)
    names = [piece.name for piece in kept]
    groups = [names[number] for number in owner] if len(set(names)) > 1 and window is not None else None
    labels = [piece.label for piece in kept if piece.label is not None]
    return Sequences(
        values,
        lengths,
        groups=groups,
        starts=None if plain else starts,
        observed=observed,
        labels=torch.from_numpy(np.concatenate(labels)) if labels else None,
    )


def _stored(pieces: Sequence[Piece], steps: int, scale: Standardisation) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Standardised steps of all pieces [steps, D] as float32, 0 where nothing was observed, and where something was."""
    mean, std = scale.mean.numpy(), scale.std.numpy()
    values = torch.empty(steps, len(mean))
    observed = None
    row = 0
    for steps_of_one in _blocks(pieces):
        block = torch.from_numpy((steps_of_one - mean) / std).float()
        missing = block.isnan()
        if bool(missing.any()):
            if observed is None:
                observed = torch.ones(values.shape, dtype=torch.bool)
            observed[row : row + len(block)] = ~missing
            block[missing] = 0.0
        values[row : row + len(block)] = block
        row += len(block)
    return values, observed
