"""How a text table is written: its encoding, its separator and its header."""

from __future__ import annotations

import codecs
import csv
from pathlib import Path
from typing import NamedTuple

from vrnn.data.sources.files import printable, shown

MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
SEPARATORS = (",", ";", "\t", "|", " ")
HEAD = 2**16  # bytes that are looked at


class Dialect(NamedTuple):
    """How a text table is written.

    Attributes:
      encoding: as Python calls it.
      separator: between the fields of a line.
      names: of the columns, in order; "" where the header has none.
    """

    encoding: str
    separator: str
    names: list[str]


def find_dialect(path: Path, separator: str | None = None) -> Dialect:
    """The dialect of a text table, whose first line must name its columns.

    Args:
      path: of the file.
      separator: between fields; None: the one that occurs most often in the header.

    Raises:
      ValueError: it is no text, is empty, or its first line is no header.
    """
    with path.open("rb") as file:
        head = file.read(HEAD)
    if not head.strip():
        raise ValueError(f"{shown(path)} is empty: expected a line of column names, and a line for each step below it")
    if head.lstrip()[:1] in (b"<", b"{", b"["):
        raise ValueError(
            f"{shown(path)} is HTML or JSON (it begins with {head.lstrip()[:8]!r}): expected a table as text"
        )
    encoding = next((name for mark, name in MARKS.items() if head.startswith(mark)), None)
    if encoding is None and b"\0" in head:
        raise ValueError(f"{shown(path)} is no text table: it holds bytes of 0 (it begins with {head[:8]!r})")
    if encoding is None:
        encoding = "utf-8" if _is_utf8(path) else "latin-1"
    text = head.decode(encoding, "ignore").replace("\r\n", "\n").replace("\r", "\n")
    first = next(line for line in text.split("\n") if line.strip())
    separator = separator or max(SEPARATORS, key=lambda each: first.count(each) - 0.5 * (each == " "))
    names = [name.strip() for name in next(csv.reader([first], delimiter=separator))]
    _require_names(path, names)
    return Dialect(encoding, separator, names)


def _is_utf8(path: Path) -> bool:
    """Whether all of a file is UTF-8."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        with path.open("rb") as file:
            while block := file.read(2**24):
                decoder.decode(block)
            decoder.decode(b"", True)
    except UnicodeDecodeError:
        return False
    return True


def _require_names(path: Path, names: list[str]) -> None:
    """Raises ValueError where the first line is no header."""
    if all(_is_number(name) for name in names):
        raise ValueError(
            f"{shown(path)}: its first line holds numbers ({printable(', '.join(names))[:60]}): expected the names of "
            "the columns"
        )
    given = [name for name in names if name]
    twice = sorted({name for name in given if given.count(name) > 1})
    if twice:
        raise ValueError(f"{shown(path)}: two columns are called {printable(twice[0])!r}: give each a name of its own")


def _is_number(text: str) -> bool:
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True
