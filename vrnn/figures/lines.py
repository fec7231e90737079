"""Series as lines over time: one panel for each column, bands where there are many draws."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Array = NDArray[np.float32]

MAX_PANELS = 8  # dimensions drawn, the first ones
MANY = 4  # draws of one label from which on they are a band
PANEL, WIDTH, MARGIN = 1.15, 4.0, 0.9  # inches: height and width of a panel, and what is around them
INPUT, DRAWN = "#222222", ("#e0631b", "#1f5fa8", "#3a8f4a", "#8a4fa0")
BANDS = ((0.05, 0.95, 0.18), (0.25, 0.75, 0.32))  # quantiles, opacity


class Lines:
    """Draws each sequence [T, D] as D lines over its steps; what was not observed is a gap.

    Labels that differ in a number at their end ("continuation 1", "continuation 2", ...) are draws of one thing: from
    four on they are drawn as their median with the bands that hold 50 and 90 % of them, fewer as lines.

    Args:
      columns: names of the dimensions, with their units if they have some; None: x0, x1, ...
      num_paths: draws that whoever asks for a band should make.
      num_examples: examples drawn side by side at most, the first ones.

    Raises:
      ValueError: num_paths or num_examples is below 1.
    """

    def __init__(self, columns: list[str] | None = None, num_paths: int = 50, num_examples: int = 3):
        for name, value in {"num_paths": num_paths, "num_examples": num_examples}.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        self.columns = columns
        self.num_paths = num_paths
        self.num_examples = num_examples

    def draw(
        self, rows: Mapping[str, Sequence[Array]], path: str | Path, *, title: str, prefix: int | None = None
    ) -> list[Path]:
        """Writes the PNG; the arguments are those of every figure, see `vrnn.figures`.

        Raises:
          ValueError: there is no sequence to draw.
        """
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        rows = {label: list(sequences) for label, sequences in rows.items() if len(sequences)}
        if not rows:
            raise ValueError("rows must hold at least one sequence to draw, got none")
        examples = min(self.num_examples, min(len(sequences) for sequences in rows.values()))
        x_dim = next(iter(rows.values()))[0].shape[1]
        panels = min(x_dim, MAX_PANELS)
        size = (MARGIN + WIDTH * examples, MARGIN + 0.3 + PANEL * panels)
        figure = Figure(figsize=size, dpi=130)
        FigureCanvasAgg(figure)
        places = {"left": 0.75 / size[0], "right": 1 - 0.15 / size[0], "bottom": 0.45 / size[1]}
        places |= {"top": 1 - 0.7 / size[1], "hspace": 0.12, "wspace": 0.14}
        axes = figure.subplots(panels, examples, sharex="col", sharey="row", squeeze=False, gridspec_kw=places)
        note = f" (the first {panels} of {x_dim} columns)" if panels < x_dim else ""
        text = textwrap.shorten(title + note, int(11 * size[0]))
        figure.text(places["left"], 1 - 0.08 / size[1], text, va="top", fontsize=11, fontweight="bold")
        for dimension, line in enumerate(axes):
            for example, ax in enumerate(line):
                chosen = {
                    label: [np.asarray(each[example])[:, dimension] for each in draws]
                    for label, draws in gathered(rows).items()
                }
                _draw_panel(ax, chosen, prefix)
            line[0].set_ylabel(textwrap.shorten(self.name(dimension), 22, placeholder="..."), fontsize=8)
        for ax in axes[-1]:
            ax.set_xlabel("step", fontsize=8)
        handles, labels = axes[0, 0].get_legend_handles_labels()
        where = (places["left"], 1 - 0.3 / size[1])
        figure.legend(handles, labels, loc="upper left", bbox_to_anchor=where, ncols=4, frameon=False, fontsize=8)
        figure.savefig(path)
        return [Path(path)]

    def name(self, dimension: int) -> str:
        """What a dimension is called."""
        known = self.columns is not None and dimension < len(self.columns)
        return self.columns[dimension] if known and self.columns is not None else f"x{dimension}"


def gathered(rows: Mapping[str, Sequence[Any]]) -> dict[str, list[Sequence[Any]]]:
    """Draws of one thing together: {"a 1": p, "a 2": q, "b": r} -> {"a": [p, q], "b": [r]}."""
    found: dict[str, list[Sequence[Any]]] = {}
    for label, sequences in rows.items():
        found.setdefault(re.sub(r" \d+$", "", label), []).append(sequences)
    return found


def _draw_panel(ax: Axes, chosen: Mapping[str, list[Array]], prefix: int | None) -> None:
    """Lines and bands of one dimension of one example."""
    colours = iter(DRAWN * len(chosen))
    for label, draws in chosen.items():
        given = label == "input"
        colour = INPUT if given else next(colours)
        style: dict[str, Any] = {"color": colour, "lw": 1.0 if given else 0.9, "zorder": 3 if given else 2}
        if len(draws) < MANY:
            for number, values in enumerate(draws):
                ax.plot(np.arange(len(values)), values, label=None if number else label, **style)
            continue
        length = min(map(len, draws))
        stacked = np.stack([values[:length] for values in draws])  # [draws, T]
        start = (prefix or 0) if label.startswith("continuation") else 0
        steps = np.arange(start, length)
        for low, high, opacity in BANDS:
            edges = np.quantile(stacked[:, start:], [low, high], axis=0)
            ax.fill_between(steps, *edges, color=colour, alpha=opacity, lw=0, zorder=1)
        median = np.median(stacked[:, start:], axis=0)
        ax.plot(steps, median, label=f"{label}: median, 50 and 90 % of {len(draws)}", **style)
    if prefix is not None:
        ax.axvline(prefix - 0.5, color="#999999", lw=0.8, ls=":")
    ax.spines[["top", "right"]].set_visible(False)
    ax.tick_params(labelsize=7, length=2)
