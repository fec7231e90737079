"""Drawings in the files of sketch-rnn: Quick, Draw!, Aaron Koblin's sheep, and whatever is stored as they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from vrnn.data.sketch_rnn import read_sketch_rnn
from vrnn.data.splits import Consent, Corpus, Splits
from vrnn.data.strokes import ink_splits, require_pen


def sketch(
    x_dim: int = 3,
    seed: int = 0,
    root: Corpus = None,
    path: str = "sketch.npz",
    allow_pickle: Consent = False,
    dequantise: bool = True,
) -> Splits:
    """x_t = (dx, dy, pen-up) of any npz file of sketch-rnn, y up, in its own three parts, one joint scalar.

    A drawing starts at its first point, which is no step. pen-up is 1 on the last point of every stroke; the next
    offset spans the gap. Drawings keep their length; those of one point have no step and are left out.

    Files, for instance `sketchrnn/cat.npz` of Quick, Draw! (Google, CC BY 4.0) or `aaron_sheep/aaron_sheep.npz` of
    github.com/hardmaru/sketch-rnn-datasets, have the layout that `vrnn.data.sketch_rnn` describes; licence and unit
    are theirs. Most of them hold pickled objects, which are read with `allow_pickle` only.

    Coordinates are mostly whole numbers, over which a density has no ceiling: `dequantise` adds uniform noise in
    [-1/2, 1/2) units to both coordinates of every point but the first, once.

    Args:
      x_dim: must be 3.
      seed: makes the noise of `dequantise`.
      root: the folder that holds the file; None: `data` in the working directory.
      path: the file, below `root` or absolute.
      allow_pickle: whether the file may run code while it is read.
      dequantise: see above.

    Raises:
      FileNotFoundError: the file is not there.
      ValueError: the file is damaged, stores pickled objects and may not, or an argument does not fit it.
    """
    require_pen(x_dim, seed)
    file = Path("data" if root is None else root, path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(
            f"there is no file {file.absolute()}: give data.path=<an npz file of sketch-rnn>, below data.root or "
            "absolute; github.com/googlecreativelab/quickdraw-dataset and github.com/hardmaru/sketch-rnn-datasets say "
            "where such files are"
        )
    parts = read_sketch_rnn(file, allow_pickle)
    if dequantise and not all((np.mod(ink.points, 1.0) == 0.0).all() for part in parts for ink in part):
        raise ValueError(f"dequantise must be false for {file.absolute()}, whose coordinates are no whole numbers")
    return ink_splits(parts, dequantise, seed)
