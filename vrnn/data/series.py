"""Any multivariate series in files: a column for each dimension, a row for each step."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

from vrnn.data.marks import Corpus
from vrnn.data.sources.files import data_folder, listed, printable, shown
from vrnn.data.sources.lists import find_below, read_list
from vrnn.data.splits import Splits
from vrnn.data.tables import windows
from vrnn.data.tables.pieces import Roles, joined
from vrnn.data.tables.reading import Format, find_files, read_tables

LISTS = {part: f"{part}.txt" for part in windows.PARTS}
ONE_SERIES = "the windows are of one series, so they are not independent and ± is too small"


def series(
    x_dim: int,
    columns: list[str] | None = None,
    root: Corpus = None,
    id: str | None = None,
    time: str | None = None,
    label: str | None = None,
    window: int | None = 100,
    stride: int | None = None,
    split: Literal["by_time", "by_sequence", "column", "lists", "none"] = "by_time",
    split_column: str = "split",
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    lists: dict[str, str] = LISTS,
    separator: str | None = None,
    decimal: str = ".",
    seed: int = 0,
) -> Splits:
    """Columns of CSV, Parquet, NPZ or NPY files as sequences; NaN, or nothing in a field, is what was not observed.

    Every column is standardised by its mean and standard deviation in train. Windows share the steps that they are cut
    from; those of valid and test never overlap.

    Args:
      x_dim: D, the number of columns.
      columns: their names; None: they could not be told, and why is said here.
      root: a file, or a folder of them; None: `data` in the working directory.
      id: the column that names the sequence a row belongs to; None: each file (or array) is one.
      time: the column that rows are sorted by, of numbers or ISO dates; None: they are in order.
      label: the column that is 1 where a step is an anomaly, for `score`; None: there is none.
      window: steps of a sequence; None: whole sequences.
      stride: steps from the begin of one window of train to the next; None: `window`.
      split: each sequence cut in time; whole sequences drawn by `seed`; the words of a column; lists of names; or
        `none`, where train, valid and test are all steps each, to be scored and never to be trained on.
      split_column: under split=column, the column that holds train, valid or test.
      valid_fraction: share of valid under by_time and by_sequence.
      test_fraction: share of test under by_time and by_sequence.
      lists: under split=lists, files below root (or beside it) of one sequence's name a line.
      separator: between the fields of a text table; None: the one that its header has most of.
      decimal: the point of a number in a text table.
      seed: draws the split under by_sequence.

    Raises:
      OSError: there is no file to read.
      ValueError: a value is none, named by file, column and row; or an argument does not fit the data.
    """
    path, form = data_folder(root), Format(separator, decimal)
    _require_sizes(window, stride, separator, decimal)
    files = find_files(path)
    folder = path if path.is_dir() else path.parent
    tables = [table for file in files for table in read_tables(file, folder, form)]
    if not columns:
        named = ", ".join(str(name) for name in list(tables[0].frame)[:12])
        raise ValueError(
            f"columns must name at least one: {shown(files[0])} has none that holds numbers beside id, time, label and "
            f"the split's own (it has {printable(named)})"
        )
    _require_roles(columns, {"id": id, "time": time, "label": label}, x_dim)
    tally: Counter[str] = Counter()
    roles = Roles(columns, id, time, label, split_column if split == "column" else None)
    pieces = joined(tables, roles, form, tally)
    fractions = windows.Fractions(valid_fraction, test_fraction)
    if split == "by_sequence":
        parts = windows.by_sequence(pieces, fractions, seed)
    elif split == "by_time":
        parts = windows.by_time(pieces, fractions)
    elif split == "column":
        parts = windows.by_column(pieces, split_column)
    elif split == "lists":
        parts = windows.by_lists(pieces, _read_lists(folder, lists))
    else:
        parts = {part: pieces for part in windows.PARTS}
    for part in windows.PARTS:
        windows.long_enough(part, parts[part], window)
    scale = windows.fit(parts["train"], columns)
    strides = {"train": stride, "valid": None, "test": None}
    counts = {part: Counter[str]() for part in windows.PARTS}
    cut = {part: windows.cut(part, parts[part], window, strides[part], scale, counts[part]) for part in windows.PARTS}
    tally += sum((counts[part] for part in windows.PARTS[: 1 if split == "none" else 3]), Counter())
    steps = sum(len(piece.values) for piece in pieces)
    told = {"files found": len(files), "sequences found": len(pieces), "steps found": steps}
    missing = sum(0 if part.observed is None else int((~part.observed).sum()) for part in cut.values())
    told |= {"values not observed": missing} if missing else {}
    train, valid, test = cut.values()
    return Splits(
        train,
        valid,
        test,
        standardisation=scale,
        caution=ONE_SERIES if len(pieces) == 1 and window is not None else None,
        grouping="sequence",
        files=[listed(file, folder) for file in files],
        tally=told | {key: count for key, count in sorted(tally.items()) if count},
    )


def _require_sizes(window: int | None, stride: int | None, separator: str | None, decimal: str) -> None:
    """Raises ValueError where an argument is out of its range."""
    if window is not None and window < 2:
        raise ValueError(f"window must be at least 2 steps, got {window}")
    if stride is not None and stride < 1:
        raise ValueError(f"stride must be at least 1 step, got {stride}")
    if stride is not None and window is None:
        raise ValueError("stride needs a window: give window=<steps>, or leave stride out")
    for name, text in (("separator", separator), ("decimal", decimal)):
        if text is not None and len(text) != 1:
            raise ValueError(f"{name} must be one character, got {text!r}")


def _require_roles(columns: list[str], others: dict[str, str | None], x_dim: int) -> None:
    """Raises ValueError where a column has two roles, or there are not x_dim of them."""
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise ValueError(f"columns must name a column once, and {printable(twice[0])!r} stands there twice")
    for role, name in others.items():
        if name in columns:
            raise ValueError(f"columns must not name {printable(str(name))!r}, which is the {role}")
    if len(columns) != x_dim:
        raise ValueError(f"x_dim must be the number of columns, {len(columns)}, got {x_dim}: leave it out")


def _read_lists(folder: Path, lists: dict[str, str]) -> dict[str, list[str]]:
    """The names in the list files of train, valid and test."""
    if sorted(lists) != sorted(windows.PARTS):
        raise ValueError(f"lists must name one file each for train, valid and test, got {', '.join(lists)}")
    found = {}
    for part, name in lists.items():
        try:
            path = find_below(folder, name)
        except ValueError as error:
            raise ValueError(f"lists must name files below the folder: {error}") from error
        if not path.is_file():
            raise FileNotFoundError(f"{shown(path)}, which lists.{part} names, is not there: one name a line")
        found[part] = read_list(path)
        if not found[part]:
            raise ValueError(f"lists leaves {part} empty: {shown(path)} names no sequence")
    return found
