"""Values too large for memory: written once to a file and mapped from it, so that a batch reads its own pages only."""

from __future__ import annotations

import hashlib
import math
import shutil
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from vrnn.data.clips import Array
from vrnn.data.splits import Standardisation


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

    def stored(
        self, shape: tuple[int, int], description: str, fill: Callable[[Array], Standardisation]
    ) -> tuple[Array, Standardisation]:
        """Values in a memory-mapped file, filled at the first call with this description, found again at later ones.

        They are filled elsewhere in the cache and renamed into place, so that a failure leaves nothing behind and jobs
        that start at the same time never read half a file.

        Args:
          shape: of the values, float32.
          description: all that the values depend on.
          fill: writes the values, and returns how they were standardised.

        Raises:
          ValueError: the cache has not the space, or cannot be written to.
        """
        cache = Path(self.cache).expanduser()
        folder = cache / hashlib.sha256(description.encode()).hexdigest()[:16]
        if not folder.is_dir():
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
                values = np.lib.format.open_memmap(part / "values.npy", "w+", np.float32, shape)
                standardisation = fill(values)
                values.flush()
                np.save(part / "standardisation.npy", torch.stack([standardisation.mean, standardisation.std]).numpy())
                try:
                    part.rename(folder)
                except OSError:
                    if not folder.is_dir():  # else another job was faster, and wrote the same
                        raise
        mean, std = torch.from_numpy(np.load(folder / "standardisation.npy"))
        # "c": a write would go to a copy in memory; nothing writes, but torch takes no read-only array in silence.
        return np.load(folder / "values.npy", mmap_mode="c"), Standardisation(mean, std)


def _gigabytes(shape: tuple[int, int]) -> float:
    return 4 * math.prod(shape) / 2**30
