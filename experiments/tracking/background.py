"""Work that is done in order by a thread of its own, and waited for no longer than one likes."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from queue import SimpleQueue
from typing import Any, NamedTuple


class Task(NamedTuple):
    """A call that was asked for: when (`time.monotonic`), and what becomes of it."""

    since: float
    future: Future[None]


class Background:
    """Calls in the order in which they are asked for; the thread does not keep its process from ending.

    (A ThreadPoolExecutor would: the interpreter waits for its threads.)
    """

    def __init__(self) -> None:
        self._queue: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._tasks: deque[Task] = deque()
        self._thread: threading.Thread | None = None

    def submit(self, method: Callable[..., Any], *arguments: Any) -> None:
        """Asks for a call."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._work, daemon=True, name="background")
            self._thread.start()
        future: Future[None] = Future()

        def call() -> None:
            try:
                future.set_result(method(*arguments))
            except BaseException as error:
                future.set_exception(error)

        self._tasks.append(Task(time.monotonic(), future))
        self._queue.put(call)

    def check(self, patience: float) -> None:
        """Looks how the calls are getting on, without waiting.

        Raises:
          TimeoutError: one was asked for longer ago than `patience` seconds, and is not done.
          Exception: what a call has raised.
        """
        while self._tasks and self._tasks[0].future.done():
            self._tasks.popleft().future.result()
        if self._tasks and time.monotonic() - self._tasks[0].since > patience:
            raise TimeoutError(f"no answer within {patience:g} s")

    def wait(self, patience: float) -> None:
        """Waits for all calls, at most `patience` seconds; raises what `check` does."""
        deadline = time.monotonic() + patience
        while self._tasks:
            try:
                self._tasks[0].future.result(max(0.0, deadline - time.monotonic()))
            except TimeoutError:
                if not self._tasks[0].future.done():
                    raise TimeoutError(f"no answer within {patience:g} s") from None
                raise
            self._tasks.popleft()

    def end(self) -> None:
        """No more calls are asked for; those that were are still made."""
        if self._thread is not None:
            self._queue.put(None)

    def _work(self) -> None:
        while (call := self._queue.get()) is not None:
            call()
