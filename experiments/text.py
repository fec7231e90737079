"""Text from files as it may be shown: what would move a cursor, change colours or turn a line round is spelled."""

from __future__ import annotations

import math
import unicodedata
from collections.abc import Iterable, Sequence

CONTROLS = ("Cc", "Cs", "Zl", "Zp")  # categories of Unicode: control characters, lone surrogates, separators of lines
# Bidirectional classes that embed or override.
TURNING = ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


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


def as_number(text: str) -> int | float | None:
    """A value as a number; None where it is a word, or not finite."""
    for kind in (int, float):
        try:
            number = kind(text)
        except ValueError:
            continue
        return number if math.isfinite(number) else None
    return None


def are_numbers(texts: Iterable[str | None]) -> bool:
    """Whether all values are numbers, those left aside that are not there."""
    return all(as_number(text) is not None for text in texts if text is not None)


def tidy(text: str) -> str:
    """A value as people write it: four digits of those that a search has drawn."""
    number = as_number(text)
    return f"{number:.4g}" if isinstance(number, float) and len(text) > 7 else text


def short_names(keys: Sequence[str]) -> dict[str, str]:
    """The last part of each key, where no other key ends in the same."""
    last = [key.rpartition(".")[2] for key in keys]
    return {key: name if last.count(name) == 1 else key for key, name in zip(keys, last, strict=True)}


def duration(seconds: float) -> str:
    """12 s, 3 min 40 s, 2 h 05 min."""
    if round(seconds) < 60:
        return f"{seconds:.0f} s"
    if seconds < 3600:
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes} min {rest:02d} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02d} min"


def counted(count: int, word: str) -> str:
    """1 job, 1,200 jobs."""
    return f"{count:,} {word}" + "s" * (count != 1)


def listed(words: Sequence[str]) -> str:
    """a, b and c."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
