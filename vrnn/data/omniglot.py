"""Omniglot: handwritten characters of fifty alphabets, as the strokes that drew them.

Lake, Salakhutdinov, Tenenbaum, "Human-level concept learning through probabilistic program induction" (2015); data
under the MIT licence. Drawn with a mouse or on a tablet by people online, each character by twenty.
"""

from __future__ import annotations

import math
import os
from dataclasses import replace
from pathlib import Path
from typing import Literal

import numpy as np

from vrnn.data.ink.omniglot_raw import read_raw
from vrnn.data.ink.sketch_rnn import PARTS, read_sketch_rnn
from vrnn.data.ink.strokes import Ink, ink_splits, require_pen, require_whole_units
from vrnn.data.sources.files import data_folder, listed, require_file, shown
from vrnn.data.sources.partition import split_by_name
from vrnn.data.splits import Splits

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
    assignment: Literal["order", "name"] = "order",
) -> Splits:
    """x_t = (dx, dy, pen-up) of the pen that draws a character, y up, standardised by one joint scalar.

    A drawing starts at its first point, which is no step. pen-up is 1 on the last point of every stroke; the next
    offset spans the gap. No drawing is cut or left out for its length. `variant` says which points:

    - `simplified`: 32,000 drawings of all alphabets as sketch-rnn has them: lines reduced to their corners
      (Ramer-Douglas-Peucker), 2 to 157 points, 31 on average; split 30,000/1,000/1,000 by drawing, so that the parts
      share characters and drawers. Unit: the file's, of which a pixel of the original has about six.
    - `raw`: the 2,720 drawings of five alphabets (the first small background set) point by point, 138 on average.
      Unit: pixels of a drawing of 105 x 105. About 80/10/10 per cent of the drawers, or of the alphabets, are in
      train/valid/test (at least one). Drawers are known by their numbers, 1 to 20 in every alphabet; whether one
      person drew two alphabets under two numbers is not recorded, so a group (`Splits.grouping`) is the drawings of a
      number in an alphabet. `simplified` does not say who drew what.

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
      assignment: how `seed` splits `raw`. `name`: by the name of each drawer or alphabet alone, so that a new one
        moves no other (see `split_by_name`); `order`: by drawing an order of all of them.

    Raises:
      OSError: the file is not there, or cannot be read.
      ValueError: a file is damaged, or an argument is out of its range.
    """
    require_pen(x_dim, seed)
    if sample_rate is not None and sample_rate < 5:
        raise ValueError(f"sample_rate must be null (points as recorded) or at least 5, got {sample_rate}")
    folder = data_folder(root) / "handwriting"
    path = folder / SIMPLIFIED if variant == "simplified" else folder / RAW
    archive = path if variant == "simplified" else path.with_suffix(".zip")
    unpacked = variant == "raw" and os.path.isdir(path)
    if not unpacked:
        advice = "root=<the folder that holds handwriting>"
        require_file(f"variant={variant} needs", archive, f"expected {SOURCES[variant]}. Give {advice}")
    if variant == "simplified":
        drawings = read_sketch_rnn(path)
        drawings.require_all_parts(path)
        parts, files, dropped = [drawings.parts[part] for part in PARTS], [listed(path, folder.parent)], drawings.empty
        if dequantise:
            require_whole_units(parts, shown(path))
    else:
        source = path if unpacked else archive
        raw, files = read_raw(source, sample_rate)
        parts, dropped = _split(raw, source, split_by, assignment, seed), 0
    grouping = "drawer" if variant == "raw" else None
    return replace(ink_splits(parts, dequantise, seed, empty=dropped, grouping=grouping), files=files)


def _split(drawings: list[tuple[str, Ink]], source: Path, split_by: str, assignment: str, seed: int) -> list[list[Ink]]:
    """The raw drawings of train, valid and test, which share no alphabet or no drawer."""
    shared: dict[str, list[Ink]] = {}
    for name, ink in drawings:
        alphabet, _, drawing = name.split("/")
        drawer = Path(drawing).stem.rpartition("_")[2]
        grouped = ink._replace(group=f"{alphabet}, drawer {drawer}")
        shared.setdefault(alphabet if split_by == "alphabet" else drawer, []).append(grouped)
    if len(shared) < 3:
        raise ValueError(
            f"{shown(source)} must hold drawings <alphabet>/<character>/<number>_<drawer>.txt by three {split_by}s or "
            f"more, got {len(shared)}"
        )
    if assignment == "name":
        parts = split_by_name(shared, 0.1, 0.1, seed)
        chosen = [parts[part] for part in PARTS]
    else:
        order = np.random.default_rng([seed, 0]).permutation(sorted(shared)).tolist()
        size = math.ceil(len(order) / 10)
        chosen = [order[: -2 * size], order[-2 * size : -size], order[-size:]]
    return [[ink for name in part for ink in shared[name]] for part in chosen]
