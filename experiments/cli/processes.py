"""Other apps of the suite in processes of their own, and their GPUs."""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import IO

from experiments.cli.signals import stopping_signals


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
    here = [] if os.getcwd() in sys.path else ["-P"]  # or a package of that name in the working directory would run
    command = [sys.executable, *here, "-m", f"experiments.{app}", *arguments]
    with subprocess.Popen(command, env=environment, pass_fds=[lock]) as process:
        passed_on = [number for number in stopping_signals() if number != signal.SIGINT]
        former = {
            number: signal.signal(number, lambda number, frame: process.send_signal(number)) for number in passed_on
        }
        try:
            while True:
                try:
                    code = process.wait()
                    return 128 - code if code < 0 else code  # ended by a signal: as a shell tells it
                except KeyboardInterrupt:  # the terminal told it as well, and it is saving its checkpoints
                    continue
        finally:
            for number, handler in former.items():
                signal.signal(number, handler)


def jobs_at_once(device: str) -> int:
    """As many jobs as cores that this process may use, or as GPUs where the jobs run on one."""
    import torch

    from vrnn.training.device import find_device

    if find_device(device).type == "cuda":
        return torch.cuda.device_count()
    import joblib

    return joblib.cpu_count()


def start_silent_tracker() -> None:
    """Starts joblib's resource tracker, a process of its own, that prints nothing.

    Where workers are killed while several threads launch jobs, threads and exit handlers of joblib each unregister the
    same folder, and the tracker prints a KeyError for the second. It deletes what is left over all the same.
    """
    from joblib.externals.loky.backend import resource_tracker

    terminal = os.dup(2)
    try:
        with open(os.devnull, "w") as nowhere:
            os.dup2(nowhere.fileno(), 2)
            resource_tracker.ensure_running()
    finally:
        os.dup2(terminal, 2)
        os.close(terminal)


def take_gpu(employer: int) -> None:
    """Makes "cuda" a GPU of this process's own among the workers of one employer, where the machine has several.

    More workers than GPUs share them evenly. A process keeps its GPU for as long as it lives.
    """
    import torch

    count = torch.cuda.device_count()
    if count > 1 and not _places:
        torch.cuda.set_device(take_place(Path(tempfile.gettempdir()) / f"vrnn-{os.getuid()}-{employer}") % count)


def take_place(directory: Path) -> int:
    """The lowest number that no other living process has taken in a directory; it is kept until this one ends."""
    directory.mkdir(exist_ok=True)
    number = 0
    while True:
        file = (directory / str(number)).open("a")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            number += 1
            continue
        _places.append(file)
        return number


_places: list[IO[str]] = []  # open for as long as this process lives, and locked for as long as they are open
