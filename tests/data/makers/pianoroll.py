"""Short pieces in the file of the JSB chorales."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.io import savemat

COUNTS = {"train": 7, "valid": 3, "test": 3}


def rolls(part: str, seed: int = 0) -> list[np.ndarray]:
    """Pieces [T, 88] of 3 to 8 steps, no two alike."""
    generator = np.random.default_rng([seed, *part.encode()])
    return [(generator.random((3 + i % 6, 88)) < 0.1).astype(np.uint8) for i in range(COUNTS[part])]


def write_mat(path: Path, parts: dict[str, list[np.ndarray]]) -> None:
    """Writes cell arrays of pieces, as the corpora are distributed."""
    cells = {}
    for part, pieces in parts.items():
        cells[f"{part}data"] = np.empty((1, len(pieces)), object)
        for i, piece in enumerate(pieces):
            cells[f"{part}data"][0, i] = piece
    savemat(path, cells, do_compression=True)


def make(root: Path) -> None:
    (root / "music").mkdir()
    write_mat(root / "music" / "JSB_Chorales.mat", {part: rolls(part) for part in COUNTS})
