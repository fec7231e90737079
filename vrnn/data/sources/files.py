"""A user's files: whether there is one to read, what to say where there is none, and how its name is shown."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

from vrnn.memory import free_memory

MAX_RATIO = 100  # by which an archive may shrink that unpacks to a large share of memory; zeros shrink 1000 times
SHARE_OF_MEMORY = 0.25


def data_folder(root: str | None) -> Path:
    """The folder that a dataset lies in: `root`, or `data` in the working directory where that is None or empty.

    An empty root is no path (it would be the working directory): it is what an empty environment variable gives.
    """
    return Path(root if root is not None and root.strip() else "data").expanduser()


def printable(text: str) -> str:
    """Text as one line for any terminal: control characters and bytes that are no UTF-8 are escaped."""
    text = text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in text)


def shown(path: Path | str) -> str:
    """An absolute path, printable."""
    return printable(os.path.abspath(path))


def is_hidden(name: str) -> bool:
    """Whether a file below a data folder is none of the data, such as ._x and .DS_Store and __MACOSX/x of macOS."""
    return any((part.startswith(".") and part != "..") or part == "__MACOSX" for part in Path(name).parts)


def require_file(need: str, path: Path, advice: str) -> None:
    """Refuses what is no readable file; links are followed.

    Args:
      need: the begin of the message, in front of the path, such as "variant=raw needs".
      path: where a file is expected.
      advice: what the user can do, the end of the message.

    Raises:
      OSError: of the kind that fits (FileNotFoundError, IsADirectoryError, PermissionError), with path and reason.
    """
    kind, reason = _refusal(path)
    if kind is not None:
        raise kind(f"{need} {shown(path)}, which {reason}: {advice}")


def _refusal(path: Path) -> tuple[type[OSError] | None, str]:
    """The kind of error that keeps a path from being read as a file, and why; None where nothing does."""
    try:
        if path.is_dir():
            return IsADirectoryError, "is a folder"
        if path.exists() and not path.is_file():
            return OSError, "is a device or a pipe"
        with path.open("rb"):
            return None, ""
    except FileNotFoundError:
        link = f"is a link to {shown(path.parent / path.readlink())}, which " if path.is_symlink() else ""
        return FileNotFoundError, f"{link}is not there"
    except OSError as error:
        return type(error), f"cannot be read ({error.strerror})"


def require_folder(need: str, path: Path, advice: str) -> list[str]:
    """Names in a folder, sorted, without hidden ones; what is no readable folder is refused as by `require_file`."""
    try:
        return sorted(name for name in os.listdir(path) if not is_hidden(name))
    except OSError as error:
        link = f"is a link to {shown(path.parent / path.readlink())}, which " if path.is_symlink() else ""
        reasons = {FileNotFoundError: f"{link}is not there", NotADirectoryError: "is no folder"}
        reason = reasons.get(type(error), f"cannot be read ({error.strerror})")
        raise type(error)(f"{need} {shown(path)}, which {reason}: {advice}") from error


def require_archive(path: Path) -> None:
    """Refuses a file that is no zip archive (an npz is one), or whose members would fill the memory.

    Raises:
      ValueError: the reason, to stand in brackets.
    """
    if not zipfile.is_zipfile(path):  # numpy would take whatever else it is for a pickle
        with path.open("rb") as file:
            raise ValueError(f"it is no zip archive, or cut short; it begins with {file.read(16)!r}")
    with zipfile.ZipFile(path) as archive:
        size = sum(member.file_size for member in archive.infolist())
    if size > SHARE_OF_MEMORY * free_memory() and size > MAX_RATIO * path.stat().st_size:
        raise ValueError(f"its {path.stat().st_size} bytes claim to unpack to {size}, more than there is room for")


def listed(path: Path, folder: Path) -> tuple[str, int]:
    """A file as `Splits.files` has it: its name below the data's folder, and its size in bytes."""
    name = os.path.relpath(path, folder) if path.is_relative_to(folder) else path.name
    return Path(name).as_posix(), path.stat().st_size
