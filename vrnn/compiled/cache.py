"""Where compiled code is kept, so that it is made once for a machine and not by every process.

The folder's name has a hash of the sources that the code is made of: numba looks at the one file that a function
stands in, and would take old code after a change of another. numba itself keeps apart CPUs, and its own versions.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

import numba

F = TypeVar("F", bound=Callable[..., Any])


def folder() -> Path | None:
    """Where numba keeps what this version compiles: below NUMBA_CACHE_DIR, else the user's cache; None: nowhere."""
    user = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
    base = Path(numba.config.CACHE_DIR or os.path.join(user, "vrnn"))
    sources = sorted(Path(__file__).parent.glob("*.py"))
    name = hashlib.sha256(b"".join(source.read_bytes() for source in sources)).hexdigest()[:16]
    found = base / f"compiled-{name}"
    try:
        found.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return None
    own = not hasattr(os, "getuid") or found.stat().st_uid == os.getuid()  # what lies there is run
    return found if own and os.access(found, os.W_OK) else None


@contextlib.contextmanager
def kept_in(path: Path | None) -> Iterator[None]:
    """Functions that are decorated meanwhile keep their code there."""
    former = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(path or former)
    try:
        yield
    finally:
        numba.config.CACHE_DIR = former


def jit(function: F) -> F:
    """Compiles a function on its first call for the types that it is called with, to run without the interpreter."""
    path = folder()
    with kept_in(path):
        return numba.njit(nogil=True, cache=path is not None, error_model="numpy")(function)
