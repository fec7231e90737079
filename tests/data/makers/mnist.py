"""Twelve and three random images in the files of MNIST."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from tests.data.conftest import write_idx

OVERRIDES = ("data.valid_size=5", "data.verify=false")  # these are no published images


def make(root: Path) -> None:
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for part, number in (("train", 12), ("t10k", 3)):
        images = np.random.default_rng(number).integers(0, 256, (number, 28, 28), dtype=np.uint8)
        write_idx(raw / f"{part}-images-idx3-ubyte", images)
        write_idx(raw / f"{part}-labels-idx1-ubyte", images[:, 0, 0])
