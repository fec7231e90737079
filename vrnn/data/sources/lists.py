"""List files: one name a line, however an editor or a system has stored them."""

from __future__ import annotations

import codecs
import os
import unicodedata
from pathlib import Path

from vrnn.data.sources.files import printable, shown

MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


def read_list(path: Path) -> list[str]:
    """The lines of a text file without blank ones and without blanks around them, in order.

    The text is UTF-8, or UTF-16 with a byte order mark, which is left out; what is no UTF-8 is taken for Latin-1. Lines
    end as on any system.

    Raises:
      ValueError: it is no text.
    """
    content = path.read_bytes()
    mark = next((mark for mark in MARKS if content.startswith(mark)), b"")
    try:
        text = content.removeprefix(mark).decode(MARKS.get(mark, "utf-8"))
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    if "\0" in text:
        raise ValueError(f"{shown(path)} is no text file: it holds bytes of 0")
    lines = text.replace("\r", "\n").split("\n")  # not splitlines, which splits at letters of Latin-1
    return [line.strip() for line in lines if line.strip()]


def find_below(folder: Path, entry: str) -> Path:
    """The path of what an entry of a list names, a path below the folder; in the spelling in which it is there, if any.

    A list may be of another system than the files: with backslashes, in another normal form of Unicode, or with names
    that are no UTF-8 on disk.

    Raises:
      ValueError: the entry leads out of the folder; the message begins with the entry.
    """
    slashes = entry.replace("\\", "/")
    latin = [os.fsdecode(entry.encode("latin-1"))] if all(letter < "\u0100" for letter in entry) else []
    forms = [unicodedata.normalize(form, entry) for form in ("NFC", "NFD")]
    for spelling in (entry, slashes, *latin, *forms):
        path = Path(os.path.normpath(folder.absolute() / spelling))
        if not path.is_relative_to(os.path.normpath(folder.absolute())):
            raise ValueError(f"{printable(entry)} leads out of {shown(folder)}: expected a path below it")
        if path.exists():
            return path
    return folder.absolute() / entry
