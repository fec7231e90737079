"""Anomaly scores on paper: how they are distributed, and the steps around the highest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

MAX_STEPS = 400  # around the highest score that are drawn
MAX_LINES = 6  # dimensions that are drawn


def draw_scores(
    scores: np.ndarray,
    reference: np.ndarray | None,
    threshold: float | None,
    path: Path,
    *,
    x: np.ndarray,
    own: np.ndarray,
    labels: np.ndarray | None,
    columns: Sequence[str],
    name: str,
) -> Path:
    """Draws two histograms, and a sequence with its scores below it.

    Args:
      scores: of all steps [n], NaN where there is none.
      reference: of valid [m]; None: there are none.
      threshold: above which a step is an anomaly; None: there is none.
      path: where the PNG goes.
      x: the sequence with the highest score, in raw units [T, D], NaN where nothing was observed.
      own: its scores [T].
      labels: 1 where a step of it is an anomaly [T]; None: nothing is known.
      columns: names of the dimensions.
      name: of the sequence.

    Returns:
      The path.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10.0, 4.6), dpi=130, layout="constrained")
    FigureCanvasAgg(figure)
    grid = figure.add_gridspec(2, 2, width_ratios=(1.0, 1.8))
    histogram = figure.add_subplot(grid[:, 0])
    above = figure.add_subplot(grid[0, 1])
    below = figure.add_subplot(grid[1, 1], sharex=above)
    known = scores[np.isfinite(scores)]
    edges = np.linspace(known.min(), known.max(), 60).tolist()
    histogram.hist(known, edges, density=True, color="#1f5fa8", alpha=0.6, label="scored")
    if reference is not None:
        histogram.hist(reference, edges, density=True, color="#222222", histtype="step", label="valid")
    histogram.set_yscale("log")
    histogram.set_xlabel("score: - log p(x_t | x_<t) [nats]")
    histogram.set_ylabel("share of the steps per nat")
    best = int(np.nanargmax(own))
    shown = slice(max(0, best - MAX_STEPS // 2), best + MAX_STEPS // 2)
    steps = np.arange(len(own))[shown]
    spread = np.nanstd(x, 0)
    for number in range(min(x.shape[1], MAX_LINES)):
        line = (x[shown, number] - np.nanmean(x[:, number])) / (spread[number] or 1.0)
        above.plot(steps, line, lw=0.9, label=columns[number])
    above.set_ylabel("standard deviations")
    above.legend(frameon=False, fontsize=7, ncols=3, loc="upper left")
    above.set_title(name, loc="left", fontsize=10, fontweight="bold")
    below.plot(steps, own[shown], color="#1f5fa8", lw=0.9)
    below.set_ylabel("score [nats]")
    below.set_xlabel("step")
    for axes, draw in ((histogram, histogram.axvline), (below, below.axhline)):
        if threshold is not None:
            draw(threshold, color="#e0631b", lw=0.9, ls="--", label="threshold")
        axes.spines[["top", "right"]].set_visible(False)
    histogram.legend(frameon=False, fontsize=8)
    if labels is not None:
        for axes in (above, below):
            low, high = axes.get_ylim()
            axes.fill_between(steps, low, high, where=labels[shown] > 0, color="#e0631b", alpha=0.15, lw=0, step="mid")
            axes.set_ylim(low, high)
    above.spines[["top", "right"]].set_visible(False)
    figure.savefig(path)
    return path
