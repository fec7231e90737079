"""What pictures are made of: curves of several models, each in one colour everywhere, and axes of swept keys."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import numpy as np

from experiments.run.state import Job
from experiments.text import as_number, tidy
from experiments.tracking.guard import whole_or_nothing

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which the colour-blind can tell apart; the line styles survive a grey printer.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
FEW = 8  # numbers that are all named below an axis; of more, round ones are
STYLES = ("-", "--", "-.", ":")


class Curve(NamedTuple):
    """One seed's values over its own steps: both [P]."""

    steps: np.ndarray
    values: np.ndarray


@contextmanager
def literal_text() -> Iterator[None]:
    """Within the context, no text of a picture is read as a formula: labels are as people have chosen them."""
    import matplotlib

    with matplotlib.rc_context({"text.parse_math": False, "text.usetex": False}):
        yield


def history(jobs: Sequence[Job], key: str, change: Callable[[float], float] = float) -> list[Curve]:
    """A metric over the updates, one curve for each job that has it; `change` is of its sign, if it is printed so."""
    points = [[(line["step"], change(line[key])) for line in job.run.metrics.read() if key in line] for job in jobs]
    return [Curve(*np.array(each, dtype=float).T) for each in points if each]


def panel(width: float = 4.6, height: float = 3.3, grid: Literal["both", "x", "y"] = "both") -> tuple[Figure, Axes]:
    """An empty picture in the style of all of them, so many inches large."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    axes = figure.subplots()
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(axis=grid, alpha=0.25)
    return figure, axes


def draw_curves(
    curves: Mapping[str, Sequence[Curve]], *, x_label: str, y_label: str, others: Sequence[Curve] = ()
) -> Figure:
    """Mean over the seeds of each model, in a band from the lowest seed to the highest; `others` thin and grey below.

    The places of the models give the colours, so `curves` has all of the report; one may have none.
    """
    from matplotlib.ticker import MaxNLocator

    figure, axes = panel()
    shown = []
    for place, (name, seeds) in enumerate(curves.items()):
        if not seeds:
            continue
        steps, values = over_seeds(seeds)
        colour, style = COLOURS[place % len(COLOURS)], STYLES[place // len(COLOURS) % len(STYLES)]
        mean = np.nanmean(values, 0)
        marker, label = "o" if len(steps) <= 30 else None, f" {name}" if name.startswith("_") else name  # else hidden
        axes.plot(steps, mean, style, color=colour, lw=1.5, marker=marker, ms=3.0, label=label)
        if len(values) > 1:
            axes.fill_between(steps, np.nanmin(values, 0), np.nanmax(values, 0), color=colour, alpha=0.18, lw=0)
        shown.append(mean)
    clip_start(axes, shown)
    axes.set(xlabel=x_label, ylabel=y_label)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.legend(frameon=False, fontsize=8)
    if others:
        low, high = axes.get_ylim()
        ends = [curve.values[-1] for curve in others]
        for curve in others:
            axes.plot(*curve, color="0.72", lw=0.7, zorder=0.5)
        axes.set_ylim(min(low, max(min(ends), floor([*ends, *(mean[-1] for mean in shown)]))), high)
    return figure


def floor(values: Sequence[float], times: float = 3.0) -> float:
    """The least of values that a picture need show, so that a few that are far below do not flatten the rest.

    What lies further below the best than `times` as far as the median does is far below.
    """
    best, middle, least = max(values), float(np.median(values)), min(values)
    return max(least, best - times * (best - middle)) if middle < best else least


def over_seeds(curves: Sequence[Curve]) -> tuple[np.ndarray, np.ndarray]:
    """Seeds on the steps of all of them: steps [P] and values [S, P], NaN before a seed's first and after its last."""
    steps = np.unique(np.concatenate([curve.steps for curve in curves]))
    values = [np.interp(steps, curve.steps, curve.values, left=np.nan, right=np.nan) for curve in curves]
    return steps, np.stack(values)


