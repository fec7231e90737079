"""Keeps what only shows a run from ending it: pictures, trackers, the screen and reports cost only themselves."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

from omegaconf import DictConfig

from experiments.config.build import build
from experiments.errors import UserError
from experiments.tracking.background import Background
from experiments.tracking.tracked import TrackedRun
from experiments.tracking.trackers import NoTracker
from experiments.warn import reason, warn
from vrnn.training.metrics import Measurement
from vrnn.training.progress import Observer

WITHOUT = "it is written without them"  # a report that has lost its pictures


class Guard:
    """As a context, it ends every exception within; the first one is told, and its later ones are not.

    Args:
      name: of what is guarded.
      after: says what becomes of the run.

    Attributes:
      failed: whether there was one.
    """

    def __init__(self, name: str, after: str):
        self.name = name
        self.after = after
        self.failed = False

    def __enter__(self) -> Guard:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> bool:
        if not isinstance(error, Exception):  # Ctrl-C is meant for the run
            return False
        self.fail(reason(error))
        return True

    def fail(self, why: str) -> None:
        """Tells why, the first time."""
        if not self.failed:
            self.failed = True
            warn(f"{self.name}: {why}; {self.after}")


class GuardedObserver(Observer):
    """Passes everything on to an observer, until its first failure.

    Args:
      observer: is told nothing any more once it has failed.
      name: of it.
      after: says what becomes of the run then.
    """

    def __init__(self, observer: Observer, name: str, after: str = "the run goes on without it"):
        self.observer = observer
        self.guard = Guard(name, after)

    def start(self, step: int, total_steps: int) -> None:
        self._pass(self.observer.start, step, total_steps)

    def advance(self, step: int) -> None:
        self._pass(self.observer.advance, step)

    def log(self, metrics: dict[str, Any]) -> None:
        self._pass(self.observer.log, metrics)

    def note(self, text: str) -> None:
        self._pass(self.observer.note, text)

    def _pass(self, method: Callable[..., None], *arguments: Any) -> None:
        if not self.guard.failed:
            with self.guard:
                method(*arguments)


class GuardedTracker(GuardedObserver, NoTracker):
    """Passes everything on to a tracker, in a thread that the run never waits for longer than the tracker's `patience`.

    After its first failure, or answer that does not come, the tracker is told nothing more. Only at `open` may it
    refuse (UserError): what is asked of it is a mistake, and nothing is lost yet.
    """

    observer: NoTracker

    def __init__(self, tracker: NoTracker):
        super().__init__(tracker, tracker.title, "the run goes on without it; metrics.jsonl has everything")
        self.background = Background()

    def notice(self) -> str:
        return self._answer(self.observer.notice)

    def open(self, run: TrackedRun) -> None:
        if self.guard.failed:
            return
        try:
            self.observer.open(run)
        except UserError:
            raise
        except Exception as error:
            self._give_up(error)

    def write(self, text: str) -> None:
        self._pass(self.observer.write, text)

    def show(self, measurements: Mapping[str, Measurement], facts: Mapping[str, Any], files: Sequence[Path]) -> None:
        self._pass(self.observer.show, measurements, facts, files, wait=True)

    def keep(self, checkpoint: Path) -> None:
        self._pass(self.observer.keep, checkpoint, wait=True)

    def publish(self, columns: Sequence[str], data: Sequence[Sequence[Any]], files: Sequence[Path]) -> None:
        self._pass(self.observer.publish, columns, data, files, wait=True)

    def publish_report(
        self, run: TrackedRun, columns: Sequence[str], data: Sequence[Sequence[Any]], files: Sequence[Path]
    ) -> None:
        """A report over many runs, as a run of its own."""
        self.open(run)
        try:
            self.publish(columns, data, files)
        finally:
            self.close(0)

    def whereabouts(self) -> str:
        return self._answer(self.observer.whereabouts)

    def close(self, exit_code: int) -> None:
        self._pass(self.observer.close, exit_code, wait=True)
        self.background.end()

    def abandon(self) -> None:
        fresh = Background()  # the other one may hang
        fresh.submit(self.observer.abandon)
        fresh.end()
        fresh.wait(min(self.observer.patience, 5.0))

    def _answer(self, method: Callable[[], str]) -> str:
        if not self.guard.failed:
            with self.guard:
                return method()
        return ""

    def _pass(self, method: Callable[..., None], *arguments: Any, wait: bool = False) -> None:
        if self.guard.failed:
            return
        try:
            self.background.submit(method, *arguments)
            self.background.check(self.observer.patience)
            if wait:
                self.background.wait(self.observer.patience)
        except Exception as error:
            self._give_up(error)

    def _give_up(self, error: Exception) -> None:
        self.guard.fail(reason(error))
        self.background.end()
        with contextlib.suppress(Exception):
            self.abandon()


class GuardedDrawing:
    """A figure whose pictures may each fail: the one that does is left out, and half of it is not left behind.

    Args:
      figure: how data are drawn, see `vrnn.figures`.
      guard: tells the first failure.
    """

    def __init__(self, figure: Any, guard: Guard):
        self.figure = figure
        self.guard = guard
        for name in ("num_paths", "num_examples", "draws_nothing"):  # what it asks of whoever makes the draws
            if hasattr(figure, name):
                setattr(self, name, getattr(figure, name))

    def draw(self, rows: Mapping[str, Sequence[Any]], path: Path, **settings: Any) -> list[Path]:
        """What the figure's own method does; returns no files where it fails."""
        with self.guard, whole_or_nothing(path):
            return self.figure.draw(rows, path, **settings)
        return []


@contextlib.contextmanager
def whole_or_nothing(path: Path) -> Iterator[None]:
    """Takes away a file that the work within has failed to write."""
    try:
        yield
    except Exception:
        with contextlib.suppress(OSError):
            path.unlink(missing_ok=True)
        raise


def build_tracker(cfg: DictConfig) -> GuardedTracker:
    """The tracker that the config's `logger` names; it can refuse to begin, but no failure of it ends anything."""
    return GuardedTracker(build(cfg, "logger"))
