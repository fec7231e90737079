"""Omniglot: handwritten characters of fifty alphabets, as the strokes that drew them.

Lake, Salakhutdinov, Tenenbaum, "Human-level concept learning through probabilistic program induction" (2015); data
under the MIT licence. Drawn with a mouse or on a tablet by people online, each character by twenty.
"""

from __future__ import annotations

import math
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vrnn.data.sketch_rnn import read_sketch_rnn
from vrnn.data.splits import Splits
from vrnn.data.strokes import Ink, ink_splits, require_pen

SIMPLIFIED = "omniglot_stroke3.npz"
RAW = "strokes_background_small1"
SOURCES = {
    "simplified": f"{SIMPLIFIED} (omniglot/omniglot.npz of github.com/hardmaru/sketch-rnn-datasets with its object "
    "arrays repacked: <part>_strokes int16 [sum of T, 3] and <part>_offsets int64 [N + 1] for train, valid, test)",
    "raw": f"{RAW}.zip, or {RAW}/ unzipped (python/{RAW}.zip of github.com/brendenlake/omniglot)",
}


def omniglot(
    x_dim: int = 3,
    seed: int = 0,
    root: str | None = None,
    variant: Literal["simplified", "raw"] = "simplified",
    split_by: Literal["drawer", "alphabet"] = "drawer",
    sample_rate: int | None = 20,
    dequantise: bool = True,
) -> Splits:
    """x_t = (dx, dy, pen-up) of the pen that draws a character, y up, standardised by one joint scalar.

    A drawing starts at its first point, which is no step. pen-up is 1 on the last point of every stroke; the next
    offset spans the gap. No drawing is cut or left out for its length. `variant` says which points:

    - `simplified`: 32,000 drawings of all alphabets as sketch-rnn has them: lines reduced to their corners
      (Ramer-Douglas-Peucker), 2 to 157 points, 31 on average; split 30,000/1,000/1,000 by drawing, so that the parts
      share characters and drawers. Unit: the file's, of which a pixel of the original has about six.
    - `raw`: the 2,720 drawings of five alphabets (the first small background set) point by point, 138 on average.
      Unit: pixels of a drawing of 105 x 105. 80/10/10 per cent of the drawers, or of the alphabets, are in
      train/valid/test (at least one). Drawers are known by their numbers, 1 to 20 in every alphabet; whether one
      person drew two alphabets under two numbers is not recorded.

    Raw points are one per event of the browser, mostly one pixel after another: their offsets say the direction of the
    pen but not its speed. So they are interpolated at equal times within each stroke, `sample_rate` a second; a pause
    longer than two samples counts as two, since the pen may rest for seconds.

    Recorded coordinates are whole units or pixels, over which a density has no ceiling: `dequantise` adds uniform noise
    in [-1/2, 1/2) units to both coordinates of every point but the first, once. Sums of offsets still round to the
    file's points (those of `simplified`), and no model earns more than 0 nats a step in raw space on average.

    Args:
      x_dim: must be 3.
      seed: makes the noise of `dequantise` and the split of `raw`.
      root: the folder that holds `handwriting/`; None: `data` in the working directory.
      variant: see above.
      split_by: what the parts of `raw` do not share.
      sample_rate: positions of the pen per second in `raw`; None: the points as recorded.
      dequantise: see above.

    Raises:
      FileNotFoundError: the file is not there.
      ValueError: a file is damaged, or an argument is out of its range.
    """
    require_pen(x_dim, seed)
    if sample_rate is not None and sample_rate < 5:
        raise ValueError(f"sample_rate must be null (points as recorded) or at least 5, got {sample_rate}")
    folder = Path("data" if root is None else root).expanduser() / "handwriting"
    path = folder / SIMPLIFIED if variant == "simplified" else folder / RAW
    archive = path if variant == "simplified" else path.with_suffix(".zip")
    if not path.is_dir() and not archive.is_file():
        raise FileNotFoundError(
            f"variant={variant} needs {archive.absolute()}, which is not there: expected {SOURCES[variant]}. Give "
            "data.root=<the folder that holds handwriting>, or set VRNN_DATA_DIR to it"
        )
    if variant == "simplified":
        parts = read_sketch_rnn(path)
    else:
        parts = _split(path if path.is_dir() else archive, split_by, sample_rate, seed)
    return ink_splits(parts, dequantise, seed)


