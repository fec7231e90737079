"""What a run keeps of its test sequences in test_sequences.npz: bounds, lengths, and which of them belong together."""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path
from typing import NamedTuple

import numpy as np

from experiments.disk.reading import reason, require_own_file
from experiments.errors import UserError
from experiments.text import counted, plain

MOST_BYTES = 2**28  # of all arrays together
BY_STEP = ("kl_by_step", "ess_by_step")
KINDS = {"bounds": "f", "lengths": "iu", **dict.fromkeys(BY_STEP, "f")}  # of numbers, by the name of the array
WORD = re.compile("[a-z]{1,20}")  # for instance "speaker"; shown in reports


def open_arrays(file: Path) -> np.lib.npyio.NpzFile:
    """The run's own test_sequences.npz, which holds no pickled objects and no more than memory should.

    Raises:
      Exception: of many kinds, where it is damaged or something else.
    """
    require_own_file(file, MOST_BYTES)
    with zipfile.ZipFile(file) as archive:  # numpy would take whatever else it is for a pickle
        if (size := sum(member.file_size for member in archive.infolist())) > MOST_BYTES:
            raise ValueError(f"{size:,} bytes, expected at most {MOST_BYTES:,}")
    return np.load(file, allow_pickle=False)


def read_sequences(file: Path) -> dict[str, np.ndarray]:
    """The arrays, by name: bounds [N], lengths [N], kl_by_step [T], ess_by_step [T], each where it is there.

    Without a file there are none.

    Raises:
      UserError: the file is damaged, stores pickled objects, or its arrays do not fit each other.
    """
    if not os.path.lexists(file):
        return {}
    try:
        with open_arrays(file) as archive:
            arrays = {name: archive[name] for name in archive.files if name in KINDS}
        for name, array in arrays.items():
            if array.ndim != 1 or array.dtype.kind not in KINDS[name] or not np.isfinite(array).all():
                raise ValueError(f"{name}: expected a row of finite numbers, got {array.dtype} {array.shape}")
        lengths = arrays.get("lengths", np.ones(0))
        if "lengths" in arrays and (len(lengths) != len(arrays.get("bounds", lengths)) or not (lengths > 0).all()):
            raise ValueError("lengths: expected a positive number for each bound")
        for name in BY_STEP:
            if "lengths" in arrays and len(arrays.get(name, ())) > lengths.max(initial=0):
                raise ValueError(f"{name}: holds steps that no sequence has")
    except Exception as error:  # a damaged archive fails in zipfile, zlib or numpy, each in its own way
        raise UserError(
            f"{plain(str(file))}: these are not the bounds of a run's test sequences ({reason(error)}); put the run's "
            "own file back, or take it away to do without them"
        ) from error
    return arrays


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

    def __str__(self) -> str:
        return counted(self.size, self.word or "sequence")


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
