"""Small files of pen strokes in the layouts of the real ones, made here."""

from __future__ import annotations

from pathlib import Path

import numpy as np

PARTS = {"train": 12, "valid": 5, "test": 3}


def drawn_steps(steps: int, seed: int) -> np.ndarray:
    """Integer steps (dx, dy down, pen-up) [T, 3] as sketch-rnn stores them: first (0, 0, 0), the pen up at the end."""
    rng = np.random.default_rng(seed)
    drawing = np.column_stack([rng.integers(-60, 61, (steps, 2)), rng.random(steps) < 0.2]).astype(np.int16)
    drawing[0], drawing[-1, 2] = 0, 1
    return drawing


def drawings(part: str) -> list[np.ndarray]:
    """The drawings [T, 3] of a part, of 4 to 11 steps each."""
    return [drawn_steps(4 + number % 8, seed=100 * PARTS[part] + number) for number in range(PARTS[part])]


def write_packed(path: Path) -> None:
    """Writes drawings as plain arrays, end to end."""
    arrays = {}
    for part in PARTS:
        arrays[f"{part}_strokes"] = np.concatenate(drawings(part))
        arrays[f"{part}_offsets"] = np.cumsum([0, *map(len, drawings(part))])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
