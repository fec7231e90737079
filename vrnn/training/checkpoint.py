"""Checkpoints that are either whole or not there."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path
from typing import Any

import torch

from vrnn.data.splits import Standardisation


class CheckpointError(Exception):
    """A checkpoint that cannot be read or written; the message says which, why and what to do.

    Attributes:
      advice: the end of the message, if that names arguments of the training.
    """

    def __init__(self, what: str, advice: str = ""):
        super().__init__(f"{what}{advice}")
        self.advice = advice


def save(path: Path, content: dict[str, Any]) -> None:
    """Writes tensors and plain values to a temporary file beside `path`, then renames it: a kill leaves the old file.

    Raises:
      CheckpointError: it cannot be written (no space, no permission); the former checkpoint is untouched.
    """
    buffer = io.BytesIO()
    torch.save(content, buffer)
    temporary = path.with_suffix(".tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            file.write(buffer.getbuffer())
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError as error:
        with contextlib.suppress(OSError):  # where even that is impossible, what is told is why
            temporary.unlink()
        kept = "the former one is kept" if os.path.exists(path) else "there is no former one"
        raise CheckpointError(
            f"{path}: the checkpoint could not be written ({error.strerror}); {kept}; ",
            "make room, or choose another directory, and go on from there",
        ) from error


def load(path: Path, device: torch.device | str) -> dict[str, Any]:
    """What `save` wrote, with its tensors on `device`; nothing but tensors and plain values is unpickled.

    Raises:
      CheckpointError: there is no such file, or it is not a whole checkpoint.
    """
    if not path.is_file():
        raise CheckpointError(f"{path}: there is no such checkpoint; has the run reached its first one?")
    try:
        return torch.load(path, map_location=device, weights_only=True)
    except Exception as error:  # torch raises many kinds on damaged files
        raise CheckpointError(
            f"{path}: this is not a whole checkpoint of this suite (truncated, or another kind of file); "
            "take the run's other checkpoint, or train again"
        ) from error


def standardisation(path: Path, content: dict[str, Any]) -> Standardisation | None:
    """What the weights of a checkpoint were trained under; None: it was written before that was kept.

    Raises:
      CheckpointError: something else stands there.
    """
    try:
        found = content.get("standardisation")
        return None if found is None else Standardisation.from_dict(found)
    except (ValueError, AttributeError) as error:
        raise CheckpointError(f"{path}: this is not a whole checkpoint of this suite ({error})") from error
