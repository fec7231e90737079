"""Pen strokes: each sequence as ink on paper."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure

PAGE, LEAST = 10.2, 6.8  # inches; width that is shared by columns, and that the legend needs
MARGIN, LINE = 0.2, 0.22  # inches; at the edges of the page, and for a line of text
HEIGHT = 1.2  # inches that a drawing should be high; what is wider gets fewer columns
ACROSS = 6  # columns at most
MOST = {True: 8, False: 4}  # examples of several labels, side by side or one below the other: more would not fit a page
DOT = 2.25  # points; largest diameter
AIR = "#b4bac4"
GIVEN, WRITTEN = "#1f5fa8", "#e0631b"
SLOW_TO_FAST = ("#1b1640", "#5b2a86", "#c2416b", "#f4923b")


class Drawing(NamedTuple):
    """A sequence on paper, its lower left corner at the origin.

    Attributes:
      points: positions of the pen, the start first [T + 1, 2].
      on_paper: whether the move to point t + 1 leaves ink [T].
      extent: width and height [2].
    """

    points: np.ndarray
    on_paper: np.ndarray
    extent: np.ndarray

    @classmethod
    def of(cls, sequence: np.ndarray) -> Drawing:
        """The drawing of offsets dx, dy (up) and pen-up [T, 3]; a move starts in the air where the last pen-up > 0.5.

        Raises:
          ValueError: the sequence is not [T, 3].
        """
        sequence = np.asarray(sequence, dtype=np.float64)
        if sequence.ndim != 2 or sequence.shape[1] != 3:
            raise ValueError(f"a sequence must be [T, 3], of dx, dy and pen-up, got {list(sequence.shape)}")
        # A model that has diverged is still drawn, as far as there is something to draw.
        sequence = np.nan_to_num(sequence, posinf=0.0, neginf=0.0)
        points = np.concatenate([np.zeros((1, 2)), sequence[:, :2].cumsum(axis=0)])
        on_paper = np.concatenate([[True], sequence[:-1, 2] <= 0.5])[: len(sequence)]
        return cls(points - points.min(axis=0), on_paper, np.ptp(points, axis=0))

    @property
    def distance(self) -> np.ndarray:
        """Length of each move [T]."""
        return np.hypot(*np.diff(self.points, axis=0).T)

    def placed(self, left: float, middle: float, cell: np.ndarray) -> Drawing:
        """The drawing moved to a cell of the page, from its left edge on and around its middle; shrunk if too large."""
        shrink = min(1.0, *(cell / np.maximum(self.extent, 1e-12)))
        points = (self.points - (0.0, self.extent[1] / 2)) * shrink + (left, middle)
        return self._replace(points=points, extent=self.extent * shrink)


class Page(NamedTuple):
    """Where drawings stand: a block of cells per example, its L labels side by side or, if there is no room, stacked.

    Attributes:
      cell: width and height that a drawing may fill, in its units [2].
      across: cells that there is room for across the page.
      block: rows and columns of a block, (1, L) or (L, 1).
      examples: number of them.
    """

    cell: np.ndarray
    across: int
    block: tuple[int, int]
    examples: int

    @classmethod
    def of(cls, extents: list[np.ndarray], labels: int, examples: int) -> Page:
        """A page for drawings like these."""
        cell = _cell(extents)
        across = int(np.clip(round(PAGE / (HEIGHT * cell[0] / cell[1])), 1, ACROSS))
        beside = labels <= across
        block = (1, labels) if beside else (labels, 1)
        return cls(cell, across, block, examples if labels == 1 else min(examples, MOST[beside]))

    @property
    def stacked(self) -> bool:
        return self.block[0] > 1

    @property
    def pitch(self) -> np.ndarray:
        """From one cell to the next [2]; what is stacked has its label above it."""
        label = 1.4 * LINE * self.cell[0] / (PAGE / self.across) if self.stacked else 0.0
        return self.cell * (1.12, 1.15) + (0.0, label)

    @property
    def scale(self) -> float:
        """Inches per unit of a drawing."""
        return PAGE / self.across / self.pitch[0]

    @property
    def size(self) -> np.ndarray:
        """Columns and rows of cells [2]."""
        beside = self.across // self.block[1]
        return np.array([self.block[1] * min(self.examples, beside), self.block[0] * -(-self.examples // beside)])

    def corner(self, label: int, example: int) -> np.ndarray:
        """Upper left corner of a drawing's cell [2]; y is up, and 0 at the top of the page."""
        row, column = np.multiply(self.block, divmod(example, self.across // self.block[1]))
        row, column = (row + label, column) if self.stacked else (row, column + label)
        return self.pitch * (column, -row)

    def rule(self, axes: Axes) -> None:
        """Draws lines between the blocks."""
        line: dict[str, Any] = {"color": "#e8eaee", "linewidth": 0.6, "zorder": 0}
        (columns, rows), (down, beside) = self.size, self.block
        for row in range(down, rows, down):
            axes.axhline(-row * self.pitch[1], **line)
        for column in range(beside, columns, beside) if max(self.block) > 1 else ():
            axes.axvline(column * self.pitch[0] - 0.06 * self.cell[0], **line)


class Strokes:
    """Draws each sequence [T, 3] of (dx, dy, pen-up) as ink, all at one scale.

    Small drawings stand beside each other, long lines below each other; so do the labels of an example.
    Dots are the positions of the pen, one a step: where they are far apart, the step is long, and the colour says so
    too. Moves in the air are dashed. With a prefix, the colours are those of the given part and of what follows it.
    The scale is that of the first label; drawings that are too large for it are shrunk to their cell. Of several
    labels, the first 8 examples are drawn, or 4 where labels are stacked.
    """

    def draw(
        self, rows: Mapping[str, Sequence[np.ndarray]], path: str | Path, *, title: str, prefix: int | None = None
    ) -> list[Path]:
        """Writes the PNG; the arguments are those of every figure, see `vrnn.figures`.

        Raises:
          ValueError: there is no sequence, or one is not [T, 3].
        """
        from matplotlib.figure import Figure

        drawn = {label: [Drawing.of(x) for x in sequences] for label, sequences in rows.items() if len(sequences)}
        if not drawn:
            raise ValueError("rows must hold at least one sequence to draw, got none")
        reference = next(iter(drawn.values()))
        page = Page.of([d.extent for d in reference], len(drawn), max(map(len, drawn.values())))
        drawn = {label: drawings[: page.examples] for label, drawings in drawn.items()}

        frame = np.maximum(page.size * page.pitch * page.scale, (LEAST, 0))  # inches
        text = textwrap.fill(title, int(8.2 * frame[0]))
        below, above = 2.2 * LINE, (2.4 + text.count("\n")) * LINE
        width, height = frame[0] + 2 * MARGIN, frame[1] + below + above
        figure = Figure(figsize=(width, height), dpi=160)
        figure.text(MARGIN / width, 1 - 0.4 * LINE / height, text, va="top", fontsize=12, fontweight="bold")
        axes = figure.add_axes((MARGIN / width, below / height, frame[0] / width, frame[1] / height))
        axes.set(xlim=(0, frame[0] / page.scale), ylim=(-frame[1] / page.scale, 0))
        axes.set_axis_off()
        page.rule(axes)
        placed = []
        for number, (label, drawings) in enumerate(drawn.items()):
            for example, drawing in enumerate(drawings):
                left, top = page.corner(number, example)
                placed.append(drawing.placed(left, top - page.pitch[1] + 0.575 * page.cell[1], page.cell))
                style: dict[str, Any] = {"textcoords": "offset points", "color": "#444444"}
                if page.stacked:
                    axes.annotate(label, (left, top), (0, -12), fontsize=9, **style)
                elif top == 0 and (len(drawn) > 1 or example == 0):
                    axes.annotate(label, (left, 0), (0, 4), fontsize=10, **style)
        ink = _ink(axes, placed, [d for drawings in drawn.values() for d in drawings], reference, prefix, page.scale)
        _legend(figure, ink, prefix)
        figure.savefig(path)
        return [Path(path)]


def _cell(extents: list[np.ndarray]) -> np.ndarray:
    """Width and height of a cell [2] that nine in ten of the drawings fit into, neither a thread nor a tower."""
    width, height = np.quantile(extents, 0.9, axis=0)
    width = max(width, 0.5 * height) or 1.0
    return np.array([width, np.clip(height, 0.09 * width, width)])


def _ink(
    axes: Axes,
    placed: list[Drawing],
    raw: list[Drawing],
    reference: list[Drawing],
    prefix: int | None,
    scale: float,
) -> LineCollection:
    """Draws ink, dots and dashes of all drawings; returns the ink, whose colours stand for the length of a step."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import LinearSegmentedColormap, Normalize

    moves = np.concatenate([np.stack([d.points[:-1], d.points[1:]], axis=1) for d in placed])  # [moves, 2, 2]
    inked = np.concatenate([d.on_paper for d in placed])
    axes.add_collection(
        LineCollection(moves[~inked], colors=AIR, linewidths=0.6, linestyles=(0, (4, 3)), zorder=1, clip_on=False)
    )
    steps = np.concatenate([d.distance[d.on_paper] for d in reference])  # of the first label, as the scale
    dot = np.clip(0.55 * 72.0 * scale * np.median(steps), 0.4 * DOT, DOT)  # so that dots and loops stay apart
    ink = LineCollection(moves[inked], linewidths=0.58 * dot, capstyle="round", zorder=2, clip_on=False)
    if prefix is None:
        speed = np.concatenate([d.distance for d in raw])[inked]
        fastest = np.quantile(steps, 0.98)
        ink.set(
            array=speed, cmap=LinearSegmentedColormap.from_list("ink", SLOW_TO_FAST), norm=Normalize(0, fastest or 1)
        )
        colors = ink.to_rgba(speed)
    else:
        given = np.concatenate([np.arange(len(d.on_paper)) < prefix for d in placed])[inked]
        colors = np.where(given, GIVEN, WRITTEN)
        ink.set(colors=colors)
    axes.add_collection(ink)
    # Both ends of every move on paper; the beginning of one is mostly the end of the last, and hidden below it.
    for end in (0, 1):
        x, y = moves[inked, end].T
        axes.scatter(x, y, s=dot**2, c=colors, linewidths=0, zorder=3, clip_on=False)
    return ink


def _legend(figure: Figure, ink: LineCollection, prefix: int | None) -> None:
    """Says below the drawings what dots, dashes and colours are."""
    from matplotlib.lines import Line2D

    dot: dict[str, Any] = {"marker": "o", "markersize": 2.5, "linewidth": 1.3}
    inks = {"ink, a dot per step": SLOW_TO_FAST[1]}
    if prefix is not None:
        inks = {f"given ({prefix} steps)": GIVEN, "what follows": WRITTEN}
    handles = [Line2D([], [], color=color, label=label, **dot) for label, color in inks.items()]
    handles.append(Line2D([], [], color=AIR, linewidth=0.8, linestyle=(0, (4, 3)), label="pen in the air"))
    width, height = figure.get_size_inches()
    at = (0.4 * MARGIN / width, LINE / height)
    figure.legend(handles=handles, loc="center left", bbox_to_anchor=at, ncols=3, frameon=False, fontsize=9)
    if prefix is None:
        length, left = 1.5 / width, 1 - (MARGIN + 1.5) / width
        bar_axes = figure.add_axes((left, 0.85 * LINE / height, length, 0.3 * LINE / height))
        bar = figure.colorbar(ink, cax=bar_axes, orientation="horizontal", extend="max")
        bar.outline.set_visible(False)
        bar_axes.tick_params(labelsize=7, length=2, pad=1)
        bar_axes.locator_params(nbins=4)
        figure.text(left - 0.1 / width, LINE / height, "distance per step", ha="right", va="center", fontsize=9)
