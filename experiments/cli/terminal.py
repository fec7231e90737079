"""What a person sees while a run goes: a live bar in a terminal, plain lines elsewhere, and tables at the end."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from rich import box
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from vrnn.training.metrics import MARKS, Measurement
from vrnn.training.progress import Observer

if TYPE_CHECKING:
    from vrnn.objectives.base import Kind

is_narrow = sys.stdout is not None and sys.stdout.isatty()  # None: it was closed before Python was started
console = Console(highlight=False, soft_wrap=True, width=None if is_narrow else 120)


class Terminal(Observer):
    """Follows one run on the screen.

    Args:
      label: stands before every line, to tell the jobs of a multirun apart; with one there is no live bar.
      every: seconds between two plain lines of training, where there is no bar.
      quiet: say nothing: whoever started this job shows how it stands.

    Attributes:
      echo: called with every line; None: nobody wants it.
    """

    def __init__(self, label: str = "", every: float = 20.0, *, quiet: bool = False):
        self.label = label
        self.quiet = quiet
        self.every = every
        self.echo: Callable[[str], None] | None = None
        self.best = float("-inf")
        self.speed = ""
        self.last_line = time.monotonic()
        self.last_log: tuple[float, int] | None = None
        self.live = console.is_terminal and not label
        columns = (BarColumn(None), MofNCompleteColumn(), TextColumn("{task.fields[status]}"), TimeRemainingColumn())
        self.bar = Progress(*columns, console=console, transient=True, disable=not self.live, expand=True)
        self.task = self.bar.add_task("training", total=None, status="")

    def say(self, text: str) -> None:
        """One line on the screen, above the bar where there is one; `echo` gets it in any case."""
        if not self.quiet:
            console.print(f"{self.label}{text}", markup=False)
        if self.echo is not None:
            self.echo(text)

    def table(self, title: str, rows: dict[str, Measurement]) -> None:
        """Figures in a table; the jobs of a multirun go without."""
        if not self.label:
            console.print()
            show_measurements(title, rows)

    def following(self, kind: Kind, batch_size: int) -> Terminal:
        """Shows training within the context; kind gives the bound's mark, batch_size the throughput."""
        self.mark = MARKS[kind]
        self.batch_size = batch_size
        return self

    def __enter__(self) -> Terminal:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def start(self, step: int, total_steps: int) -> None:
        self.total_steps = total_steps
        self.bar.update(self.task, completed=step, total=total_steps)

    def advance(self, step: int) -> None:
        self.bar.update(self.task, completed=step)

    def log(self, metrics: dict[str, Any]) -> None:
        if "valid/log_likelihood" in metrics:
            self._validation(metrics)
        else:
            self._training(metrics)

    def note(self, text: str) -> None:
        self.say(f"note        {text}")

    def _training(self, metrics: dict[str, Any]) -> None:
        now = (metrics["seconds"], metrics["step"])
        if self.last_log is not None and now[0] > self.last_log[0]:
            rate = self.batch_size * (now[1] - self.last_log[1]) / (now[0] - self.last_log[0])
            self.speed = f"{rate:,.0f} sequences/s"
        self.last_log = now
        status = f"train {self.mark}{metrics['train/log_likelihood']:.2f} nats"
        self.bar.update(self.task, status=f"{status}  {self.speed}")
        if not self.live and time.monotonic() - self.last_line > self.every:
            self.say(f"  step {metrics['step']:>6} of {self.total_steps}  {status}  {self.speed}{self._left(metrics)}")

    def _validation(self, metrics: dict[str, Any]) -> None:
        bound = metrics["valid/log_likelihood"]
        best = "  best so far" if bound > self.best else ""
        self.best = max(bound, self.best)
        self.say(
            f"epoch {metrics['epoch']:>3}  step {metrics['step']:>6} of {self.total_steps}  "
            f"valid {self.mark}{bound:.2f} nats per sequence  kl {metrics['valid/kl']:.2f}  "
            f"{self.speed}{self._left(metrics)}{best}"
        )

    def _left(self, metrics: dict[str, Any]) -> str:
        """Time left, at the run's own mean speed."""
        self.last_line = time.monotonic()
        seconds = metrics["seconds"] / metrics["step"] * (self.total_steps - metrics["step"])
        return f"  {seconds // 60:.0f}:{seconds % 60:02.0f} left"


def say(text: str) -> None:
    """One line on the screen."""
    console.print(text, markup=False)


def show_measurements(title: str, rows: dict[str, Measurement]) -> None:
    """Figures in a table, on the screen; an app that named `console` itself could not be sent to a worker process."""
    console.print(measurements_table(title, rows))


def measurements_table(title: str, rows: dict[str, Measurement]) -> Table:
    """Figures with mark, standard errors, unit, space and count, one a row.

    Beside the standard error that over the noise drawn, where there is one; below, what the standard error is over.
    """
    sampled = any(measurement.monte_carlo_error is not None for measurement in rows.values())
    over = ", ".join(dict.fromkeys(measurement.over for measurement in rows.values()))
    caption = None if over == "sequences" else f"± s.e. is over {over}"
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, caption=caption, caption_justify="left"
    )
    table.add_column("", no_wrap=True)
    table.add_column("value", justify="right", no_wrap=True)
    table.add_column("± s.e.", justify="right", no_wrap=True)
    if sampled:
        table.add_column("± Monte Carlo", justify="right", no_wrap=True)
    for column in ("unit", "space", "sequences"):
        table.add_column(column, no_wrap=True, justify="right" if column == "sequences" else "left")
    for name, measurement in rows.items():
        error = "" if measurement.standard_error is None else f"{measurement.standard_error:.2f}"
        value = f"{MARKS[measurement.kind]}{measurement.value:,.2f}"
        noise = "" if measurement.monte_carlo_error is None else f"{measurement.monte_carlo_error:.3g}"
        table.add_row(
            name,
            value,
            error,
            *([noise] if sampled else []),
            measurement.unit,
            measurement.space,
            f"{measurement.count:,}",
        )
    return table
