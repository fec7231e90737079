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
# What models make, by the names of the pictures: of a heading, whether they wait for a click.
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
    """One kind of picture of every run.

    Attributes:
      heading: of what waits for a click; empty: it is shown.
      pictures: one a run.
      width: of each, in pixels.
      is_quiet: whether their sounds are too large to be embedded.
    """

    heading: str
    pictures: Sequence[Picture]
    width: int
    is_quiet: bool


def gallery(folders: Mapping[str, Path]) -> list[GalleryPart]:
    """Samples, and what is reconstructed and continued; nothing where there are no pictures, or one cannot be read.

    Args:
      folders: label: the figures of the run that stands for it.
    """
    parts: list[GalleryPart] = []
    guard = Guard("pictures of the runs", "the report is written without them")
    for name, heading in HEADINGS.items():
        runs = {label: folder for label, folder in folders.items() if inside([folder / f"{name}.png"], folder.parent)}
        if not runs:
            continue
        with guard:
            files = [folder / f"{name}.png" for folder in runs.values()]
            sounds = [inside(sorted(folder.glob(f"{name}_*.wav")), folder.parent) for folder in runs.values()]
            quiet = sum(sound.stat().st_size for each in sounds for sound in each) > SOUNDS_BUDGET
            pictures = [
                Picture(uri, label, [] if quiet else [(sound_title(wav), embed_wav(wav)) for wav in each])
                for label, uri, each in zip(runs, embed_pngs(files, PICTURES_BUDGET), sounds, strict=True)
            ]
            parts.append(GalleryPart(heading, pictures, room([size(file) for file in files]), quiet))
    return parts


def room(shapes: Sequence[tuple[int, int]]) -> int:
    """Pixels across that pictures need: what was drawn large has small letters, and a line to itself if it is wide."""
    if max(across for across, _ in shapes) <= 1200:
        return 340
    return 900 if max(across / down for across, down in shapes) > 1.5 else 500


def sound_title(file: Path) -> str:
    """continuations_continuation_1.wav -> continuation 1."""
    return file.stem.partition("_")[2].replace("_", " ")


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


def embed_svg(text: str) -> str:
    """A drawing, in an image of its own, so that its names do not meet those of another."""
    return _uri("image/svg+xml", text.encode())


def embed_wav(file: Path) -> str:
    return _uri("audio/wav", file.read_bytes())


def embed_pngs(files: Sequence[Path], budget: int) -> list[str]:
    """Pictures at the largest width at which all of them together keep to a budget.

    Args:
      files: PNGs.
      budget: characters of the page.
    """
    uris: list[str] = []
    for width in WIDTHS:
        uris = [_uri("image/png", _small(file, width)) for file in files]
        if sum(map(len, uris)) <= budget:
            break
    return uris


def size(file: Path) -> tuple[int, int]:
    """Pixels across and down a picture."""
    from PIL import Image

    with Image.open(file) as source:
        return source.size


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


def _uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
