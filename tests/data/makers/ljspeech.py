"""Four clips in the archive."""

from __future__ import annotations

from pathlib import Path

from tests.data.recording_files import clip, write_archive


def make(root: Path) -> None:
    clips = {f"LJ{number}": clip(number, 9000, 22_050) for number in range(4)}
    write_archive(root / "speech" / "ljspeech32_22k_int16.npz", clips, 22_050)