def clip_start(axes: Axes, shown: Sequence[np.ndarray]) -> None:
    """Leaves out the first few of many values where they are so far off that they would flatten the rest."""
    values = np.sort(np.concatenate(shown)) if shown else np.zeros(0)
    values = values[np.isfinite(values)]
    if len(values) < 20:
        return
    cut, spread = len(values) // 20, values[-1] - values[0]
    low, high = values[cut], values[-1 - cut]
    if high <= low or spread < 3 * (high - low):
        return
    first = np.array([mean[0] for mean in shown])
    room = 0.1 * (high - low)
    # Only the side on which training began: the other one holds what it came to.
    if np.median(first) < low + room:
        axes.set_ylim(low - room, values[-1] + room)
    elif np.median(first) > high - room:
        axes.set_ylim(values[0] - room, high + room)


def save(figure: Figure, stem: Path) -> tuple[Path, str]:
    """Writes a picture as PNG (for Markdown and W&B), and returns its file and the same as SVG (for the page)."""
    import io

    stem.parent.mkdir(parents=True, exist_ok=True)
    file = stem.with_suffix(".png")
    with whole_or_nothing(file):
        figure.savefig(file, dpi=150)
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return file, text.getvalue()


class Scale:
    """The axis of a key, from all its values as one would type them.

    Attributes:
      values: the different ones, from the lowest to the highest; words as they come, after the numbers.
      numeric: whether all of them are numbers.
      kind: logarithmic where positive numbers span a decade or more; words where there are others, or a 0 among such.
    """

    def __init__(self, texts: Sequence[str]):
        different = list(dict.fromkeys(texts))
        numbers = {text: number for text in different if (number := as_number(text)) is not None}
        self.values = sorted(different, key=lambda text: numbers.get(text, math.inf))
        self.numeric = len(numbers) == len(different)
        self.kind: Literal["linear", "log", "words"] = "words"
        if self.numeric:
            positive = [number for number in numbers.values() if number > 0]
            wide = bool(positive) and max(positive) >= 10 * min(positive)
            are_positive = len(positive) == len(numbers)
            few = len(different) <= FEW
            # 0 has no place on a logarithmic axis, and beside it the small ones would lie upon each other.
            self.kind = "linear" if not wide or not (are_positive or few) else "log" if are_positive else "words"

    def places(self, texts: Sequence[str]) -> np.ndarray:
        """Where values lie on the axis [N]; of a logarithmic one, log10."""
        if self.kind == "words":
            return np.array([self.values.index(text) for text in texts], dtype=float)
        numbers = np.array([as_number(text) for text in texts], dtype=float)
        return np.log10(numbers) if self.kind == "log" else numbers

    @property
    def ends(self) -> tuple[float, float]:
        """Lowest and highest place; never the same."""
        places = self.places(self.values)
        low, high = float(places.min()), float(places.max())
        return (low, high) if high > low else (low - 0.5, high + 0.5)

    def ticks(self, gap: float) -> list[tuple[float, str]]:
        """Places with their names, none of them nearer to another than `gap` of the axis."""
        named = [(float(place), tidy(text)) for place, text in zip(self.places(self.values), self.values, strict=True)]
        if self.kind == "words":
            return named
        low, high = self.ends
        kept: list[tuple[float, str]] = []
        for place, name in named if len(self.values) <= FEW else self._round():
            if not kept or place - kept[-1][0] >= gap * (high - low):
                kept.append((place, name))
        return kept

    def _round(self) -> list[tuple[float, str]]:
        """Round numbers between the ends."""
        from matplotlib.ticker import MaxNLocator

        low, high = self.ends
        if self.kind == "linear":
            return [(float(x), f"{x:.6g}") for x in MaxNLocator(5).tick_values(low, high) if low <= x <= high]
        powers = range(math.floor(low), math.ceil(high) + 1)
        few = sum(low <= power <= high for power in powers) < 2
        numbers = [first * 10.0**power for power in powers for first in ((1, 2, 5) if few else (1,))]
        return [(math.log10(x), f"{x:.3g}") for x in numbers if low <= math.log10(x) <= high]
