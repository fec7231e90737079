"""Values too large for memory: written once to a file and mapped from it, so that a batch reads its own pages only."""

from __future__ import annotations

import hashlib
import json
import math
import os
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from vrnn.data.recordings.clips import Array
from vrnn.data.sources.files import printable, shown
from vrnn.data.standardisation import Standardisation

VALUES, ABOUT = "values.npy", "about.json"  # in the folder of each description


class Filled(NamedTuple):
    """What is known of values that were filled in.

    Attributes:
      standardisation: how raw values became these.
      used: for each clip of each part, whether values come of it.
      tally: what became of the clips, see `vrnn.data.recordings.tally`.
      skipped: a sentence for each clip that is no good.
    """

    standardisation: Standardisation
    used: dict[str, list[bool]]
    tally: dict[str, int]
    skipped: list[str]


class Stored(NamedTuple):
    """Values in a memory-mapped file, what is known of them, and the folder that they lie in."""

    values: Array
    filled: Filled
    folder: Path


class Storage(NamedTuple):
    """Where values lie that are larger than the memory they may take.

    Attributes:
      max_memory_gb: size up to which values are held in memory, in units of 2**30 bytes.
      cache: folder for the larger ones; a sub-folder for each description, to be deleted by hand.
    """

    max_memory_gb: float
    cache: str

    def maps(self, shape: tuple[int, int]) -> bool:
        """Whether float32 values of this shape are too large for memory."""
        return _gigabytes(shape) > self.max_memory_gb

    def stored(self, shape: tuple[int, int], description: str, fill: Callable[[Array], Filled]) -> Stored:
        """Values in a memory-mapped file, filled at the first call with this description, found again at later ones.

        They are filled elsewhere in the cache and renamed into place, so that a failure leaves nothing behind and jobs
        that start at the same time never read half a file. Nothing that was there is ever removed.

        Args:
          shape: of the values, float32.
          description: all that the values depend on.
          fill: writes the values, and returns what else is known of them.

        Raises:
          ValueError: the cache has not the space, cannot be written to, or holds these values, but not whole.
        """
        cache = Path(self.cache).expanduser()
        folder = cache / hashlib.sha256(description.encode()).hexdigest()[:16]
        if not os.path.lexists(folder):
            try:
                cache.mkdir(parents=True, exist_ok=True)
                stage = tempfile.TemporaryDirectory(prefix="unfinished-", dir=cache)
            except OSError as error:
                raise ValueError(f"cache cannot be written to ({error}); give another folder") from error
            free, needed = shutil.disk_usage(cache).free / 2**30, _gigabytes(shape)
            with stage:
                if free < 1.01 * needed:  # a full disk would end the process at a write to the mapped file
                    raise ValueError(f"cache needs {needed:.1f} GB, and {cache.absolute()} has {free:.1f} GB left")
                part = Path(stage.name, folder.name)
                part.mkdir()
                values = np.lib.format.open_memmap(part / VALUES, "w+", np.float32, shape)
                filled = fill(values)
                values.flush()
                _write(part / ABOUT, filled)
                try:
                    part.rename(folder)
                except OSError:
                    if not folder.is_dir():  # else another job was faster, and wrote the same
                        raise
        try:
            # "c": a write would go to a copy in memory; nothing writes, but torch takes no read-only array in silence.
            values = np.load(folder / VALUES, mmap_mode="c", allow_pickle=False)
            if (values.shape, values.dtype) != (shape, np.float32):
                raise ValueError(f"values are {values.dtype} {list(values.shape)}, expected float32 {list(shape)}")
            return Stored(values, _read(folder / ABOUT, shape), folder)
        except Exception as error:  # numpy and json raise many kinds on damaged files
            raise ValueError(
                f"cache holds {shown(folder)}, which is damaged ({printable(str(error))}): take that folder away, and "
                "it is made again"
            ) from error


def _write(path: Path, filled: Filled) -> None:
    scale = filled.standardisation
    about = {"mean": scale.mean.tolist(), "std": scale.std.tolist(), "used": filled.used, "tally": filled.tally}
    about["skipped"] = filled.skipped
    path.write_text(json.dumps(about), encoding="utf-8")


def _read(path: Path, shape: tuple[int, int]) -> Filled:
    about = json.loads(path.read_text(encoding="utf-8"))
    mean, std = (torch.tensor(about[name], dtype=torch.float32) for name in ("mean", "std"))
    if not (mean.shape == std.shape == shape[1:] and bool(mean.isfinite().all() and (std > 0).all())):
        raise ValueError(f"expected a mean and a positive standard deviation of {shape[1]} dimensions")
    used = {str(part): [bool(each) for each in flags] for part, flags in about["used"].items()}
    tally = {str(key): int(value) for key, value in about["tally"].items()}
    return Filled(Standardisation(mean, std), used, tally, [str(sentence) for sentence in about["skipped"]])


def _gigabytes(shape: tuple[int, int]) -> float:
    return 4 * math.prod(shape) / 2**30
