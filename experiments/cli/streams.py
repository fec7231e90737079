"""stdout and stderr that end no run: what a terminal cannot show is spelled in ASCII, what is gone is written no more.

A reader that has gone (`| head`), a lost session, a closed stream and a full disk raise OSError at every write, and a
log in ASCII or Latin-1 raises UnicodeEncodeError at the first sign of a bound.
"""

from __future__ import annotations

import codecs
import errno
import io
import os
import select
import sys
import unicodedata
from typing import TYPE_CHECKING

from experiments.warn import is_recording, reason, warn

if TYPE_CHECKING:
    from _typeshed import ReadableBuffer

READABLE = "readable"  # the name of the codecs error handler
SPELLED = {
    "≥": ">=",
    "≤": "<=",
    "±": "+-",
    "×": "x",
    "–": "-",
    "—": "--",
    "−": "-",
    "→": "->",
    "…": "...",
    "²": "^2",
    "†": "+",
    "‘": "'",
    "’": "'",
    "“": '"',
    "”": '"',
}
FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # there may be room later

_lost: list[OSError] = []  # the first one of this process


def protect_streams() -> None:
    """Replaces stdout and stderr of this process; a second call changes nothing."""
    codecs.register_error(READABLE, spell)
    for descriptor in range(3):
        fill(descriptor)
    for descriptor, name in ((1, "stdout"), (2, "stderr")):
        stream = getattr(sys, name)
        if stream is None:  # Python was started with it closed
            protected = Descriptor(descriptor, name)
            setattr(sys, name, wrapped(protected, "utf-8", line_buffering=False))
        elif isinstance(stream, io.TextIOWrapper):
            raw = getattr(stream.buffer, "raw", stream.buffer)
            if isinstance(raw, io.FileIO) and not isinstance(raw, Descriptor) and raw.fileno() == descriptor:
                protected = Descriptor(descriptor, name)
                drained(stream, protected)
                setattr(sys, name, wrapped(protected, stream.encoding, line_buffering=stream.line_buffering))


def is_output_lost() -> bool:
    """Whether something was not shown for another reason than that its reader has read enough."""
    return any(error.errno != errno.EPIPE for error in _lost)


def spell(error: UnicodeError) -> tuple[str, int]:
    """What a codec cannot encode, in ASCII: >= for its sign, e for é, - and | for the lines of a box, \\xff for a byte.

    Raises:
      UnicodeError: it is not about encoding.
    """
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(map(_spelled, error.object[error.start : error.end])), error.end


def _spelled(sign: str) -> str:
    if sign in SPELLED:
        return SPELLED[sign]
    if "\udc80" <= sign <= "\udcff":  # a byte of a file's name that is not UTF-8
        return f"\\x{ord(sign) - 0xDC00:02x}"
    if "─" <= sign <= "╿":
        words = unicodedata.name(sign).split()
        return "+" if "AND" in words else "|" if "VERTICAL" in words else "-" if "HORIZONTAL" in words else "+"
    plain = unicodedata.normalize("NFKD", sign).encode("ascii", "ignore").decode()
    return plain or sign.encode("ascii", "backslashreplace").decode()


class Descriptor(io.FileIO):
    """The raw end of a stream: a write that fails is counted as done, and told once.

    Args:
      descriptor: 1 or 2; it stays open.
      name: of the stream.
    """

    def __init__(self, descriptor: int, name: str):
        super().__init__(descriptor, "w", closefd=False)
        self.stream = name

    def write(self, data: ReadableBuffer, /) -> int:
        while True:
            try:
                written = super().write(data)
            except OSError as error:
                self._lose(error)
                return memoryview(data).nbytes
            if written is not None:
                return written
            select.select([], [self], [])  # somebody has made the pipe non-blocking

    def _lose(self, error: OSError) -> None:
        if error.errno not in FULL:  # also for the processes that this one starts
            replace(self.fileno())
        if not _lost:
            _lost.append(error)
            # Nobody needs to be told that `--help | head` has read enough.
            if is_recording() or error.errno != errno.EPIPE:
                after = "the run goes on without it" if is_recording() else "what was to be read there is lost"
                warn(f"{self.stream}: {reason(error)}; {after}", shown=self.stream != "stderr")


def wrapped(protected: Descriptor, encoding: str, *, line_buffering: bool) -> io.TextIOWrapper:
    buffer: io.BufferedWriter[io.RawIOBase] = io.BufferedWriter(protected)
    return io.TextIOWrapper(buffer, encoding=encoding, errors=READABLE, line_buffering=line_buffering)


def drained(stream: io.TextIOWrapper, protected: Descriptor) -> None:
    """Writes what still waits in a stream that is to be replaced, so that its own end has nothing left to fail on."""
    try:
        stream.flush()
    except OSError as error:
        protected._lose(error)


def fill(descriptor: int) -> None:
    """Opens a standard descriptor that was closed, or the next file opened would get what is printed.

    It can only be read, so that the first write to it is answered as one to a closed stream.
    """
    try:
        os.fstat(descriptor)
    except OSError:
        replace(descriptor, os.O_RDONLY)


def replace(descriptor: int, flags: int = os.O_WRONLY) -> None:
    """Makes a descriptor one of /dev/null."""
    null = os.open(os.devnull, flags)
    if null != descriptor:
        os.dup2(null, descriptor)
        os.close(null)
