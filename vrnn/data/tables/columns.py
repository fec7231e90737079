"""Which columns of a table count, and their values as numbers; what is none is named by file, column and row."""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from vrnn.data.sources.files import data_folder, printable, shown
from vrnn.data.tables.reading import Format, Table, find_files, read_tables

if TYPE_CHECKING:
    import pandas as pd

Array = NDArray[np.float64]

PEEKED = 1000  # rows that tell which columns are numeric
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d+,\d+\s*")
UNNAMED = "Unnamed: "


def peek(root: str | None, not_values: Sequence[str | None], form: Format) -> list[str] | None:
    """The numeric columns of the data's first table; None where that cannot be told, which reading then says why.

    Args:
      root: a file or a folder; None: `data` in the working directory.
      not_values: columns that hold something else, such as an id.
      form: how text is written.
    """
    if any(text is not None and len(text) != 1 for text in form):
        return None
    try:
        path = find_files(data_folder(root))[0]
        stamp = os.stat(path)
        names = _peek(path, stamp.st_mtime_ns, stamp.st_size, form)
    except (OSError, ValueError, ImportError):
        return None
    return [name for name in names if name not in not_values] or None


@functools.lru_cache(maxsize=16)  # a config asks for it again and again
def _peek(path: Path, changed: int, size: int, form: Format) -> tuple[str, ...]:
    return tuple(numeric(read_tables(path, path, form, PEEKED)[0].frame))


def numeric(frame: pd.DataFrame) -> list[str]:
    """The columns of numbers that have a name."""
    from pandas.api.types import is_numeric_dtype

    kinds = {str(name): frame[name].dtype for name in frame}
    return [
        name
        for name, kind in kinds.items()
        if is_numeric_dtype(kind) and getattr(kind, "kind", "f") != "c" and not name.startswith(UNNAMED)
    ]


def require_columns(table: Table, wanted: Sequence[str | None], key: str) -> None:
    """Raises ValueError unless a table has the columns that an argument `key` names."""
    names = [str(name) for name in table.frame]
    for name in wanted:
        if name is not None and name not in names:
            known = printable(", ".join(names[:12])) + ", ..." * (len(names) > 12)
            raise ValueError(
                f"{key} names {printable(name)!r}, which {shown(table.path)} does not have; it has {known}"
            )


def values_of(table: Table, columns: Sequence[str], form: Format) -> Array:
    """The columns of a table as numbers [T, D], NaN where nothing was observed.

    Raises:
      ValueError: a value is text, infinite, or beyond float32.
    """
    values = np.empty((len(table.frame), len(columns)), np.float64)
    for number, name in enumerate(columns):
        values[:, number] = _numbers(table, name, form)
    beyond = np.abs(values) > np.finfo(np.float32).max  # NaN is not
    if beyond.any():
        row, column = np.argwhere(beyond)[0]
        raise ValueError(
            f"{place(table, columns[column], row)} is {values[row, column]:g}: expected a finite number of at most "
            "3e38, or nothing where nothing was observed"
        )
    return values


def place(table: Table, column: str, row: int) -> str:
    """Where a value stands: rows are counted from 1, below the header."""
    return f"{shown(table.path)}: {_inside(table)}column {printable(column)!r}, row {row + 1}"


def _inside(table: Table) -> str:
    """Which array of its file a table is."""
    own = table.name.partition(f"{table.path.name}/")[2]
    return f"array {printable(own)!r}, " if own else ""


def _numbers(table: Table, name: str, form: Format) -> Array:
    import pandas as pd
    from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype

    column = table.frame[name]
    if is_numeric_dtype(column.dtype) and getattr(column.dtype, "kind", "f") != "c":
        return column.to_numpy(np.float64, na_value=np.nan)
    if is_datetime64_any_dtype(column.dtype):
        raise ValueError(f"{shown(table.path)}: column {printable(name)!r} holds times: give it as time={name}")
    found = pd.to_numeric(column, errors="coerce")
    wrong = np.flatnonzero(found.isna().to_numpy() & column.notna().to_numpy())
    if not len(wrong):
        return found.to_numpy(np.float64, na_value=np.nan)
    text = str(column.iloc[wrong[0]])
    advice = "leave the column out, or correct it"
    if DECIMAL_COMMA.fullmatch(text) and form.decimal != ",":
        advice = "with a comma in numbers, give decimal=','"
    raise ValueError(f"{place(table, name, int(wrong[0]))} is {printable(text)[:40]!r}: expected a number; {advice}")


def times_of(table: Table, name: str) -> Array:
    """A column of times as numbers [T], in seconds where it holds dates.

    Raises:
      ValueError: one is missing, or neither a number nor a date as ISO 8601 writes it.
    """
    import pandas as pd
    from pandas.api.types import is_datetime64_any_dtype

    column = table.frame[name]
    is_date = is_datetime64_any_dtype(column.dtype)
    numbers = None if is_date else pd.to_numeric(column, errors="coerce").to_numpy(np.float64, na_value=np.nan)
    if numbers is not None and np.isfinite(numbers).sum() * 2 > len(numbers):
        found, wrong = numbers, ~np.isfinite(numbers)
    else:
        form = None if is_date else "ISO8601"
        parsed = pd.to_datetime(column, errors="coerce", format=form, utc=True).dt.tz_localize(None)
        wrong = parsed.isna().to_numpy()
        nanoseconds = parsed.to_numpy("datetime64[ns]").astype(np.int64)
        found = (nanoseconds - nanoseconds.min(initial=0, where=~wrong)) / 1e9
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        value = "nothing" if pd.isna(column.iloc[row]) else repr(printable(str(column.iloc[row]))[:40])
        raise ValueError(
            f"{place(table, name, row)} is {value}: expected a time, as a number or as a date like 2024-01-31 13:00"
        )
    return found


def words_of(table: Table, name: str) -> NDArray[np.str_]:
    """A column of names [T], such as ids.

    Raises:
      ValueError: one is missing.
    """
    column = table.frame[name]
    missing = column.isna().to_numpy()
    if missing.any():
        raise ValueError(f"{place(table, name, int(np.flatnonzero(missing)[0]))} is nothing: expected a name")
    return column.astype(str).to_numpy(np.str_)


def labels_of(table: Table, name: str) -> NDArray[np.uint8]:
    """A column of 0 and 1 [T].

    Raises:
      ValueError: one is something else.
    """
    found = _numbers(table, name, Format())
    wrong = (found != 0) & (found != 1)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise ValueError(f"{place(table, name, row)} is {found[row]:g}: expected 0, or 1 for a step that is an anomaly")
    return found.astype(np.uint8)
