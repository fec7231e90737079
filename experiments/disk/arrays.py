"""Tables of arrays, written block by block: a Parquet file that never holds more than one, or an NPZ file."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from experiments.errors import UserError

FORMATS = ("parquet", "npz")


def find_format(asked: str | None) -> str:
    """The format that was asked for, or Parquet where pyarrow is there and NPZ elsewhere.

    Raises:
      UserError: Parquet was asked for, and pyarrow is not there.
    """
    has_parquet = importlib.util.find_spec("pyarrow") is not None
    if asked == "parquet" and not has_parquet:
        raise UserError("save=parquet: needs pyarrow, pip install pyarrow; or give save=npz")
    return asked or ("parquet" if has_parquet else "npz")


class TableFile:
    """A table that is whole once the `with` block ends, and not there at all where that raises.

    Args:
      path: of the file, without its suffix.
      form: "parquet" or "npz".

    Attributes:
      path: of the file.
    """

    def __init__(self, path: Path, form: str):
        self.path = path.with_name(f"{path.name}.{form}")
        self._temporary = path.with_name(f"{path.name}.{form}.tmp")
        self._blocks: list[dict[str, np.ndarray]] = []
        self._writer: Any = None
        self._is_parquet = form == "parquet"

    def add(self, block: dict[str, np.ndarray]) -> None:
        """Further rows: columns of one length each [n], or [n, width], of which Parquet makes a column each."""
        if not self._is_parquet:
            self._blocks.append(block)
            return
        import pyarrow as pa
        from pyarrow.parquet import ParquetWriter

        flat = {name: values for key, array in block.items() for name, values in _columns(key, array)}
        table = pa.table(flat)
        if self._writer is None:
            self._writer = ParquetWriter(self._temporary, table.schema)
        self._writer.write_table(table)

    def __enter__(self) -> TableFile:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._writer is not None:
            self._writer.close()
        if kind is not None:
            self._temporary.unlink(missing_ok=True)
            return
        if not self._is_parquet:
            names = self._blocks[0] if self._blocks else {}
            arrays: dict[str, Any] = {name: np.concatenate([block[name] for block in self._blocks]) for name in names}
            with self._temporary.open("wb") as file:
                np.savez(file, **arrays)
        self._temporary.replace(self.path)


def _columns(name: str, array: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """{"mean": [n, 2]} -> mean_0, mean_1."""
    if array.ndim == 1:
        return [(name, array)]
    return [(f"{name}_{number}", np.ascontiguousarray(array[:, number])) for number in range(array.shape[1])]
