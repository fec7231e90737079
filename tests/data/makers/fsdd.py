"""Takes of one digit by one speaker, in the archive."""

from __future__ import annotations

from pathlib import Path

from tests.data.recording_files import write_digits


def make(root: Path) -> None:
    write_digits(root, range(0, 24, 2))
