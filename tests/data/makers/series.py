"""Two CSV files of three sensors, a fifth of whose values is missing in one stretch."""

from __future__ import annotations

from pathlib import Path

import numpy as np

OVERRIDES = ("data.window=12", "data.valid_fraction=0.2", "data.test_fraction=0.2")


def make(root: Path) -> None:
    for number in range(2):
        x = np.random.default_rng(number).standard_normal((120, 3)).cumsum(0) + 5.0
        rows = [[f"{value:.4f}" for value in row] for row in x]
        for row in rows[20:24] if number else ():
            row[1] = ""
        lines = ["a,b [kPa],c", *(",".join(row) for row in rows)]
        (root / f"plant{number}.csv").write_text("\n".join(lines) + "\n")
