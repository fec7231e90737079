"""Where the suite's own configs lie."""

from __future__ import annotations

from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[1]  # experiments/
INSTALLED = PACKAGE / "conf"  # where a wheel holds them
CHECKOUT = None if INSTALLED.is_dir() else PACKAGE.parent  # the repository that the suite runs from; None: installed
CONF = INSTALLED if CHECKOUT is None else CHECKOUT / "conf"
