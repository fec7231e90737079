"""Where compiled code is kept, so that it is made once for a machine and not by every process."""

from __future__ import annotations

import contextlib
import hashlib
import os
import tempfile
from collections.abc import Callable
from pathlib import Path

DIGEST = hashlib.sha256().digest_size


def kept(name: str, make: Callable[[], bytes]) -> tuple[bytes, bool]:
    """What lies in the cache under a name, or what `make` makes, which is then put there; and whether it lay there.

    A file begins with the hash of the rest, so that half of one is not taken for a whole one. Where nothing can be
    read or written, everything is made anew.
    """
    folder = Path(os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")) / "vrnn"
    path = folder / name
    with contextlib.suppress(OSError):
        if is_own(path):
            content = path.read_bytes()
            digest, code = content[:DIGEST], content[DIGEST:]
            if hashlib.sha256(code).digest() == digest:
                return code, True
    code = make()
    with contextlib.suppress(OSError):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if is_own(folder):
            handle, temporary = tempfile.mkstemp(dir=folder, prefix=f"{name}.")
            with os.fdopen(handle, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            os.replace(temporary, path)
    return code, False


def is_own(path: Path) -> bool:
    """Whether nobody else can write there, since what lies there is run."""
    status = path.stat()
    return status.st_uid == os.getuid() and not status.st_mode & 0o022
