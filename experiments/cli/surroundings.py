"""The machine around a run: a working directory that cannot be used, and failures of files told in one line."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.errors import UserError

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What files answer where the machine, a disk or a person is at fault. Others are defects of the suite.
OF_FILES = (
    errno.EACCES,
    errno.EPERM,
    errno.EROFS,
    errno.EEXIST,
    errno.ENOENT,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.EIO,
    errno.ESTALE,
    errno.ENODEV,
    errno.ENOTCONN,
)
OF_PROCESS = (errno.EMFILE, errno.ENFILE, errno.ENOMEM)


def require_working_directory() -> None:
    """Raises UserError where the working directory is gone, or has a name that no config can hold."""
    try:
        here = os.getcwd()
    except OSError as error:
        raise UserError(
            f"the working directory is not there any more ({error.strerror}); cd to one that is, and start again"
        ) from error
    if "${" in here:
        raise UserError(
            f"{here}: the name of the working directory holds '${{', which configs read as a reference to a key; "
            "rename it, or start in another one"
        )


def answer_to(error: OSError) -> str | None:
    """One line about a failure of the machine; None: it is none, but a defect."""
    place = f"{error.filename}: " if error.filename else ""
    if link := next(dangling_links(error.filename), None):
        return f"{place}{link} is a link to {os.readlink(link)}, which is not there; mend it, or choose another place"
    if error.errno in FULL:
        return f"{place}{error.strerror}; make room, or write elsewhere"
    if error.errno in OF_FILES and place:
        other = f" (to {error.filename2})" if error.filename2 else ""
        return f"{place}{error.strerror}{other}; mend it, or choose another place"
    return f"{place}{error.strerror}" if error.errno in OF_PROCESS else None


def dangling_links(path: str | bytes | None) -> Iterator[Path]:
    """A path and the folders above it that are links to nothing."""
    where = Path(os.fsdecode(path)) if path else Path()
    return (each for each in (where, *where.parents) if each.is_symlink() and not each.exists())


@contextmanager
def hydra_raising() -> Iterator[None]:
    """Within the context, Hydra raises what it would print: its own answer to a file's failure is a traceback."""
    name = "HYDRA_FULL_ERROR"
    former = os.environ.get(name)
    os.environ[name] = "1"
    try:
        yield
    finally:
        if former is None:
            del os.environ[name]
        else:
            os.environ[name] = former
