"""IAM-OnDB: lines of English handwriting on a whiteboard, as the pen moved.

Liwicki, Bunke, "IAM-OnDB, an on-line English sentence database acquired from handwritten text on a whiteboard" (2005).
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree  # resolves no external entities, and expat limits the growth of others
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from vrnn.data.files import data_folder
from vrnn.data.splits import Splits
from vrnn.data.strokes import Ink, ink_splits, require_pen

SOURCE = (
    "expected lineStrokes/a01/a01-000/a01-000u-01.xml and so on, the unpacked lineStrokes-all.tar.gz, and beside "
    "lineStrokes the lists of forms trainset.txt, testset_v.txt, testset_t.txt and testset_f.txt of the task "
    "IAM-OnDB-t2. Both are free for research after registration at "
    "https://fki.tic.heia-fr.ch/databases/iam-on-line-handwriting-database; give data.root=<the folder that holds "
    "lineStrokes>, or set VRNN_DATA_DIR to it"
)


def iamondb(
    x_dim: int = 3,
    seed: int = 0,
    root: str | None = None,
    train_lists: Sequence[str] = ("trainset.txt",),
    valid_lists: Sequence[str] = ("testset_v.txt",),
    test_lists: Sequence[str] = ("testset_f.txt",),
    dequantise: bool = False,
) -> Splits:
    """x_t = (dx, dy, pen-up) of the pen that writes one line, y up, standardised by one joint scalar.

    As in the VRNN authors' code: differences of neighbouring points, y flipped, pen-up 1 on the last point of every
    stroke, the first point no step; one mean and one std for dx and dy together, of train only (`fit_joint_scalar`).
    A sequence is a line of about 600 points. Unit: that of the whiteboard's sensor.

    The lists have one form a line, such as `a01-000u`, and a form is all of its lines of text. In the task IAM-OnDB-t2
    they are `trainset.txt` (775 forms), `testset_v.txt` (192, first validation), `testset_t.txt` (216, second
    validation) and `testset_f.txt` (544, final test), by different writers. The authors' own two lists have the sizes
    of trainset + testset_t + testset_f (train) and of testset_v (valid), as with Graves (2013), and no third: their
    figures are on forms that also chose the checkpoint. To compare with them:
    `data.train_lists=[trainset.txt,testset_t.txt,testset_f.txt] data.test_lists=[testset_v.txt]`.

    Coordinates are integers, and the published figures are densities over them without noise; so it is here by
    default, and likelihood.min_std alone bounds them. `dequantise` adds uniform noise in [-1/2, 1/2) units to both
    coordinates of every point but the first, once: sounder figures, which do not compare with the published ones.

    Args:
      x_dim: must be 3.
      seed: makes the noise of `dequantise`.
      root: the folder that holds `lineStrokes/` and the lists; None: `data` in the working directory.
      train_lists: files that list the forms of train, below `root`.
      valid_lists: of valid.
      test_lists: of test; may be those of valid, which the result then says.
      dequantise: see above.

    Raises:
      FileNotFoundError: the folder, a list, or a listed form is not there.
      ValueError: a file is damaged, a list is empty, or train shares a form with another part.
    """
    require_pen(x_dim, seed)
    folder = data_folder(root)
    if not (folder / "lineStrokes").is_dir():
        raise FileNotFoundError(f"IAM-OnDB is not in {folder.absolute()}: {SOURCE}")
    lists = {"train_lists": train_lists, "valid_lists": valid_lists, "test_lists": test_lists}
    train, valid, test = forms = [_forms(folder, key, names) for key, names in lists.items()]
    for key, others in (("valid_lists", valid), ("test_lists", test)):
        if shared := sorted(set(train) & set(others)):
            raise ValueError(
                f"{key} must share no form with train_lists, but {len(shared)} are in both: {shared[0]}..."
            )
    splits = ink_splits([[ink for form in part for ink in _lines(folder, form)] for part in forms], dequantise, seed)
    if shared := set(valid) & set(test):
        caution = f"{len(shared)} of the {len(test)} forms of test are in valid as well, which chose the checkpoint"
        splits = replace(splits, caution=caution)
    return splits


def _forms(folder: Path, key: str, names: Sequence[str]) -> list[str]:
    """The forms of all these lists, each once."""
    forms: list[str] = []
    for path in (folder / name for name in names):
        if not path.is_file():
            raise FileNotFoundError(f"{key} names {path.absolute()}, which is not there: {SOURCE}")
        forms += path.read_text().split()
    if not forms:
        raise ValueError(f"{key} must name at least one form, got none in {', '.join(names) or 'no list'}")
    return list(dict.fromkeys(forms))


def _lines(folder: Path, form: str) -> list[Ink]:
    """The ink of every line of a form, first to last."""
    series, number = form.split("-")[0], form.rstrip("abcdefghijklmnopqrstuvwxyz")
    home = folder / "lineStrokes" / series / number
    paths = sorted(home.glob(f"{form}-*.xml"))
    if not paths:
        raise FileNotFoundError(f"form {form} is listed, but there is no {home.absolute()}/{form}-01.xml: {SOURCE}")
    return [read_line(path) for path in paths]


def read_line(path: Path) -> Ink:
    """The ink of one line: WhiteboardCaptureSession / StrokeSet / Stroke / Point with x and y (downwards).

    Raises:
      ValueError: the file is damaged, or has no point.
    """
    try:
        strokes = [
            np.array([[float(point.attrib["x"]), -float(point.attrib["y"])] for point in stroke.iter("Point")])
            for stroke in ElementTree.parse(path).iterfind("StrokeSet/Stroke")
        ]
    except (ElementTree.ParseError, KeyError, ValueError) as error:
        raise ValueError(f"{path.absolute()} is damaged ({error}); unpack it again") from error
    strokes = [stroke for stroke in strokes if len(stroke)]
    if not strokes:
        raise ValueError(
            f"{path.absolute()} must hold StrokeSet/Stroke/Point elements, but has no point; unpack it again"
        )
    return Ink.of(strokes)
