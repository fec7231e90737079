"""Ctrl-C, termination and a lost session: asked for once, a run stops at its next step; asked twice, at once.

A session that ends sends SIGHUP, often to every process and after SIGTERM, so that never counts as the second time;
and under nohup it means nothing.

A worker of a multirun leaves Ctrl-C to the process that it works for, which tells its jobs by a file; and it stops
once that process is gone.
"""

from __future__ import annotations

import contextlib
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

_employer: int | None = None
_at_work = threading.Lock()


@contextmanager
def at_work(process: int) -> Iterator[None]:
    """A job, done for `process` if this one is a child of it; one whose employer is gone ends with its job, or at once.

    Args:
      process: that asked for the job; where it is this very process, there is nothing to be done.
    """
    _work_for(process)
    with _at_work:
        if is_orphaned():
            os._exit(1)  # nobody waits for what is left in the queue
        yield
        if is_orphaned():
            os._exit(1)


def _work_for(process: int) -> None:
    global _employer
    if os.getpid() != process and os.getppid() == process and _employer is None:
        _employer = process
        for number in (signal.SIGINT, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)
        threading.Thread(target=_leave, daemon=True, name="leave").start()


def _leave() -> None:
    """Ends this process once its employer is gone, and the job is done."""
    while not is_orphaned():
        time.sleep(1.0)
    with _at_work:
        os._exit(1)


def is_worker() -> bool:
    """Whether this process works for another."""
    return _employer is not None


def is_orphaned() -> bool:
    """Whether the process that this one works for is gone."""
    return _employer is not None and os.getppid() != _employer


def stopping_signals() -> list[int]:
    """SIGINT, SIGTERM, and SIGHUP unless it is ignored, as nohup has it."""
    hangup = [] if signal.getsignal(signal.SIGHUP) == signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hangup]


def tell(text: str) -> None:
    """A line on stderr from within a signal handler, where the stream itself may be in use, or gone."""
    with contextlib.suppress(OSError):
        os.write(2, f"\n{text}\n".encode())


class StopRequest:
    """Within the context, the first SIGINT, SIGTERM or SIGHUP is kept as a request.

    A second SIGINT or SIGTERM has its usual effect.

    Args:
      file: while it is there, it asks for the same.

    Attributes:
      signal: the signal received, or None.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self.signal: int | None = None
        self._former: dict[int, Callable[[int, FrameType | None], Any] | int | None] = {}

    def __call__(self) -> bool:
        """Whether to stop."""
        return self.signal is not None or is_orphaned() or (self.file is not None and self.file.exists())

    @property
    def exit_code(self) -> int:
        """What a shell expects of a process that a signal ended: 130 after Ctrl-C."""
        return 128 + (self.signal or signal.SIGINT)

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in [signal.SIGTERM] if is_worker() else stopping_signals():
                self._former[number] = signal.signal(number, self._keep)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._restore()

    def _keep(self, number: int, frame: FrameType | None) -> None:
        if self.signal is None:
            self.signal = number
            self._restore(but=signal.SIGHUP)
            tell("Stopping after this update and saving. Press Ctrl-C again to quit now.")

    def _restore(self, but: int | None = None) -> None:
        for number in set(self._former) - {but}:
            signal.signal(number, self._former.pop(number))
