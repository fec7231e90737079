"""Images that were read row by row or pixel by pixel: digits."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

# Sizes in dots of the PNG, 200 to the inch. An image pixel is a whole number of dots, so that no pixel looks larger.
DPI = 200
IMAGE = 112  # an image is about as wide
LINE = 2  # separators, and the edge of the given part
BLOCK = 24  # space between blocks of rows
COLUMNS = 16  # images beside one another; then a new block begins
CHARACTER, TEXT_LINE = 14, 31  # a character's width and a line's height in 9 pt, with some slack

PAPER, INK = (1.0, 1.0, 1.0), (0.05, 0.05, 0.1)
GIVEN = (0.80, 0.88, 0.97)
MISSING, SEPARATOR = (0.86, 0.86, 0.86), (0.72, 0.72, 0.72)
EDGE = (0.85, 0.15, 0.15)


class Digits:
    """Draws each sequence as an image of side x side pixels, filled row by row, black where x is 1.

    Several labels give one row of images each, so that the k-th images stand in one column; a single label gives a
    square grid. What a sequence is too short for is grey. With a prefix, the given part is blue and ends at a red line.

    Args:
      side: rows and columns of an image, pixels. It is given because it cannot be guessed: 7 generated rows of
        28 pixels are as many pixels as an image of 14 x 14.
    """

    def __init__(self, side: int = 28):
        if side < 1:
            raise ValueError(f"side must be at least 1, got {side}")
        self.side = side

    def draw(
        self, rows: Mapping[str, Sequence[np.ndarray]], path: str | Path, *, title: str, prefix: int | None = None
    ) -> list[Path]:
        """Writes the PNG; the arguments are those of every figure, see `vrnn.figures`.

        Raises:
          ValueError: there is no sequence, or one does not fit into an image.
        """
        number = max((len(sequences) for sequences in rows.values()), default=0)
        if number == 0:
            raise ValueError("rows must hold at least one sequence to draw, got none")
        images = {label: [self._image(x, prefix or 0) for x in sequences] for label, sequences in rows.items()}
        columns = min(COLUMNS, number if len(rows) > 1 else math.ceil(math.sqrt(number)))
        blocks = range(0, number, columns)
        gap = BLOCK if len(rows) > 1 else -LINE  # the blocks of a single label share their separators

        cell = len(next(iter(images.values()))[0]) + LINE
        height = len(rows) * cell + LINE  # of a block
        canvas = np.ones((len(blocks) * (height + gap) - gap, columns * cell + LINE, 3)) * PAPER
        marks: list[tuple[int, str]] = []  # (dots from the top, label)
        for i, first in enumerate(blocks):
            for j, (label, line) in enumerate(images.items()):
                top = i * (height + gap) + j * cell
                marks.append((top + cell // 2, label))
                for k, image in enumerate(line[first : first + columns]):
                    framed = np.pad(image, ((LINE, LINE), (LINE, LINE), (0, 0)))
                    framed[:LINE] = framed[-LINE:] = framed[:, :LINE] = framed[:, -LINE:] = SEPARATOR
                    canvas[top : top + cell + LINE, k * cell : (k + 1) * cell + LINE] = framed
        note = "blue, up to the red line: given" if prefix else ""
        return [_write(canvas, Path(path), title, marks if len(rows) > 1 else [], note)]

    def _image(self, x: np.ndarray, prefix: int) -> np.ndarray:
        """The image of a sequence x [T, D] in colour, side x side pixels enlarged to dots [N, N, 3]."""
        size = self.side**2
        if x.ndim != 2 or x.size > size or (self.side % x.shape[1] and x.shape[1] % self.side):
            raise ValueError(
                f"a sequence must be [T, D] with whole rows or parts of rows as steps, T*D at most {size}, to be drawn "
                f"as an image of {self.side} x {self.side} pixels, got {list(x.shape)}; set figures.side to the "
                "side of the image, or choose the figures that belong to the data"
            )
        ink = np.full(size, np.nan)
        ink[: x.size] = np.clip(x.reshape(-1), 0, 1)
        given = np.arange(size) < prefix * x.shape[1]
        ground = np.where(given[:, None], GIVEN, PAPER)
        colours = ground + ink[:, None] * (np.array(INK) - ground)
        colours = np.where(np.isnan(colours), MISSING, colours)

        dots = max(1, round(IMAGE / self.side))  # a pixel's side
        colours, given = (v.reshape(self.side, self.side, -1).repeat(dots, 0).repeat(dots, 1) for v in (colours, given))
        beyond = np.pad(given, ((0, LINE), (0, LINE), (0, 0)), mode="edge")
        inside = beyond[LINE:, :-LINE] & beyond[:-LINE, LINE:]  # given below and to the right as well
        return np.where(given & ~inside, EDGE, colours)


def _write(canvas: np.ndarray, path: Path, title: str, marks: list[tuple[int, str]], note: str) -> Path:
    """Writes a canvas of dots [height, width, 3] with its title, the labels of its rows and a note below."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    margin = TEXT_LINE // 2
    left = margin + max((len(label) * CHARACTER for _, label in marks), default=0)
    width = max(left + canvas.shape[1] + margin, len(note) * CHARACTER, 32 * CHARACTER)
    lines = textwrap.wrap(title, (width - 2 * margin) // CHARACTER)
    top = margin + len(lines) * TEXT_LINE
    height = top + canvas.shape[0] + margin + (TEXT_LINE if note else 0)

    figure = Figure(figsize=(width / DPI, height / DPI), dpi=DPI)
    FigureCanvasAgg(figure)
    figure.figimage(canvas, left, height - top - len(canvas), resize=False, origin="upper")  # dot by dot
    style: dict[str, Any] = {"fontsize": 9, "parse_math": False}
    figure.text(left / width, 1 - margin / 2 / height, "\n".join(lines), va="top", **style)
    for y, label in marks:
        figure.text((left - 8) / width, 1 - (top + y) / height, label, ha="right", va="center", **style)
    figure.text(left / width, margin / 2 / height, note, va="bottom", fontsize=7, color="0.35")
    figure.savefig(path, dpi=DPI)
    return path
