"""Follows a multirun from the process that started it: the live view, failures as they happen, and stopping."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Mapping
from types import FrameType

from rich.live import Live

from experiments.cli.signals import stopping_signals, tell
from experiments.cli.terminal import console, say
from experiments.disk.ownership import STOP
from experiments.run.facts import failure
from experiments.sweep.overview import overview
from experiments.sweep.plan import SweepJob, SweepPlan
from experiments.tracking.guard import Guard

POLL_SECONDS = 1.0  # seconds between two looks


class Monitor(threading.Thread):
    """Looks at the jobs' directories from time to time, whoever works in them.

    Asked to stop (Ctrl-C, SIGTERM), it says so to the jobs by the file that they all look for, lets each save its
    checkpoint, and only then ends the process's main thread; asked twice, everything ends at once.

    Args:
      plan: of the multirun.
      hashes: what results should have been made with, see `SweepPlan.jobs`.
      show: draw the live view; the jobs are silent then.

    Attributes:
      requested: the signal that asked for the end, or None.
      is_forced: whether a second signal asked for the end before the jobs had saved.
      gave_up: whether the multirun was ended because a job failed (multirun.fail_fast).
    """

    def __init__(self, plan: SweepPlan, hashes: Mapping[str, str | None], *, show: bool):
        super().__init__(daemon=True, name="monitor")
        self.plan, self.hashes = plan, hashes
        self.requested: int | None = None
        self.is_forced = False
        self.gave_up = False
        self.over = threading.Event()
        self.main_thread = threading.get_ident()  # no other thread may set a signal's handler, as is done below
        self.started = time.time()
        self.announced: set[str] = set()
        self.seen: dict[str, tuple[int, SweepJob]] = {}
        self.view = Guard("live view", "the jobs go on without it; experiments.status shows how they stand")
        self.live = Live(console=console, auto_refresh=False, transient=True) if show else None
        self.signals = stopping_signals()
        for number in self.signals:
            signal.signal(number, self._request)
        # A lost session tells every process of its group. Blocked in this thread, it is blocked in all processes that
        # are started, also in those of libraries, which it would kill. If no other thread got it, it is looked up.
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGHUP])

    def run(self) -> None:
        if self.live:
            with self.view:
                self.live.start()
        while not self.over.wait(POLL_SECONDS):
            # A file may go, or be half there, while it is looked at.
            with self.view, contextlib.suppress(OSError, ValueError):
                self.look()

    def finish(self) -> None:
        """The multirun is over: takes the view away, and the workers too where it was forced to end."""
        self.over.set()
        self.join()
        if self.is_forced:
            end_workers()
        with self.view, contextlib.suppress(OSError, ValueError):
            self.look()
        if self.live:
            with self.view:
                self.live.stop()
        for number in self.signals:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        if signal.SIGHUP in signal.sigpending():  # too late to stop anything, and no reason to lose the report
            signal.sigwait([signal.SIGHUP])
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGHUP])

    def look(self) -> None:
        """Draws, tells what failed since the last look, and ends the main thread where it is time."""
        if signal.SIGHUP in signal.sigpending():
            signal.sigwait([signal.SIGHUP])
            self._request(signal.SIGHUP)
        jobs = self.plan.jobs(self.hashes, self.seen)
        with self.view:
            self.tell_failures(jobs)
        if self.live and not self.view.failed:
            with self.view:
                self.live.update(overview(self.plan, jobs, height=console.height - 3), refresh=True)
        stop = self.plan.directory / STOP
        if self.requested:
            stop.touch()
        if stop.exists() and not self.over.is_set() and not any(sweep_job.job.state == "running" for sweep_job in jobs):
            self.gave_up = self.requested is None
            self.requested = self.requested or signal.SIGINT
            self.over.set()
            signal.pthread_kill(self.main_thread, signal.SIGINT)

    def tell_failures(self, jobs: list[SweepJob]) -> None:
        """One line for every job that has failed since the last look."""
        for sweep_job in jobs:
            job, words = sweep_job.job, sweep_job.words
            file = job.run.result_file
            if job.state != "failed" or words in self.announced or file.stat().st_mtime < self.started:
                continue
            self.announced.add(words)
            more = f" (the traceback is in {file})" if "traceback" in (job.result.get("error") or {}) else ""
            reason = failure(job)
            where = "" if not words or reason.startswith(f"{words}: ") else f"{words}: "
            text = f"error: {where}{reason}{more}"
            if self.live:
                say(text)  # above the view
            else:
                print(text, file=sys.stderr, flush=True)

    def _request(self, number: int, frame: FrameType | None = None) -> None:
        if self.requested and number == signal.SIGHUP:
            return
        if self.requested:
            self.is_forced = not self.over.is_set()  # once it is set, `look` has sent this signal
            raise KeyboardInterrupt(128 + self.requested)
        self.requested = number
        with contextlib.suppress(OSError):  # a full disk; the next look tries again
            (self.plan.directory / STOP).touch()
        tell("stopping at the jobs' next step; once more stops at once")


def end_workers() -> None:
    """Kills the processes that run jobs; each job goes on later from its last checkpoint."""
    for worker in multiprocessing.active_children():
        if worker.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(worker.pid, signal.SIGKILL)
            worker.join()
