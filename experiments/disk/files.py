"""Files that are written whole or not at all."""

from __future__ import annotations

import contextlib
import itertools
import json
import math
from pathlib import Path
from typing import IO, Any

from omegaconf import OmegaConf


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a JSON file, whole or not at all, whatever the content.

    A number that is not finite, which JSON has no word for, becomes null; a part of a config its plain value, as it
    stands; what else JSON does not know its text.
    """
    write_whole(path, json.dumps(_plain(content), indent=2, allow_nan=False, default=str) + "\n")


def _plain(content: Any) -> Any:
    if OmegaConf.is_config(content):
        content = OmegaConf.to_container(content)
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def write_whole(path: Path, text: str) -> None:
    """Writes a file by way of a temporary one, so that a kill leaves the former one or the new one.

    The temporary one has a name that nothing else has there, and goes again where it cannot be written. The bytes of a
    name that is not UTF-8 are spelled.

    Raises:
      OSError: it names the file.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = open_new(path)
        with temporary as file:
            file.write(text)
        Path(temporary.name).replace(path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary.name).unlink()
        error.filename = error.filename or str(path)  # a full disk tells no name
        raise


def open_new(path: Path) -> IO[str]:
    """A temporary file beside a path, which was not there before and is no link."""
    for number in itertools.count():
        name = f"{path.name}.{number}.tmp" if number else f"{path.name}.tmp"
        with contextlib.suppress(FileExistsError):
            return path.with_name(name).open("x", encoding="utf-8", errors="backslashreplace")
    raise AssertionError
