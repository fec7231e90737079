"""Twelve recordings of half a second and more, of two folders."""

from __future__ import annotations

from pathlib import Path

from tests.data.recording_files import clip, write_audio

OVERRIDES = ("data.valid_fraction=0.2", "data.test_fraction=0.2")


def make(root: Path) -> None:
    for number in range(12):
        path = root / f"session{number % 2}" / f"{number}.wav"
        write_audio(path, clip(number, 8100 + 10 * number, 16_000), 16_000)
