"""No pictures, for data that nobody needs to look at, or runs that should be short."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np


class NoFigures:
    """Draws nothing."""

    draws_nothing = True

    def draw(
        self, rows: Mapping[str, Sequence[np.ndarray]], path: str | Path, *, title: str, prefix: int | None = None
    ) -> list[Path]:
        """Writes no file; the arguments are those of every figure, see `vrnn.figures`."""
        return []
