"""What a stranger may give away: a run and a sweep like ours, and code that leaves a trace where it is imported."""

from __future__ import annotations

import shutil
from pathlib import Path

OLD = Path(__file__).parent / "old" / "format1"
EVIL = "outputs.evil.boom"


def stranger(folder: Path) -> None:
    """Puts a run, a sweep and evil code into a folder."""
    shutil.copytree(OLD / "finished", folder / "run")
    shutil.copytree(next((OLD / "outputs" / "sweeps").glob("train-*")), folder / "sweep")
    package = folder / "outputs"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "evil.py").write_text("open('pwned', 'w')\n\n\ndef boom(*_, **__):\n    open('pwned-too', 'w')\n")
