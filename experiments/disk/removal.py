"""All that the suite takes away or moves: files of names that it writes itself, in directories of its own."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Collection
from pathlib import Path

from experiments.disk.ownership import (
    BY_HYDRA,
    LOCK,
    MARK,
    MEASURED_LATER,
    PLAN,
    RUN,
    STOP,
    STUDY,
    WRITTEN,
    Kind,
    own_files,
    read_mark,
)

WHOLE = (".json", ".yaml", ".html", ".md", ".tex", ".csv", ".db")  # files that are written by way of temporary ones
FOLDERS = [Path(name) for name in RUN if "/" in name and "*/" not in name]


def clear(directory: Path) -> None:
    """Takes away what an earlier start of a run has computed; whatever else lies there stays."""
    found = [path.relative_to(directory) for path in own_files(directory, RUN)]
    for path in found:
        (directory / path).unlink()
    drop_empty({directory / folder for path in [*found, *FOLDERS] for folder in path.parents[:-1]})


def drop_unfinished(directory: Path, kind: Kind) -> None:
    """Takes away the temporary files that a kill has left in the midst of writing; whoever asks holds the lock."""
    names = [name for name in (*WRITTEN[kind], MARK) if Path(name).suffix in WHOLE]
    for path in own_files(directory, [f"{name}{end}" for name in names for end in (".tmp", ".[0-9]*.tmp")]):
        path.unlink()


def put_aside(directory: Path, name: str) -> Path:
    """Moves what an earlier start of a run has computed to a folder of its own, so that hours of work are not lost.

    Args:
      directory: of the run.
      name: of the folder in it; where that holds such work already, a number follows.

    Returns:
      The folder.
    """
    found = [path.relative_to(directory) for path in own_files(directory, RUN)]
    for number in itertools.count(1):
        place = directory / (name if number == 1 else f"{name}-{number}")
        if not place.is_symlink() and not any((place / path).exists() for path in found):
            break
    for path in found:
        (place / path).parent.mkdir(parents=True, exist_ok=True)
        (directory / path).rename(place / path)
    drop_empty({directory / folder for path in [*found, *FOLDERS] for folder in path.parents[:-1]})
    return place


def rename_measurement(file: Path, name: str) -> Path:
    """Gives a file that the suite has written another name beside it, one that is free."""
    for number in itertools.count(1):
        place = file.with_name(f"{name}{file.suffix}" if number == 1 else f"{name}-{number}{file.suffix}")
        if not place.exists():
            return file.rename(place)
    raise AssertionError


def begin_anew(directory: Path, name: str) -> Path | None:
    """Makes room for a run where a failed one lies; returns where that went if something was measured of it later."""
    if any(own_files(directory, MEASURED_LATER)):
        return put_aside(directory, name)
    clear(directory)
    return None


def lift_stop(directory: Path) -> None:
    """Takes back the call to stop of an earlier start."""
    (directory / STOP).unlink(missing_ok=True)


def discard(directory: Path, before: Collection[str] | None) -> None:
    """Takes away what a start has made for a multirun of which no job was begun.

    Args:
      directory: of the multirun.
      before: names that lay there before the start, which all stay; None: the start has made the directory.
    """
    if any(read_mark(path).get("kind") == "run" for path in directory.iterdir() if path.is_dir()):
        return  # some job was begun
    for name in (PLAN, STUDY, *BY_HYDRA, STOP, MARK, LOCK):
        if name not in (before or ()):
            (directory / name).unlink(missing_ok=True)
    if before is None:
        drop_empty({directory})


def drop_empty(folders: Collection[Path]) -> None:
    """Takes away folders in which nothing is left."""
    for folder in sorted(folders, key=lambda folder: len(folder.parts), reverse=True):
        with contextlib.suppress(OSError):  # there is more in it
            folder.rmdir()
