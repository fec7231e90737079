"""The lock that keeps two processes from working in one directory."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from experiments.disk.ownership import LOCK
from experiments.errors import UserError


@contextmanager
def locked(directory: Path, what: str = "these jobs are", wait: float = 1.0) -> Iterator[int]:
    """Keeps a second live start of the same work out; gives the lock's file descriptor.

    Args:
      directory: that the work is done in.
      what: stands for it in the message.
      wait: seconds to wait for it: to look whether it is locked takes the lock for a moment.

    Raises:
      UserError: it is being done already, or the lock is no file.
    """
    directory.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(directory / LOCK) and not (directory / LOCK).is_file():
        raise UserError(f"{directory / LOCK}: expected a file, and this is something else; take it away")
    deadline = time.monotonic() + wait
    with (directory / LOCK).open("a") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise UserError(
                        f"{directory}: {what} running already; wait for the end of it, or stop it first"
                    ) from None
                time.sleep(0.05)
        yield file.fileno()


def is_locked(directory: Path) -> bool:
    """Whether a living process works in a directory."""
    if not (directory / LOCK).is_file():  # nothing was begun there; to open a pipe would wait for ever
        return False
    try:
        with (directory / LOCK).open() as file:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return False
    except BlockingIOError:
        return True
    except OSError:
        return False  # it has gone again, or may not be read
