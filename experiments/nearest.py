"""What somebody may have meant who typed a name that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str:
    """ "; did you mean optimizer.lr?", or nothing where no name is like it.

    A key that is typed without its group, or in another one, is found by its last part.
    """
    known = sorted(set(known) - {name})
    last = name.rpartition(".")[2]
    same = [key for key in known if key.rpartition(".")[2] == last != key] if last else []
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.7)
    parts = {key.rpartition(".")[2]: key for key in reversed(known)}
    alike = [parts[part] for part in difflib.get_close_matches(last, parts, n=1, cutoff=0.75)]
    found = [*close, *same, *alike] if "." in name else [*same, *close, *alike]
    return f"; did you mean {found[0]}?" if found else ""
