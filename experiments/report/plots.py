"""Curves of several models in one picture, each model in the colour that it has in all of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe and Ito's colours, which the colour-blind can tell apart; the line styles survive a grey printer.
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000")
STYLES = ("-", "--", "-.", ":")


class Curve(NamedTuple):
    """One seed's values over its own steps: both [P]."""

    steps: np.ndarray
    values: np.ndarray


def draw_curves(
    curves: Mapping[str, Sequence[Curve]], order: Sequence[str], *, x_label: str, y_label: str, legend: bool = True
) -> Figure:
    """Mean over the seeds of each model, in a band from the lowest seed to the highest.

    Args:
      curves: of each model, one for each seed; models without a curve are not drawn.
      order: all models of the report; the place in it gives the colour.
      x_label, y_label: with units.
      legend: names the models.
    """
    from matplotlib.figure import Figure
    from matplotlib.ticker import MaxNLocator

    figure = Figure(figsize=(4.6, 3.3), layout="constrained")
    axes = figure.subplots()
    shown = []
    for place, name in enumerate(order):
        if not curves.get(name):
            continue
        steps, values = over_seeds(curves[name])
        colour, style = COLOURS[place % len(COLOURS)], STYLES[place // len(COLOURS) % len(STYLES)]
        mean = np.nanmean(values, 0)
        marker = "o" if len(steps) <= 30 else None
        axes.plot(steps, mean, style, color=colour, lw=1.5, marker=marker, ms=3.0, label=name)
        if len(values) > 1:
            axes.fill_between(steps, np.nanmin(values, 0), np.nanmax(values, 0), color=colour, alpha=0.18, lw=0)
        shown.append(mean)
    clip_start(axes, shown)
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axes.spines[["top", "right"]].set_visible(False)
    axes.grid(alpha=0.25)
    if legend:
        axes.legend(frameon=False, fontsize=8)
    return figure


def over_seeds(curves: Sequence[Curve]) -> tuple[np.ndarray, np.ndarray]:
    """Seeds on the steps of all of them: steps [P] and values [S, P], NaN before a seed's first and after its last."""
    steps = np.unique(np.concatenate([curve.steps for curve in curves]))
    values = [np.interp(steps, curve.steps, curve.values, left=np.nan, right=np.nan) for curve in curves]
    return steps, np.stack(values)


def clip_start(axes: object, shown: Sequence[np.ndarray]) -> None:
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
    figure.savefig(file, dpi=150)
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
    return file, text.getvalue()
