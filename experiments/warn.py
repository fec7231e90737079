"""Warnings of what went wrong beside the work: told once on stderr, and kept in the result of the run that goes on."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_recording: list[list[str]] = []  # of each run that this process works on


def warn(text: str, *, shown: bool = True) -> None:
    """Tells one warning on stderr, where it is to be shown, and adds it to the run's result."""
    for warnings in _recording:
        warnings.append(text)
    if shown:
        print(f"warning: {text}", file=sys.stderr, flush=True)


def is_recording() -> bool:
    """Whether a run goes on in this process."""
    return bool(_recording)


@contextmanager
def recorded_warnings(warnings: list[str]) -> Iterator[None]:
    """Within the context, every warning is added to the list."""
    _recording.append(warnings)
    try:
        yield
    finally:
        _recording.remove(warnings)


def reason(error: BaseException) -> str:
    """What an exception says, in one line: of a file, its name and what is wrong; of a defect, where in the code."""
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    if isinstance(error, TimeoutError):
        return str(error)
    lines = str(error).strip().splitlines()
    frames = traceback.extract_tb(error.__traceback__)
    place = f" ({Path(frames[-1].filename).name}:{frames[-1].lineno})" if frames else ""
    return f"{type(error).__name__}: {lines[0]}{place}" if lines else f"{type(error).__name__}{place}"
