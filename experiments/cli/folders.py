"""The folders that Hydra makes for a start: noted before, so that a refused start leaves none behind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from experiments.disk.removal import drop_empty

_missing: list[Path] = []  # folders that were not there before Hydra made them


class Witness(Callback):
    """Notes, before Hydra makes a run's directory, which part of its path is not there."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        directory = Path(str(config.hydra.run.dir)).absolute()
        _missing[:] = [folder for folder in (directory, *directory.parents) if not folder.exists()]


def made_by_hydra(folder: Path) -> bool:
    """Whether a folder was made for this start."""
    return folder.absolute() in _missing


def leave_no_folder() -> None:
    """Takes away the folders that this start has made and left empty."""
    drop_empty(_missing)
