"""What the header of a WAV file promises, which libsndfile does not say: it takes whatever is there for the whole."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO, NamedTuple

PCM, FLOAT, A_LAW, MU_LAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
UNKNOWN_SIZE = 0xFFFFFFFF  # also: the size stands in the chunk ds64 (EBU Tech 3306)
STREAM_SIZE = 0x7FFFF000  # programs that cannot go back to the header write this or more
MAX_CHUNKS = 1000  # before the samples


class WavHeader(NamedTuple):
    """The header of a WAV file.

    Attributes:
      coding: the format tag, that of the sub-format for WAVE_FORMAT_EXTENSIBLE.
      rate: samples per second.
      frame_bytes: of one sample of all channels.
      promised: bytes of samples by the header; None: it does not say (the file was written as a stream).
      present: bytes that follow in the file.
    """

    coding: int
    rate: int
    frame_bytes: int
    promised: int | None
    present: int

    @property
    def has_whole_frames(self) -> bool:
        """Whether the samples end with a whole frame, as far as the coding tells."""
        if self.coding not in (PCM, FLOAT, A_LAW, MU_LAW) or self.frame_bytes <= 0 or self.promised is None:
            return True
        return self.promised % self.frame_bytes == 0


def read_wav_header(path: Path) -> WavHeader | None:
    """The header of a RIFF, RIFX, RF64 or BW64 file; None: it is none, or has no chunk of samples."""
    with path.open("rb") as file:
        kind, _, wave = struct.unpack("<4sI4s", file.read(12).ljust(12, b"\0"))
        if kind not in (b"RIFF", b"RIFX", b"RF64", b"BW64") or wave != b"WAVE":
            return None
        return _read_chunks(file, ">" if kind == b"RIFX" else "<", path.stat().st_size)


def _read_chunks(file: BinaryIO, order: str, file_size: int) -> WavHeader | None:
    """Chunk by chunk up to the samples."""
    form, long_size = None, None
    for _ in range(MAX_CHUNKS):
        head = file.read(8)
        if len(head) < 8:
            return None
        name, size = struct.unpack(f"{order}4sI", head)
        start = file.tell()
        if name == b"fmt ":
            form = file.read(min(size, 40)).ljust(40, b"\0")
        elif name == b"ds64":
            _, long_size = struct.unpack(f"{order}QQ", file.read(16).ljust(16, b"\0"))
        elif name == b"data":
            break
        file.seek(start + size + size % 2)  # a chunk of an odd size is padded
    if name != b"data" or form is None:
        return None
    coding, _, rate, _, frame_bytes = struct.unpack_from(f"{order}HHIIH", form)
    if coding == EXTENSIBLE:
        (coding,) = struct.unpack_from(f"{order}H", form, 24)  # the sub-format is a GUID that begins with it
    promised, present = size, max(0, file_size - start)
    if size == UNKNOWN_SIZE and long_size is not None:
        promised = long_size
    elif (size >= STREAM_SIZE and size > present) or (size == 0 and present > 0):
        promised = None
    return WavHeader(coding, rate, frame_bytes, promised, present)
