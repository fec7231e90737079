"""Four segments of an audiobook."""

from __future__ import annotations

from pathlib import Path

from tests.data.recording_files import clip, write_audio


def make(root: Path) -> None:
    for number in range(4):
        write_audio(root / "blizzard2013" / "book" / f"{number}.wav", clip(number, 9000, 16_000), 16_000)
