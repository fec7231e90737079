"""Text from files as it may be shown: what would move a cursor, change colours or turn a line round is spelled."""

from __future__ import annotations

import unicodedata

CONTROLS = ("Cc", "Cs", "Zl", "Zp")  # categories of Unicode: control characters, lone surrogates, separators of lines
TURNING = (
    "LRE",
    "RLE",
    "LRO",
    "RLO",
    "PDF",
    "LRI",
    "RLI",
    "FSI",
    "PDI",
)  # bidirectional classes that embed or override


def plain(text: str) -> str:
    r"""One line without control characters: each is spelled, as \x1b."""
    return "".join(_spelled(sign) if _controls(sign) else sign for sign in text)


def plain_lines(text: str) -> str:
    """The same for several lines."""
    return "\n".join(map(plain, text.split("\n")))


def _controls(sign: str) -> bool:
    return unicodedata.category(sign) in CONTROLS or unicodedata.bidirectional(sign) in TURNING


def _spelled(sign: str) -> str:
    return sign.encode("unicode_escape").decode("ascii")
