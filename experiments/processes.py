"""Other apps of the suite, run in processes of their own, and the lock that keeps two of them apart."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from experiments.errors import UserError


def run(app: str, arguments: Sequence[str], lock: int) -> int:
    """Runs one of the suite's apps in a process of its own, one thread to a job; returns its exit code.

    Args:
      app: for instance "train".
      arguments: of its command line.
      lock: file descriptor that the process holds as well, so that it is not freed while jobs of a killed comparison
        go on.
    """
    # Several jobs with two threads each would stand in each other's way.
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", f"experiments.{app}", *arguments]
    with subprocess.Popen(command, env=environment, pass_fds=[lock]) as process:
        former = signal.signal(signal.SIGTERM, lambda number, frame: process.send_signal(number))
        try:
            while True:
                try:
                    code = process.wait()
                    return 128 - code if code < 0 else code  # ended by a signal: as a shell tells it
                except KeyboardInterrupt:  # the terminal told it as well, and it is saving its checkpoints
                    continue
        finally:
            signal.signal(signal.SIGTERM, former)


@contextmanager
def locked(directory: Path) -> Iterator[int]:
    """Keeps a second live start of the same jobs out; gives the lock's file descriptor.

    Raises:
      UserError: it is running already.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / ".lock").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UserError(f"{directory}: these jobs are running already; wait for them, or stop them first") from None
        yield file.fileno()
