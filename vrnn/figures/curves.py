"""Learning curves: the bound and the KL over the updates."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any


def draw_curves(metrics: Iterable[dict[str, Any]], path: Path, *, mark: str) -> Path:
    """Draws train and valid bound per step, and the KL, from the lines of a metrics file.

    Args:
      metrics: lines with `step` and either train/... or valid/... values.
      path: where the PNG goes.
      mark: of the bound, for instance "≥ ".

    Returns:
      The path.
    """
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    lines = list(metrics)
    figure = Figure(figsize=(8.0, 3.0))
    FigureCanvasAgg(figure)
    places = {"left": 0.1, "right": 0.985, "bottom": 0.16, "top": 0.96, "wspace": 0.25}
    bound, kl = figure.subplots(1, 2, gridspec_kw=places)
    for axes, key, label in (
        (bound, "log_likelihood_per_step", f"log-likelihood {mark.strip()}".strip() + " [nats per step]"),
        (kl, "kl", "KL [nats per sequence]"),
    ):
        shown = []
        for split, style in (("train", {"lw": 1.0, "alpha": 0.8}), ("valid", {"lw": 1.0, "marker": "o", "ms": 3.5})):
            points = [(line["step"], line[f"{split}/{key}"]) for line in lines if f"{split}/{key}" in line]
            if points:
                axes.plot(*zip(*points, strict=True), label=split, **style)
                shown += [value for _, value in points]
        if len(shown) > 20:  # the first few updates are far off and would flatten the rest
            low, high = sorted(shown)[len(shown) // 20], max(shown)
            axes.set_ylim(low - 0.1 * (high - low), high + 0.1 * (high - low)) if high > low else None
        axes.set_xlabel("updates")
        axes.set_ylabel(label)
        axes.spines[["top", "right"]].set_visible(False)
        axes.grid(alpha=0.25)
    bound.legend(frameon=False)
    figure.savefig(path, dpi=130)
    return path
