"""What lies in a folder, to be compared with what lies there later."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from experiments.config.resolvers import register_resolvers

OLD = Path(__file__).parent / "old" / "format1"
SWEEPS = OLD / "outputs" / "sweeps"


def tree(folder: Path) -> dict[str, str]:
    """Everything below a folder: the hash of each file, the goal of each link."""

    def content(path: Path) -> str:
        if path.is_symlink():
            return f"-> {os.readlink(path)}"
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"

    return {str(path.relative_to(folder)): content(path) for path in sorted(folder.rglob("*"))}


@pytest.fixture
def resolvers() -> None:
    register_resolvers()


@pytest.fixture
def thesis(tmp_path: Path) -> Path:
    """A user's folder."""
    (tmp_path / "notes").mkdir()
    (tmp_path / "thesis.tex").write_text("years of work")
    (tmp_path / "notes" / "a.txt").write_text("a thought")
    return tmp_path
