"""Reads series as a run does: its columns are those that the configs find."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from vrnn.data.series import series
from vrnn.data.splits import Splits
from vrnn.data.tables.columns import peek
from vrnn.data.tables.reading import Format


def read(root: Path, **keys: Any) -> Splits:
    """What data=series makes of the keys."""
    others = [keys.get(name) for name in ("id", "time", "label")]
    others += [keys.get("split_column", "split")] if keys.get("split") == "column" else []
    form = Format(keys.get("separator"), keys.get("decimal", "."))
    columns = keys.pop("columns", None) or peek(str(root), others, form)
    return series(len(columns or [0]), columns, root=str(root), **{"window": None, **keys})
