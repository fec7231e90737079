"""Tables from CSV, Parquet, NPZ and NPY files, as pandas frames; what cannot be read is named."""

from __future__ import annotations

import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from vrnn.data.sources.files import is_hidden, printable, require_archive, require_file, shown
from vrnn.data.tables.dialect import find_dialect

if TYPE_CHECKING:
    import pandas as pd

TEXT = (".csv", ".tsv", ".txt")
SUFFIXES = (*TEXT, ".parquet", ".npz", ".npy")
KINDS = "csv, tsv, txt, parquet, npz or npy"


class Format(NamedTuple):
    """How text tables are written.

    Attributes:
      separator: between fields; None: found by the header.
      decimal: the point of a number.
    """

    separator: str | None = None
    decimal: str = "."


class Table(NamedTuple):
    """A table of steps in order.

    Attributes:
      name: of what it holds: a path below the data's folder, and for one array among several the array's name.
      path: of the file.
      frame: a row for each step.
    """

    name: str
    path: Path
    frame: pd.DataFrame


def find_files(root: Path) -> list[Path]:
    """The tables at or below a path, in order.

    Raises:
      OSError: there is none, or it cannot be read.
      ValueError: it is a file of another kind.
    """
    if root.is_dir():
        found = (path for path in root.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
        files = sorted(path for path in found if not is_hidden(str(path.relative_to(root))))
        if not files:
            raise FileNotFoundError(f"no {KINDS} file in {shown(root)} or below; give root=<a file or a folder>")
        return files
    require_file("data=series needs", root, f"give root=<a {KINDS} file, or a folder of them>")
    if root.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{shown(root)} has the suffix {printable(root.suffix)!r}: expected {KINDS}")
    return [root]


def read_tables(path: Path, folder: Path, form: Format, rows: int | None = None) -> list[Table]:
    """The tables of a file, one but for an archive of several arrays.

    Args:
      path: of the file.
      folder: that names are below.
      form: how text is written.
      rows: of each that are read, of a text table, at most; None: all.

    Raises:
      ImportError: Parquet cannot be read here.
      OSError: the file cannot be read.
      ValueError: it is damaged, or holds something else.
    """
    require_file("data=series needs", path, f"give root=<a {KINDS} file, or a folder of them>")
    name = path.relative_to(folder).as_posix() if path.is_relative_to(folder) and path != folder else path.name
    suffix = path.suffix.lower()
    if suffix in TEXT:
        return [Table(name, path, _read_text(path, form, rows))]
    if suffix == ".parquet":
        return [Table(name, path, _read_parquet(path))]
    arrays = _read_arrays(path)
    names = arrays.pop("columns", None)
    if not arrays:
        raise ValueError(f"{shown(path)} holds no array: expected one of [T, D] for each sequence")
    tables = []
    for key, array in arrays.items():
        for number, part in enumerate(array if array.ndim == 3 else [array]):
            label = name + (f"/{key}" if len(arrays) > 1 else "") + (f"/{number}" if array.ndim == 3 else "")
            tables.append(Table(label, path, _frame(path, key, part, names)))
    return tables


def _read_text(path: Path, form: Format, rows: int | None) -> pd.DataFrame:
    import pandas as pd

    dialect = find_dialect(path, form.separator)
    names = [name or f"Unnamed: {number}" for number, name in enumerate(dialect.names)]
    try:
        return pd.read_csv(
            path,
            sep=r"\s+" if dialect.separator == " " else dialect.separator,
            decimal=form.decimal,
            encoding=dialect.encoding,
            names=names,
            header=0,
            index_col=False,
            skipinitialspace=True,
            nrows=rows,
            low_memory=False,
        )
    except UnicodeDecodeError as error:
        raise ValueError(
            f"{shown(path)} is no {dialect.encoding} text ({error.reason} at byte {error.start})"
        ) from error
    except (pd.errors.ParserError, pd.errors.EmptyDataError, csv_error(), UnicodeError) as error:
        reason = re.sub(r"^.*C error: ", "", printable(" ".join(str(error).split())))
        raise ValueError(f"{shown(path)} is no table with the separator {dialect.separator!r}: {reason}") from error


def csv_error() -> type[Exception]:
    """The error of Python's own reader of CSV."""
    import csv

    return csv.Error


def _read_parquet(path: Path) -> pd.DataFrame:
    import pandas as pd

    try:
        import pyarrow as pa
    except ImportError as error:
        raise ImportError(f"{shown(path)} needs pyarrow to be read: pip install pyarrow") from error
    try:
        frame = pd.read_parquet(path, engine="pyarrow")
    except (pa.ArrowException, OSError, ValueError) as error:
        reason = printable(" ".join(str(error).split()))[:160]
        raise ValueError(f"{shown(path)} is no whole Parquet file: {reason}") from error
    frame = frame.reset_index() if any(name is not None for name in frame.index.names) else frame
    frame.columns = [str(name) for name in frame.columns]
    return frame


def _read_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of an NPZ or NPY file, never pickled ones."""
    try:
        if path.suffix.lower() == ".npz":
            require_archive(path)
            with np.load(path, allow_pickle=False) as archive:
                return {name: archive[name] for name in archive.files}
        return {path.stem: np.load(path, mmap_mode="r", allow_pickle=False)}
    except (ValueError, OSError, EOFError, zipfile.BadZipFile, zipfile.LargeZipFile) as error:
        reason = printable(" ".join(str(error).split()))[:160]
        if "pickle" in reason.lower() or "Python objects" in reason:
            reason = "it holds Python objects (or is cut short), which are never unpickled: save arrays of numbers"
        raise ValueError(f"{shown(path)} is no whole {path.suffix[1:].upper()} file: {reason}") from error


def _frame(path: Path, key: str, array: np.ndarray, names: np.ndarray | None) -> pd.DataFrame:
    """A frame of an array [T, D] or [T]."""
    import pandas as pd

    where = f"{shown(path)}: the array {printable(key)!r}"
    if array.ndim not in (1, 2):
        raise ValueError(f"{where} has the shape {list(array.shape)}: expected [T, D], or [N, T, D] for N sequences")
    if array.dtype.kind not in "fiub":
        raise ValueError(f"{where} is of the type {array.dtype}: expected real numbers")
    array = array[:, None] if array.ndim == 1 else array
    columns: Any = [f"x{number}" for number in range(array.shape[1])]
    if names is not None:
        columns = [str(name) for name in np.atleast_1d(names)]
        if len(columns) != array.shape[1] or len(set(columns)) < len(columns):
            raise ValueError(f"{where} has {array.shape[1]} columns, and 'columns' names {len(set(columns))}")
    return pd.DataFrame(np.asarray(array), columns=columns)
