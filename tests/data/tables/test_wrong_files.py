"""Files that are no good: each ends in one line that names it, says where it is wrong, and what was expected."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import pytest

from tests.data.tables.reader import read

GOOD = "".join(f"{n},{n % 7},{(n * n) % 11}\n" for n in range(40))
TABLE = "t,a,b\n" + GOOD


def npy(array: Any) -> bytes:
    """The content of an NPY file."""
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npz(**arrays: Any) -> bytes:
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def parquet() -> bytes:
    pytest.importorskip("pyarrow")
    return pd.DataFrame({"a": np.arange(50.0)}).to_parquet()


def line(number: int, text: str) -> str:
    """The good table with its row `number` replaced."""
    rows = TABLE.split("\n")
    rows[number] = text
    return "\n".join(rows)


class Case(NamedTuple):
    """A file, the keys that it is read with, and what the message says."""

    name: str
    content: str | bytes | Callable[[], bytes]
    says: str
    keys: dict[str, Any] = {}  # noqa: RUF012  never written to


NOISE = np.random.default_rng(0).standard_normal((30, 2))
SEVERAL = "id,a\n" + "".join(f"s{n // 10},{n % 7}\n" for n in range(40))
CASES = {
    "empty": Case("x.csv", "", "x.csv is empty: expected a line of column names"),
    "only blanks": Case("x.csv", "\n\n  \n", "is empty"),
    "header only": Case("x.csv", "a,b\n", "no row below its header|columns must name at least one"),
    "one row": Case("x.csv", "a,b\n1,2\n", "leaves (train|valid) no sequence of two steps"),
    "two rows": Case("x.csv", "a,b\n1,2\n3,4\n", "leaves (train|valid) no sequence of two steps"),
    "no header": Case("x.csv", GOOD, "its first line holds numbers .0, 0, 0.: expected the names of the columns"),
    "duplicated headers": Case("x.csv", "a,a\n" + "1,2\n" * 9, "two columns are called 'a'"),
    "binary": Case("x.csv", bytes(range(256)) * 3, "is no text table: it holds bytes of 0"),
    "spreadsheet called csv": Case("x.csv", b"PK\x03\x04\x14\0\6\0" + b"\0" * 99, "is no text table"),
    "utf-16 without a mark": Case("x.csv", TABLE.encode("utf-16-le"), "is no text table: it holds bytes of 0"),
    "half of a utf-16 letter": Case("x.csv", b"\xff\xfe" + TABLE.encode("utf-16-le") + b"1", "x.csv is no utf-16 text"),
    "web page": Case("x.csv", "<!DOCTYPE html>\n<html><body>404</body></html>\n", "is HTML or JSON"),
    "json": Case("x.csv", '{"a": [1, 2, 3]}\n{"a": [1]}\n', "is HTML or JSON"),
    "only text": Case("x.csv", "a,b\n" + "u,v\n" * 9, "columns must name at least one.*has none that holds numbers"),
    "text in numbers": Case(
        "x.csv", line(17, "16,n/k,3"), "column 'a', row 17 is 'n/k': expected a number", {"columns": ["a", "b"]}
    ),
    "decimal commas": Case(
        "x.csv",
        "a;b\n" + "".join(f"{n % 7},5;{n}\n" for n in range(30)),
        "column 'a', row 1 is '0,5': expected a number; with a comma in numbers, give decimal=','",
        {"columns": ["a", "b"]},
    ),
    "thousands": Case("x.csv", line(3, '2,"1,234.5",3'), "column 'a', row 3 is '1,234.5'", {"columns": ["a", "b"]}),
    "a unit": Case("x.csv", line(4, "3,5 kPa,3"), "column 'a', row 4 is '5 kPa'", {"columns": ["a", "b"]}),
    "a row too long": Case("x.csv", line(20, "1,2,3,4,5"), "x.csv is no table with the separator ','"),
    "an open quote": Case("x.csv", line(39, '38,"3,5'), "x.csv is no table with the separator ','|is '"),
    "another separator": Case(
        "x.csv", TABLE, "has none that holds numbers|names 'a', which", {"separator": ";", "columns": ["a"]}
    ),
    "infinite": Case("x.csv", line(9, "8,inf,1"), "column 'a', row 9 is inf: expected a finite number"),
    "minus infinite": Case("x.csv", line(9, "8,-Infinity,1"), "column 'a', row 9 is -inf"),
    "beyond float32": Case("x.csv", line(9, "8,1e39,1"), "column 'a', row 9 is 1e.39"),
    "an empty column": Case(
        "x.csv", "a,b\n" + "".join(f"{n % 7},\n" for n in range(30)), "'b', of which train holds no"
    ),
    "a column empty in train": Case(
        "x.csv",
        "a,b\n" + "".join(f"{n % 7},{n if n > 26 else ''}\n" for n in range(30)),
        "'b', of which train holds no",
    ),
    "a constant column": Case(
        "x.csv", "a,b\n" + "".join(f"{n % 7},21.5\n" for n in range(30)), "'b', which is 21.5 everywhere in train"
    ),
    "duplicate times": Case(
        "x.csv", line(8, "6,1,1"), "column 't', row 8: two steps have the same time", {"time": "t"}
    ),
    "time going back": Case(
        "x.csv", TABLE + GOOD, "row 41: two steps have the same time .0.; if they are of different", {"time": "t"}
    ),
    "a missing time": Case("x.csv", line(8, ",1,1"), "column 't', row 8 is nothing: expected a time", {"time": "t"}),
    "an infinite time": Case("x.csv", line(8, "inf,1,1"), "column 't', row 8 is", {"time": "t"}),
    "a time in words": Case(
        "x.csv", line(8, "noon,1,1"), "column 't', row 8 is 'noon'", {"time": "t", "columns": ["a"]}
    ),
    "a day first": Case(
        "x.csv",
        "t,a\n" + "".join(f"{n + 1:02d}.03.2024,{n % 7}\n" for n in range(28)),
        "row 1 is '01.03.2024': expected a time, as a number or as a date like 2024",
        {"time": "t"},
    ),
    "no such time": Case(
        "x.csv", TABLE, "time names 'when', which .*x.csv does not have; it has t, a, b", {"time": "when"}
    ),
    "no such id": Case("x.csv", TABLE, "id names 'run', which", {"id": "run"}),
    "no such column": Case("x.csv", TABLE, "columns names 'c', which", {"columns": ["a", "c"]}),
    "a column twice": Case("x.csv", TABLE, "columns must name a column once, and 'a'", {"columns": ["a", "a"]}),
    "the time as a value": Case(
        "x.csv", TABLE, "must not name 't', which is the time", {"columns": ["t"], "time": "t"}
    ),
    "a missing id": Case("x.csv", SEVERAL + ",1\n", "column 'id', row 41 is nothing: expected a name", {"id": "id"}),
    "too few sequences": Case("x.csv", TABLE, "needs at least 3 sequences, and there is 1", {"split": "by_sequence"}),
    "no word of a part": Case(
        "x.csv", "split,a\n" + "dev,1\ntrain,2\n" * 9, "holds 'dev': expected train", {"split": "column"}
    ),
    "a part without steps": Case(
        "x.csv", "split,a\n" + "train,1\ntrain,2\n" * 9, "leaves valid no sequence", {"split": "column"}
    ),
    "no list": Case(
        "x.csv", SEVERAL, "train.txt, which lists.train names, is not there", {"id": "id", "split": "lists"}
    ),
    "a label of 2": Case("x.csv", line(5, "4,1,2"), "column 'b', row .* is .*: expected 0, or 1", {"label": "b"}),
    "short for a window": Case("x.csv", TABLE, "window is 500, and no sequence of train has so many", {"window": 500}),
    "a window of 1": Case("x.csv", TABLE, "window must be at least 2", {"window": 1}),
    "stride 0": Case("x.csv", TABLE, "stride must be at least 1", {"window": 4, "stride": 0}),
    "stride without a window": Case("x.csv", TABLE, "stride needs a window", {"stride": 2}),
    "shares of more than all": Case(
        "x.csv", TABLE, "leave nothing to train on", {"valid_fraction": 0.6, "test_fraction": 0.5}
    ),
    "a share of 0": Case("x.csv", TABLE, "test_fraction must be between 0 and 1", {"test_fraction": 0.0}),
    "a separator of two": Case("x.csv", TABLE, "separator must be one character", {"separator": "::"}),
    "a spreadsheet": Case("x.xlsx", b"PK\3\4", "has the suffix '.xlsx': expected csv, tsv, txt, parquet, npz or npy"),
    "no suffix": Case("data", TABLE, "has the suffix ''"),
    "truncated parquet": Case("x.parquet", lambda: parquet()[:-200], "x.parquet is no whole Parquet file"),
    "csv called parquet": Case("x.parquet", TABLE, "is no whole Parquet file"),
    "empty parquet": Case("x.parquet", b"", "is no whole Parquet file"),
    "csv called npz": Case("x.npz", TABLE, "is no whole NPZ file: it is no zip archive"),
    "truncated npz": Case("x.npz", lambda: npz(a=NOISE)[:-60], "is no whole NPZ file"),
    "an npz of objects": Case("x.npz", lambda: npz(a=np.array([{}, 1], object)), "holds Python objects"),
    "an npy of objects": Case("x.npy", lambda: npy(np.array([{}, 1], object)), "holds Python objects"),
    "truncated npy": Case("x.npy", lambda: npy(NOISE)[:-60], "is no whole NPY file"),
    "csv called npy": Case("x.npy", TABLE, "is no whole NPY file"),
    "an npy of words": Case("x.npy", lambda: npy(np.array(["a", "b"])), "is of the type <U1: expected real numbers"),
    "complex numbers": Case("x.npy", lambda: npy(NOISE + 1j), "is of the type complex128: expected real numbers"),
    "four axes": Case("x.npy", lambda: npy(np.zeros((2, 3, 4, 5))), r"has the shape \[2, 3, 4, 5\]: expected \[T, D\]"),
    "arrays of other widths": Case(
        "x.npz", lambda: npz(a=NOISE, b=NOISE[:, :1]), "columns names 'x1', which .*x.npz does not have; it has x0"
    ),
    "wrong names of columns": Case(
        "x.npz", lambda: npz(a=NOISE, columns=["u"]), "has 2 columns, and 'columns' names 1"
    ),
    "an npz of nothing": Case("x.npz", lambda: npz(columns=["u"]), "x.npz holds no array"),
    "nan everywhere": Case("x.npy", lambda: npy(NOISE * np.nan), "'x0', of which train holds no value"),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_a_wrong_file_ends_in_one_line(case: Case, tmp_path: Path):
    content = case.content() if callable(case.content) else case.content
    path = tmp_path / case.name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises((ValueError, OSError), match=case.says) as caught:
        read(path, **case.keys)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 500


def test_there_are_at_least_40_kinds():
    assert len(CASES) >= 40


def test_what_is_no_file_is_named(tmp_path: Path):
    with pytest.raises(FileNotFoundError, match=r"absent.csv, which is not there: give root="):
        read(tmp_path / "absent.csv")
    with pytest.raises(FileNotFoundError, match=r"no csv, tsv, txt, parquet, npz or npy file in .*; give root="):
        read(tmp_path)
    (tmp_path / "gone.csv").symlink_to(tmp_path / "nowhere.csv")
    with pytest.raises(FileNotFoundError, match=r"gone.csv, which is a link to .*nowhere.csv, which is not there"):
        read(tmp_path / "gone.csv")


def test_files_of_other_columns_in_a_folder_are_named(tmp_path: Path):
    (tmp_path / "a.csv").write_text(TABLE)
    (tmp_path / "b.csv").write_text(TABLE.replace("t,a,b", "t,a,c"))
    with pytest.raises(ValueError, match=r"columns names 'b', which .*b.csv does not have; it has t, a, c"):
        read(tmp_path)


def test_lists_name_sequences_that_are_there_once(tmp_path: Path):
    (tmp_path / "x.csv").write_text(SEVERAL)
    for part, names in {"train": "s0\ns1\n", "valid": "s2\n", "test": "s9\n"}.items():
        (tmp_path / f"{part}.txt").write_text(names)
    keys = {"id": "id", "split": "lists"}
    with pytest.raises(ValueError, match=r"lists.test names 's9', and the sequences are s0, s1, s2, s3"):
        read(tmp_path / "x.csv", **keys)
    (tmp_path / "test.txt").write_text("s0\n")
    with pytest.raises(ValueError, match=r"lists must not name a sequence twice: 's0' is in train and test"):
        read(tmp_path / "x.csv", **keys)
    (tmp_path / "test.txt").write_text("s3\n")
    assert [len(part) for part in read(tmp_path / "x.csv", **keys).parts.values()] == [2, 1, 1]
