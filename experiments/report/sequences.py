"""The bound of every test sequence of a run, read back from its test_sequences.npz."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np

from experiments.disk.reading import reason, require_own_file
from experiments.errors import UserError
from experiments.text import plain

MOST_BYTES = 2**28  # of all arrays together
KINDS = {"bounds": "f", "lengths": "iu", "kl_by_step": "f"}  # of numbers, by the name of the array


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
    """The arrays, by name: bounds [N], lengths [N] and kl_by_step [T], each where it is there; none without a file.

    Raises:
      UserError: the file is damaged, stores pickled objects, or its arrays do not fit each other.
    """
    if not os.path.lexists(file):
        return {}
    try:
        with open_arrays(file) as archive:
            found = {name: archive[name] for name in archive.files if name in KINDS}
        for name, array in found.items():
            if array.ndim != 1 or array.dtype.kind not in KINDS[name] or not np.isfinite(array).all():
                raise ValueError(f"{name}: expected a row of finite numbers, got {array.dtype} {array.shape}")
        _require_fitting(found)
    except Exception as error:  # a damaged archive fails in zipfile, zlib or numpy, each in its own way
        raise UserError(
            f"{plain(str(file))}: these are not the bounds of a run's test sequences ({reason(error)}); put the run's "
            "own file back, or take it away to do without them"
        ) from error
    return found


def _require_fitting(found: dict[str, np.ndarray]) -> None:
    """Raises ValueError unless there is a length for each bound, and no KL of steps that no sequence has."""
    lengths = found.get("lengths")
    if lengths is None:
        return
    if len(lengths) != len(found.get("bounds", lengths)) or not (lengths > 0).all():
        raise ValueError("lengths: expected a positive number for each bound")
    if len(found.get("kl_by_step", ())) > lengths.max(initial=0):
        raise ValueError("kl_by_step: holds steps that no sequence has")
