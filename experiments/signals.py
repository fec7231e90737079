"""Ctrl-C and termination: asked for once, a run stops at its next step; asked twice, at once."""

from __future__ import annotations

import signal
import sys
import threading
from types import FrameType, TracebackType


class StopRequest:
    """Within the context, the first SIGINT or SIGTERM is kept as a request; the second has its usual effect.

    Attributes:
      signal: the signal received, or None.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._former: dict[int, object] = {}

    def __call__(self) -> bool:
        """Whether to stop."""
        return self.signal is not None

    @property
    def exit_code(self) -> int:
        """What a shell expects of a process that a signal ended: 130 after Ctrl-C."""
        return 128 + (self.signal or signal.SIGINT)

    def __enter__(self) -> StopRequest:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGINT, signal.SIGTERM):
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
