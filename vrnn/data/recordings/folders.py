"""The files anywhere below a folder, links followed."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Collection
from pathlib import Path
from typing import NamedTuple

from vrnn.data.sources.files import is_hidden, shown

RUN = {"metrics.jsonl", ".vrnn.json"}  # in folders that training runs and what looks at them have written


class Found(NamedTuple):
    """Files below a folder.

    Attributes:
      names: their paths below it, sorted.
      hidden: how many more were passed over, for their names: `._x.wav` of macOS, say, which holds no sound.
    """

    names: list[str]
    hidden: int


def files_below(
    folder: Path, suffixes: Collection[str], *, follow_links: bool = True, top: Collection[str] | None = None
) -> Found:
    """The files with these suffixes, in lower or upper case, anywhere below a folder.

    A file that is reached on several ways (by links, or as a hard link) counts once, under the name that needs no link.
    Hidden folders are passed over, and so are those that training runs have written, whose sounds are a model's.

    Args:
      folder: where they lie.
      suffixes: with the point, in lower case.
      follow_links: whether links to folders are followed, and files that are reached twice counted once.
      top: names, in lower case, of the folders right below that are looked into; None: all.

    Raises:
      ValueError: a folder cannot be read.
    """
    files: list[str] = []
    links: list[str] = []
    hidden = 0
    visited: set[str] = set()
    starts = deque([os.fspath(folder)])
    while starts:
        for place, folders, names in os.walk(starts.popleft(), onerror=_refuse):
            real = os.path.realpath(place)
            if real in visited or (not RUN.isdisjoint(names) and place != os.fspath(folder)):
                folders.clear()
                continue
            visited.add(real)
            wanted = top if place == os.fspath(folder) else None
            visible = [name for name in folders if not is_hidden(name)]
            folders[:] = sorted(name for name in visible if wanted is None or name.lower() in wanted)
            if follow_links:
                starts += [path for name in folders if os.path.islink(path := os.path.join(place, name))]
            for name in sorted(names):
                if os.path.splitext(name)[1].lower() in suffixes and wanted is None:
                    path = os.path.join(place, name)
                    hidden += is_hidden(name)
                    if not is_hidden(name):
                        (links if os.path.islink(path) else files).append(path)
    kept = _once(files + links) if follow_links else [path for path in files + links if os.path.isfile(path)]
    return Found(sorted(Path(path).relative_to(folder).as_posix() for path in kept), hidden)


def _once(paths: list[str]) -> list[str]:
    """The paths of different files, and links that lead nowhere, which are for the reader to name."""
    kept: dict[tuple[int, int] | str, str] = {}
    for path in paths:
        try:
            found = os.stat(path)
        except OSError:
            kept[path] = path
            continue
        if stat.S_ISREG(found.st_mode):
            kept.setdefault((found.st_dev, found.st_ino), path)
    return list(kept.values())


def _refuse(error: OSError) -> None:
    """Told of a folder that cannot be read, which os.walk would pass over; one that is not there holds nothing."""
    if not isinstance(error, FileNotFoundError | NotADirectoryError):
        raise ValueError(f"{shown(error.filename)} cannot be read ({error.strerror})") from error
