"""Pictures and sounds as part of a page: no file beside it, no request."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from experiments.tracking.guard import Guard

WIDTHS = (1600, 1200, 900, 600, 400)  # pixels
MOST_PIXELS = 25_000_000  # of one picture
MOST_BYTES = 50_000_000  # of one file
# What models make, by the names of the pictures; what has a heading waits for a click.
HEADINGS = {"samples": "", "reconstructions": "Reconstructions", "continuations": "Continuations of given beginnings"}
# For each of them, so that the page stays below 10 MB.
PICTURES_BUDGET = 1_800_000  # characters
SOUNDS_BUDGET = 1_000_000  # bytes


class Picture(NamedTuple):
    """An image as data URI, and what can be heard of it: titles and data URIs of wav files."""

    uri: str
    title: str
    sounds: Sequence[tuple[str, str]] = ()


class GalleryPart(NamedTuple):
    """One kind of picture, one a run, each so many pixels wide; `is_quiet` where their sounds are too large."""

    heading: str
    pictures: Sequence[Picture]
    width: int
    is_quiet: bool


def gallery(folders: Mapping[str, Path]) -> list[GalleryPart]:
    """What models have made, by their labels and folders of figures; nothing of what is not there or cannot be read."""
    parts: list[GalleryPart] = []
    guard = Guard("pictures of the runs", "the report is written without them")
    for name, heading in HEADINGS.items():
        runs = {label: folder for label, folder in folders.items() if inside([folder / f"{name}.png"], folder.parent)}
        if not runs:
            continue
        with guard:
            uris = embed_pngs([folder / f"{name}.png" for folder in runs.values()], PICTURES_BUDGET)
            wavs = [inside(sorted(folder.glob(f"{name}_*.wav")), folder.parent) for folder in runs.values()]
            quiet = sum(wav.stat().st_size for each in wavs for wav in each) > SOUNDS_BUDGET
            # continuations_continuation_1.wav -> continuation 1
            named = [[(wav.stem.partition("_")[2].replace("_", " "), wav) for wav in each] for each in wavs]
            sounds = [[(title, data_uri("audio/wav", wav.read_bytes())) for title, wav in each] for each in named]
            rows = zip(uris, runs, [[]] * len(runs) if quiet else sounds, strict=True)
            width = room([folder / f"{name}.png" for folder in runs.values()])
            parts.append(GalleryPart(heading, [Picture(*row) for row in rows], width, quiet))
    return parts


def room(files: Iterable[Path]) -> int:
    """Pixels across that pictures need: what was drawn large has small letters, and a line to itself if it is wide."""
    from PIL import Image

    shapes = []
    for file in files:
        with Image.open(file) as source:
            shapes.append(source.size)
    if max(across for across, _ in shapes) <= 1200:
        return 340
    return 900 if max(across / down for across, down in shapes) > 1.5 else 500


def inside(files: Iterable[Path], run: Path) -> list[Path]:
    """Those that lie in a run's directory, no link leading out of it, and are the pictures and sounds that they say.

    What a page embeds leaves the machine with it, so nothing from elsewhere may be among it.
    """
    folder = run.resolve()
    return [file for file in files if file.resolve().is_relative_to(folder) and _is_what_it_says(file)]


def _is_what_it_says(file: Path) -> bool:
    if not file.is_file() or file.stat().st_size > MOST_BYTES:
        return False
    if file.suffix == ".wav":
        with file.open("rb") as source:
            head = source.read(12)
        return head[:4] == b"RIFF" and head[8:] == b"WAVE"
    from PIL import Image

    try:
        ignored = warnings.catch_warnings(action="ignore", category=Image.DecompressionBombWarning)
        with ignored, Image.open(file, formats=["PNG"]) as source:
            if source.width * source.height > MOST_PIXELS:
                return False
            source.load()
    except Exception:  # Pillow raises many kinds on damaged files
        return False
    return True


def embed_pngs(files: Sequence[Path], budget: int) -> list[str]:
    """PNGs at the largest width at which all of them together keep to a budget of so many characters of the page."""
    uris: list[str] = []
    for width in WIDTHS:
        uris = [data_uri("image/png", _small(file, width)) for file in files]
        if sum(map(len, uris)) <= budget:
            break
    return uris


def _small(file: Path, width: int) -> bytes:
    """A PNG in at most 256 colours and no wider than `width`; the file as it is where that is not smaller."""
    from PIL import Image

    with Image.open(file) as source:
        flat = Image.alpha_composite(Image.new("RGBA", source.size, "white"), source.convert("RGBA")).convert("RGB")
        wide = source.width > width
    if wide:
        flat = flat.resize((width, max(1, round(flat.height * width / flat.width))), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    flat.quantize(256, dither=Image.Dither.NONE).save(buffer, "PNG", optimize=True)
    return buffer.getvalue() if wide else min(buffer.getvalue(), file.read_bytes(), key=len)


def data_uri(kind: str, content: bytes) -> str:
    """A file of a media type as an address; a drawing in one is an image of its own, whose names meet no others."""
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
