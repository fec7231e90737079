"""Drawings in the files of sketch-rnn: Quick, Draw!, Aaron Koblin's sheep, and whatever is stored as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from vrnn.data.ink.sketch_rnn import PARTS, read_sketch_rnn
from vrnn.data.ink.strokes import Ink, ink_splits, require_pen, require_whole_units
from vrnn.data.marks import Consent, Corpus
from vrnn.data.sources.files import data_folder, listed, require_file, shown
from vrnn.data.sources.partition import place
from vrnn.data.splits import Splits


def sketch(
    x_dim: int = 3,
    seed: int = 0,
    root: Corpus = None,
    path: str = "sketch.npz",
    allow_pickle: Consent = False,
    dequantise: bool = True,
    max_offset: float | None = None,
    valid_fraction: float | None = None,
) -> Splits:
    """x_t = (dx, dy, pen-up) of any npz file of sketch-rnn, y up, in its own three parts, one joint scalar.

    A drawing starts at its first point, which is no step. pen-up is 1 on the last point of every stroke; the next
    offset spans the gap. Drawings keep their length; those of one point or none have no step and are left out.

    Files, for instance `sketchrnn/cat.npz` of Quick, Draw! (Google, CC BY 4.0) or `aaron_sheep/aaron_sheep.npz` of
    github.com/hardmaru/sketch-rnn-datasets, have the layout that `vrnn.data.ink.sketch_rnn` describes; licence and unit
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
      max_offset: size to which larger offsets are cut, in the file's unit; sketch-rnn cuts to 1000, since larger ones
        are gaps, or the ends of int16. None: none is.
      valid_fraction: for a file without `valid`: the share of its `train` that validates, drawn by `seed` for each
        drawing by its own number, so that drawings added at the end move no other. None: the file has a `valid`.

    Raises:
      OSError: the file is not there, or cannot be read.
      ValueError: the file is damaged, stores pickled objects and may not, or an argument does not fit it.
    """
    require_pen(x_dim, seed)
    if max_offset is not None and not max_offset > 0:
        raise ValueError(f"max_offset must be null or above 0, got {max_offset}")
    if max_offset is not None and dequantise and max_offset % 1.0:
        raise ValueError(f"max_offset must be a whole number where dequantise adds noise of one, got {max_offset}")
    if valid_fraction is not None and not 0 < valid_fraction < 1:
        raise ValueError(f"valid_fraction must be null or between 0 and 1, got {valid_fraction}")
    folder = data_folder(root)
    file = folder / Path(path).expanduser()
    require_file(
        "path must lead to an npz file of sketch-rnn, but it leads to",
        file,
        "give path=<the file>, below root or absolute; github.com/googlecreativelab/quickdraw-dataset and "
        "github.com/hardmaru/sketch-rnn-datasets say where such files are",
    )
    drawings = read_sketch_rnn(file, allow_pickle, max_offset)
    parts = drawings.parts
    if set(parts) == {"train", "test"}:
        if valid_fraction is None:
            raise ValueError(
                f"valid_fraction must be given, such as 0.05, for {shown(file)}, which has train and test but no "
                "valid: that share of train is then taken for it"
            )
        drawn: dict[bool, list[Ink]] = {True: [], False: []}
        for ink in parts["train"]:
            drawn[place(ink.name, seed) < valid_fraction].append(ink)
        parts |= {"valid": drawn[True], "train": drawn[False]}
    elif valid_fraction is not None:
        raise ValueError(f"valid_fraction must be null for {shown(file)}, which has a part valid of its own")
    drawings.require_all_parts(file)
    chosen = [parts[part] for part in PARTS]
    if dequantise:
        require_whole_units(chosen, shown(file))
    splits = ink_splits(chosen, dequantise, seed, empty=drawings.empty)
    cut = {f"offsets cut to {max_offset:g}": drawings.cut} if drawings.cut else {}
    return replace(splits, files=[listed(file, folder)], tally={**splits.tally, **cut})
