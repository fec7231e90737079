"""What the header of a NIST Sphere file promises: its coding, and the number of its samples."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

MAGIC = b"NIST_1A\n"
MAX_HEADER = 2**20


class SphereHeader(NamedTuple):
    """The header of a Sphere file.

    Attributes:
      coding: `sample_coding`, such as `pcm`, `ulaw` or `pcm,embedded-shorten-v2.00`.
      promised: bytes of samples by the header, if they are not compressed; None: it does not say.
      present: bytes that follow in the file.
    """

    coding: str
    promised: int | None
    present: int

    @property
    def is_readable(self) -> bool:
        """Whether libsndfile reads this coding."""
        return self.coding in ("pcm", "ulaw", "mu-law", "alaw")

    @property
    def remedy(self) -> str:
        """The program that brings what is not readable to a form that is."""
        if "shorten" in self.coding:
            return "`sph2pipe -f wav IN OUT` (LDC) or `ffmpeg -i IN OUT.wav` converts it"
        return "`w_decode -o pcm IN OUT` (NIST's SPHERE tools) converts it"


def read_sphere_header(path: Path) -> SphereHeader | None:
    """The header of a Sphere file: lines of key, type and value up to `end_head`; None: it is none."""
    with path.open("rb") as file:
        if file.read(8) != MAGIC:
            return None
        size = file.read(8).strip()
        length = int(size) if size.isdigit() else 1024
        file.seek(0)
        lines = file.read(min(length, MAX_HEADER)).decode("latin-1").split("end_head")[0].splitlines()[2:]
    fields = {words[0]: words[2].strip() for line in lines if len(words := line.split(None, 2)) == 3}
    sizes = [fields.get(key, default) for key, default in DEFAULTS.items()]
    known = all(value.isdecimal() for value in sizes)
    count, channels, width = (int(value) for value in sizes) if known else (0, 0, 0)
    promised = count * channels * width if known else None
    return SphereHeader(fields.get("sample_coding", "pcm"), promised, max(0, path.stat().st_size - length))


DEFAULTS = {"sample_count": "", "channel_count": "1", "sample_n_bytes": "2"}
