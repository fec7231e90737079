"""Which test sequences of a run belong together, as its test_sequences.npz says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.report.sequences import open_arrays
from experiments.report.significance import MIN_GROUPS

WORD = re.compile("[a-z]{1,20}")  # for instance "speaker"; shown in reports


class Groups(NamedTuple):
    """The groups of N test sequences.

    Attributes:
      size: how many there are.
      word: what they are, such as "speaker"; empty: every sequence is a group of its own, for the data name no others;
        None: that is not known, since the run kept nothing of them.
      numbers: the group of each sequence [N]; None: each is its own.
    """

    size: int
    word: str | None
    numbers: np.ndarray | None = None

    @property
    def are_too_few(self) -> bool:
        """Whether they tell nothing of how much groups differ."""
        return self.size < MIN_GROUPS

    def __str__(self) -> str:
        return counted(self.size, self.word)


def counted(count: int, word: str | None) -> str:
    """6 speakers, 1 section, 512 sequences."""
    return f"{count:,} {word or 'sequence'}" + "s" * (count != 1)


def read_groups(file: Path, num: int) -> Groups:
    """The groups of the `num` sequences in a test_sequences.npz; unknown where it is damaged or says nothing."""
    unknown = Groups(num, None)
    try:
        with open_arrays(file) as arrays:
            word = str(arrays["grouping"][()])
            numbers = arrays.get("groups")
    except Exception:  # older ones have none, and a damaged archive fails in zipfile, zlib or numpy in many ways
        return unknown
    if numbers is None:
        return Groups(num, "") if word == "" else unknown
    if numbers.shape != (num,) or numbers.dtype.kind != "i" or WORD.fullmatch(word) is None:
        return unknown
    return Groups(len(np.unique(numbers)), word, numbers)
