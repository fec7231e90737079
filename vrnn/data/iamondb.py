"""IAM-OnDB: lines of English handwriting on a whiteboard, as the pen moved.

Liwicki, Bunke, "IAM-OnDB, an on-line English sentence database acquired from handwritten text on a whiteboard" (2005).
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np

from vrnn.data.ink.strokes import Ink, ink_splits, require_pen
from vrnn.data.sources.files import data_folder, listed, printable, require_file, require_folder, shown
from vrnn.data.sources.lists import MARKS, find_below, read_list
from vrnn.data.splits import Splits

SOURCE = (
    "expected lineStrokes/a01/a01-000/a01-000u-01.xml and so on, the unpacked lineStrokes-all.tar.gz, and beside "
    "lineStrokes the lists of forms trainset.txt, testset_v.txt, testset_t.txt and testset_f.txt of the task "
    "IAM-OnDB-t2. Both are free for research after registration at "
    "https://fki.tic.heia-fr.ch/databases/iam-on-line-handwriting-database; give root=<the folder that holds "
    "lineStrokes>"
)
MAX_LINE_BYTES = 2**24  # of the file of one line of text; they have 50,000 on average


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
    figures are on forms that also chose the checkpoint. The lists do not say who wrote a form, so a group
    (`Splits.grouping`) is the lines of a form. To compare with the authors' figures:
    `train_lists=[trainset.txt,testset_t.txt,testset_f.txt] test_lists=[testset_v.txt]`.

    Coordinates are integers, and the published figures are densities over them without noise; so it is here by
    default, and the likelihood's min_std alone bounds them. `dequantise` adds uniform noise in [-1/2, 1/2) units to
    both coordinates of every point but the first, once: sounder figures, which do not compare with the published ones.

    Args:
      x_dim: must be 3.
      seed: makes the noise of `dequantise`.
      root: the folder that holds `lineStrokes/` and the lists; None: `data` in the working directory.
      train_lists: files that list the forms of train, below `root`.
      valid_lists: of valid.
      test_lists: of test; may be those of valid, which the result then says.
      dequantise: see above.

    Raises:
      OSError: the folder, a list, or a listed form is not there, or cannot be read.
      ValueError: a file is damaged, a list is empty, or train shares a form with another part.
    """
    require_pen(x_dim, seed)
    folder = data_folder(root).absolute()
    require_folder("IAM-OnDB is read from", folder / "lineStrokes", SOURCE)
    lists = {"train_lists": train_lists, "valid_lists": valid_lists, "test_lists": test_lists}
    train, valid, test = forms = [_forms(folder, key, names) for key, names in lists.items()]
    for key, others in (("valid_lists", valid), ("test_lists", test)):
        if shared := sorted(set(train) & set(others)):
            raise ValueError(
                f"{key} must share no form with train_lists, but {len(shared)} are in both: {shared[0]}..."
            )
    paths = {form: _paths(folder, form) for part in forms for form in part}
    parts = [[read_line(path)._replace(group=form) for form in part for path in paths[form]] for part in forms]
    splits = ink_splits(parts, dequantise, seed, "lines", grouping="form")
    read = [path for key, names in lists.items() for path in _list_files(folder, key, names)]
    read += [path for form in sorted(paths) for path in paths[form]]
    splits = replace(splits, files=[listed(path, folder) for path in dict.fromkeys(read)])
    if both := set(valid) & set(test):
        caution = f"{len(both)} of the {len(test)} forms of test are in valid as well, which chose the checkpoint"
        splits = replace(splits, caution=caution)
    return splits


def _list_files(folder: Path, key: str, names: Sequence[str]) -> list[Path]:
    """Where the lists of these names lie; ValueError if one leads out of the folder."""
    try:
        return [find_below(folder, name) for name in names]
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from error


def _forms(folder: Path, key: str, names: Sequence[str]) -> list[str]:
    """The forms of all these lists, each once."""
    forms: list[str] = []
    for path in _list_files(folder, key, names):
        require_file(f"{key} names", path, SOURCE)
        for number, line in enumerate(read_list(path), 1):
            for form in line.split():
                if re.fullmatch("[A-Za-z0-9]+-[A-Za-z0-9]+", form) is None:
                    raise ValueError(
                        f"{key} names {shown(path)}, whose line {number} has {printable(form[:60])}, where a form such "
                        "as a01-000u is expected; correct the list"
                    )
                forms.append(form)
    if not forms:
        raise ValueError(f"{key} must name at least one form, got none in {', '.join(names) or 'no list'}")
    return list(dict.fromkeys(forms))


def _paths(folder: Path, form: str) -> list[Path]:
    """The files of every line of a form, first to last; a copy such as `a01-000u-01 (1).xml` is none."""
    series, number = form.split("-")[0], form.rstrip("abcdefghijklmnopqrstuvwxyz")
    home = folder / "lineStrokes" / series / number
    names = require_folder(f"form {form} is listed, and is read from", home, SOURCE)
    paths = [home / name for name in names if re.fullmatch(rf"{form}-\d+\.xml", name)]
    if not paths:
        raise FileNotFoundError(f"form {form} is listed, but there is no {shown(home / form)}-01.xml: {SOURCE}")
    return paths


def read_line(path: Path) -> Ink:
    """The ink of one line: WhiteboardCaptureSession / StrokeSet / Stroke / Point with x and y (downwards).

    Raises:
      OSError: the file cannot be read.
      ValueError: the file is damaged, declares a document type, or has no point.
    """
    require_file("a line is read from", path, "unpack it again, or take it away")
    try:
        if (size := path.stat().st_size) > MAX_LINE_BYTES:
            raise ValueError(f"its {size} bytes are more than {MAX_LINE_BYTES}")
        content = path.read_bytes()
        mark = next((mark for mark in MARKS if content.startswith(mark)), None)
        parser = ElementTree.XMLParser(target=_NoDoctype())
        parser.feed(content if mark is None else content.removeprefix(mark).decode(MARKS[mark]))  # the mark counts
        strokes = [
            [_point(point.attrib, stroke, place) for place, point in enumerate(element.iter("Point"), 1)]
            for stroke, element in enumerate(parser.close().iterfind("StrokeSet/Stroke"), 1)
        ]
    except (ElementTree.ParseError, ValueError, LookupError) as error:
        raise ValueError(f"{shown(path)} is damaged ({error}); unpack it again, or take it away") from error
    inked = [np.array(stroke) for stroke in strokes if stroke]
    if not inked:
        raise ValueError(
            f"{shown(path)} must hold StrokeSet/Stroke/Point elements, but has no point; unpack it again, or take it "
            "away"
        )
    return Ink.of(inked, path.stem)


class _NoDoctype(ElementTree.TreeBuilder):
    """Refuses a document type where it begins, before any entity in it is declared or fetched."""

    def doctype(self, name: str, pubid: str | None, system: str | None) -> None:
        raise ValueError("it declares a document type, which files of IAM-OnDB do not, and which can bring entities")


def _point(attributes: dict[str, str], stroke: int, place: int) -> tuple[float, float]:
    """x and y, upwards, of a point; raises ValueError, which says which one, where they are no finite numbers."""
    x, y = attributes.get("x", ""), attributes.get("y", "")
    try:
        point = float(x), -float(y)
    except ValueError:
        point = math.nan, math.nan
    if not (math.isfinite(point[0]) and math.isfinite(point[1])):
        raise ValueError(
            f"point {place} of stroke {stroke} has x={x[:40]!r} and y={y[:40]!r}, where two finite numbers are expected"
        )
    return point
