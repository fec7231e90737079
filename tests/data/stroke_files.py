"""Small files of pen strokes in the layouts of the real ones, made here."""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np

PARTS = {"train": 12, "valid": 5, "test": 3}
ALPHABETS = ("Greek", "Latin", "Korean", "Balinese")
DRAWERS = 20
FORMS = {
    "trainset.txt": ("a01-000u", "a01-000x", "b02-013"),
    "testset_v.txt": ("c03-001z",),
    "testset_t.txt": ("d04-002",),
    "testset_f.txt": ("e05-003a", "e05-003b"),
}
LINES = 2  # of a form


def drawn_steps(steps: int, seed: int) -> np.ndarray:
    """Integer steps (dx, dy down, pen-up) [T, 3] as sketch-rnn stores them: first (0, 0, 0), the pen up at the end."""
    rng = np.random.default_rng(seed)
    drawing = np.column_stack([rng.integers(-60, 61, (steps, 2)), rng.random(steps) < 0.2]).astype(np.int16)
    drawing[0], drawing[-1, 2] = 0, 1
    return drawing


def drawings(part: str) -> list[np.ndarray]:
    """The drawings [T, 3] of a part, of 4 to 11 steps each."""
    return [drawn_steps(4 + number % 8, seed=100 * PARTS[part] + number) for number in range(PARTS[part])]


def write_packed(path: Path) -> Path:
    """Writes the drawings as plain arrays, end to end."""
    arrays = {}
    for part in PARTS:
        arrays[f"{part}_strokes"] = np.concatenate(drawings(part))
        arrays[f"{part}_offsets"] = np.cumsum([0, *map(len, drawings(part))])
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(path, **arrays)
    return path


def write_pickled(path: Path) -> Path:
    """Writes the drawings as object arrays, as sketch-rnn does."""
    arrays = {part: np.empty(number, dtype=object) for part, number in PARTS.items()}
    for part, array in arrays.items():
        array[:] = drawings(part)
    np.savez_compressed(path, **arrays)
    return path


def raw_drawing(strokes: list[np.ndarray]) -> str:
    """The text of a raw Omniglot drawing, from points (x, y, t) [n, 3] of each stroke."""
    lines = ["".join(f"{x:.6f},{y:.6f},{t:.0f}\n" for x, y, t in stroke) + "BREAK\n" for stroke in strokes]
    return "START\n" + "".join(lines)


def raw_texts() -> dict[str, str]:
    """Drawings by name: in each alphabet one character by each drawer; x tells the alphabet, y the drawer."""
    texts = {}
    for a, alphabet in enumerate(ALPHABETS):
        for drawer in range(1, DRAWERS + 1):
            one = np.column_stack([np.arange(4.0), -np.arange(4.0), 50 * np.arange(4)])
            two = one + np.array([1000 * (a + 1), -100 * drawer, 500])
            texts[f"{alphabet}/character01/0{a}01_{drawer:02d}.txt"] = raw_drawing([one, two])
    return texts


def write_raw(folder: Path, archive: bool) -> None:
    """Writes the raw drawings below `folder`, as files or as the zip of Omniglot, macOS's litter included."""
    folder.mkdir(parents=True, exist_ok=True)
    if not archive:
        for name, text in raw_texts().items():
            path = folder / "strokes_background_small1" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return
    with zipfile.ZipFile(folder / "strokes_background_small1.zip", "w") as file:
        for name, text in raw_texts().items():
            file.writestr(f"strokes_background_small1/{name}", text)
            file.writestr(f"__MACOSX/strokes_background_small1/{name}", b"\x00\x05\x16\x07 no drawing")


def line_strokes(form: str, line: int) -> list[np.ndarray]:
    """Points (x, y down) [n, 2] of the three strokes of a line, all lines different."""
    rng = np.random.default_rng([line, *form.encode()])
    return [rng.integers(0, 5000, (number, 2)) for number in (5, 1, 4 + line)]


def line_xml(strokes: list[np.ndarray]) -> str:
    """A line in the XML of IAM-OnDB."""
    inner = "".join(
        '<Stroke colour="black" start_time="1.0" end_time="2.0">'
        + "".join(f'<Point x="{x}" y="{y}" time="{1 + i / 100}"/>' for i, (x, y) in enumerate(stroke))
        + "</Stroke>\n"
        for stroke in strokes
    )
    return (
        '<?xml version="1.0" encoding="ISO-8859-1"?>\n<WhiteboardCaptureSession>\n<WhiteboardDescription>'
        '<SensorLocation corner="top_left"/><DiagonallyOppositeCoords x="6512" y="1376"/></WhiteboardDescription>\n'
        f"<StrokeSet>\n{inner}</StrokeSet>\n</WhiteboardCaptureSession>\n"
    )


def write_iamondb(root: Path) -> None:
    """Writes lists and lines of IAM-OnDB below `root`."""
    for name, forms in FORMS.items():
        (root / name).write_text("".join(f" {form}\n" for form in forms))
        for form in forms:
            folder = root / "lineStrokes" / form[:3] / form[:7]
            folder.mkdir(parents=True, exist_ok=True)
            for line in range(1, LINES + 1):
                (folder / f"{form}-{line:02d}.xml").write_text(line_xml(line_strokes(form, line)))
