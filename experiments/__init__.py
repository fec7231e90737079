"""The command line: Hydra apps that compose, train, evaluate and sample what `vrnn` holds.

`load_run` and `load_sweep` read what they have made into Python; they are imported when they are used.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from experiments.loading import load_run, load_sweep

__all__ = ["load_run", "load_sweep"]

if sys.platform == "win32":
    raise ImportError("this suite runs on Linux and macOS; on Windows use it within WSL (wsl --install)")


def __getattr__(name: str) -> Any:
    """Imports `load_run` or `load_sweep` (PEP 562), so that the apps start without what these need."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from experiments import loading

    return getattr(loading, name)
