"""Ctrl-C and termination: asked for once, a run stops at its next step; asked twice, at once.

A worker of a multirun leaves Ctrl-C to the process that it works for, which tells its jobs by a file; and it stops
once that process is gone.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType, TracebackType

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
        signal.signal(signal.SIGINT, signal.SIG_IGN)
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


class StopRequest:
    """Within the context, the first SIGINT or SIGTERM is kept as a request; the second has its usual effect.

    Args:
      file: while it is there, it asks for the same.

    Attributes:
      signal: the signal received, or None.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.file = file
        self.signal: int | None = None
        self._former: dict[int, object] = {}

    def __call__(self) -> bool:
        """Whether to stop."""
        return self.signal is not None or is_orphaned() or (self.file is not None and self.file.exists())

    @property
    def exit_code(self) -> int:
        """What a shell expects of a process that a signal ended: 130 after Ctrl-C."""
        return 128 + (self.signal or signal.SIGINT)

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM,) if is_worker() else (signal.SIGINT, signal.SIGTERM):
                self._former[number] = signal.signal(number, self._keep)
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._restore()

    def _keep(self, number: int, frame: FrameType | None) -> None:
        self.signal = number
        self._restore()
        print("\nstopping at the next step; once more stops at once", file=sys.stderr, flush=True)

    def _restore(self) -> None:
        for number, handler in self._former.items():
            signal.signal(number, handler)
        self._former = {}
