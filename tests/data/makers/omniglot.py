"""Simplified drawings."""

from __future__ import annotations

from pathlib import Path

from tests.data.stroke_files import write_packed


def make(root: Path) -> None:
    write_packed(root / "handwriting" / "omniglot_stroke3.npz")
