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

from experiments.text import duration
from vrnn.training.metrics import MARKS, Measurement
from vrnn.training.progress import Observer

if TYPE_CHECKING:
    from vrnn.objectives.base import Kind

is_terminal = sys.stdout is not None and sys.stdout.isatty()  # None: it was closed before Python was started
console = Console(highlight=False, soft_wrap=True, width=None if is_terminal else 120)

# The lines that follow training fit 80 columns, with the mark of the best one.
LINE = "{epoch:>5} {update:>13} {bound:>21} {kl:>8} {speed:>11} {left:>11}"
HEADER = LINE.format(
    epoch="epoch", update="update", bound="nats/sequence", kl="KL, nats", speed="sequences/s", left="left"
)


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
        self.has_header = False
        self.last_line = time.monotonic()
        self.last_log: tuple[float, int] | None = None
        self.live = console.is_terminal and not label
        columns = (
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(None, complete_style="cyan", finished_style="green"),
            MofNCompleteColumn(),
            TextColumn("{task.fields[status]}"),
            TimeRemainingColumn(compact=True),
        )
        self.bar = Progress(*columns, console=console, transient=True, disable=not self.live, expand=True)
        self.task = self.bar.add_task("training", total=None, status="", epoch=0)

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

    def following(self, kind: Kind, batch_size: int, best: float = float("-inf")) -> Terminal:
        """Shows training within the context.

        Args:
          kind: of the bound, which gives its mark.
          batch_size: gives the throughput.
          best: the best validation bound before, where training goes on.
        """
        self.mark = MARKS[kind]
        self.batch_size = batch_size
        self.best = best
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
            self.speed = f"{rate:,.0f}"
        self.last_log = now
        bound = f"train {self.mark}{metrics['train/log_likelihood']:,.2f}"
        speed = f"  {self.speed} sequences/s" if self.speed else ""
        self.bar.update(self.task, status=f"{bound} nats{speed}", epoch=metrics["epoch"] + 1)
        if not self.live and time.monotonic() - self.last_line > self.every:
            self._line(metrics, epoch="", bound=bound, kl="")

    def _validation(self, metrics: dict[str, Any]) -> None:
        bound = metrics["valid/log_likelihood"]
        end = "  best" if bound > self.best else ""
        self.best = max(bound, self.best)
        shown = f"valid {self.mark}{bound:,.2f}"
        self._line(metrics, epoch=str(metrics["epoch"]), bound=shown, kl=f"{metrics['valid/kl']:,.2f}", end=end)

    def _line(self, metrics: dict[str, Any], *, epoch: str, bound: str, kl: str, end: str = "") -> None:
        """One line of the table that follows training; the header stands above the first."""
        if not self.has_header:
            self.has_header = True
            self.say(HEADER)
        self.last_line = time.monotonic()
        seconds = metrics["seconds"] / metrics["step"] * (self.total_steps - metrics["step"])  # at the mean speed
        update, left = f"{metrics['step']}/{self.total_steps}", duration(seconds)
        line = LINE.format(epoch=epoch, update=update, bound=bound, kl=kl, speed=self.speed, left=left)
        self.say(f"{line}{end}")


def say(text: str) -> None:
    """One line on the screen."""
    console.print(text, markup=False)


def show_measurements(title: str, rows: dict[str, Measurement]) -> None:
    """Figures in a table, on the screen; an app that named `console` itself could not be sent to a worker process."""
    console.print(measurements_table(title, rows))


def measurements_table(title: str, rows: dict[str, Measurement]) -> Table:
    """Measurements with mark, standard errors and unit, one a row; what all rows share stands below, once.

    Beside the standard error that over the noise drawn, where there is one. Numbers are shown whole at any width; names
    and units are wrapped.
    """
    measurements = list(rows.values())
    sampled = any(measurement.monte_carlo_error is not None for measurement in measurements)
    spaces = dict.fromkeys(measurement.space for measurement in measurements)
    counts = dict.fromkeys(measurement.count for measurement in measurements)
    over = ", ".join(dict.fromkeys(measurement.over for measurement in measurements))
    caption = [f"{space} space" for space in spaces if len(spaces) == 1]
    caption += [f"{count:,} sequences" for count in counts if len(counts) == 1]
    caption += [f"± s.e. over {over}"] if over != "sequences" else []
    table = Table(
        title=title,
        title_justify="left",
        box=box.SIMPLE_HEAD,
        pad_edge=False,
        caption=", ".join(caption) or None,
        caption_justify="left",
    )
    table.add_column("", overflow="fold")
    for column in ("value", "± s.e.", *(["± Monte Carlo"] if sampled else [])):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("unit", overflow="fold")
    if len(spaces) > 1:
        table.add_column("space", overflow="fold")
    if len(counts) > 1:
        table.add_column("sequences", justify="right", no_wrap=True)
    for name, measurement in rows.items():
        error, noise = measurement.standard_error, measurement.monte_carlo_error
        table.add_row(
            name,
            f"{MARKS[measurement.kind]}{measurement.value:,.2f}",
            "" if error is None else f"{error:,.2f}",
            *(["" if noise is None else f"{noise:.3g}"] if sampled else []),
            measurement.unit,
            *([measurement.space] if len(spaces) > 1 else []),
            *([f"{measurement.count:,}"] if len(counts) > 1 else []),
        )
    return table
