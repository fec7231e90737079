"""Three speakers of TRAIN and three of TEST."""

from __future__ import annotations

from pathlib import Path

from tests.data.recording_files import write_timit


def make(root: Path) -> None:
    write_timit(root / "TIMIT", num_samples=8100)
