"""Pictures and sounds as part of a page: no file beside it, no request."""

from __future__ import annotations

import base64
import io
import warnings
from collections.abc import Iterable, Sequence
from pathlib import Path

WIDTHS = (1600, 1200, 900, 600, 400)  # pixels
MOST_PIXELS = 25_000_000  # of one picture
MOST_BYTES = 50_000_000  # of one file


def own(files: Iterable[Path], run: Path) -> list[Path]:
    """Those that lie in a run's directory, no link leading out of it, and are the pictures and sounds that they say.

    What a page embeds leaves the machine with it, so nothing from elsewhere may be among it.
    """
    inside = run.resolve()
    return [file for file in files if file.resolve().is_relative_to(inside) and _is_what_it_says(file)]


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


def embed_pngs(files: Sequence[Path], budget: int) -> list[str]:
    """Pictures at the largest width at which all of them together keep to a budget.

    Args:
      files: PNGs.
      budget: characters of the page.
    """
    found: list[str] = []
    for width in WIDTHS:
        found = [_uri("image/png", _small(file, width)) for file in files]
        if sum(map(len, found)) <= budget:
            break
    return found


def size(file: Path) -> tuple[int, int]:
    """Pixels across and down a picture."""
    from PIL import Image

    with Image.open(file) as source:
        return source.size


def embed_wav(file: Path) -> str:
    return _uri("audio/wav", file.read_bytes())


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