def _split(source: Path, split_by: str, sample_rate: int | None, seed: int) -> list[list[Ink]]:
    """The raw drawings of train, valid and test, which share no alphabet or no drawer."""
    groups: dict[str, list[Ink]] = {}
    for name, text in sorted(_texts(source)):
        alphabet, _, drawing = Path(name).parts[-3:]
        group = alphabet if split_by == "alphabet" else Path(drawing).stem.rpartition("_")[2]
        try:
            groups.setdefault(group, []).append(read_drawing(text, sample_rate))
        except ValueError as error:
            raise ValueError(f"{name} in {source.absolute()} is damaged: {error}") from error
    if len(groups) < 3:
        raise ValueError(f"{source.absolute()} must hold drawings by three {split_by}s or more, got {len(groups)}")
    order = np.random.default_rng([seed, 0]).permutation(sorted(groups)).tolist()
    size = math.ceil(len(order) / 10)
    names = order[: -2 * size], order[-2 * size : -size], order[-size:]
    return [[ink for name in part for ink in groups[name]] for part in names]


def _texts(source: Path) -> Iterator[tuple[str, str]]:
    """Name and content of every drawing, `<alphabet>/<character>/<number>_<drawer>.txt`, in the folder or archive."""
    if source.is_dir():
        yield from ((str(path.relative_to(source)), path.read_text()) for path in source.glob("*/*/*.txt"))
        return
    try:
        with zipfile.ZipFile(source) as archive:
            for name in archive.namelist():
                if name.startswith(f"{RAW}/") and name.endswith(".txt"):  # macOS adds a tree of its own
                    yield name, archive.read(name).decode()
    except (zipfile.BadZipFile, EOFError, UnicodeDecodeError) as error:
        raise ValueError(f"{source.absolute()} is damaged ({error}); put an intact copy in its place") from error


def read_drawing(text: str, sample_rate: int | None) -> Ink:
    """The ink of a drawing: the line START, then x,y,t of each point (y negative downwards, t in ms), BREAK per stroke.

    Raises:
      ValueError: the text is none.
    """
    start, *lines = text.split()
    if start != "START" or lines[-1:] != ["BREAK"]:
        raise ValueError("expected START, points as x,y,t and BREAK after each stroke")
    strokes: list[list[list[float]]] = [[]]
    for line in lines:
        if line == "BREAK":
            strokes.append([])
        else:
            strokes[-1].append([float(value) for value in line.split(",")])
    points = [np.array(stroke) for stroke in strokes if stroke]
    if any(stroke.ndim != 2 or stroke.shape[1] != 3 for stroke in points):
        raise ValueError("a point is not x,y,t")
    return Ink.of([stroke[:, :2] if sample_rate is None else _at_equal_times(stroke, sample_rate) for stroke in points])


def _at_equal_times(stroke: NDArray[np.float64], sample_rate: int) -> NDArray[np.float64]:
    """Positions [n, 2] of a stroke of (x, y, t in ms) [N, 3], its first and last point among them."""
    step = 1000.0 / sample_rate
    # At most two samples, since the pen may rest for seconds; at least 1 ms, since some clocks stand or go back.
    times = np.append(0.0, np.diff(stroke[:, 2]).clip(1.0, 2.0 * step).cumsum())  # [N]
    steps = max(round(times[-1] / step), min(1, len(stroke) - 1))
    at = np.linspace(0.0, times[-1], steps + 1)
    return np.column_stack([np.interp(at, times, coordinate) for coordinate in stroke[:, :2].T])
