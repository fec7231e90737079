"""A command that is refused before its first update leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra.core.hydra_config import HydraConfig
from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from experiments.disk.ownership import LOCK, MARK
from experiments.disk.removal import clear, drop_empty
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.run.starts import has_computed

_missing: list[Path] = []  # folders that were not there before Hydra made them


class Witness(Callback):
    """Notes, before Hydra makes a run's directory, which part of its path is not there."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        directory = Path(str(config.hydra.run.dir)).absolute()
        _missing[:] = [folder for folder in (directory, *directory.parents) if not folder.exists()]


def leave_no_folder() -> None:
    """Takes away the folders that this start has made and left empty."""
    drop_empty(_missing)


@contextmanager
def withdrawing(run: RunDirectory) -> Iterator[None]:
    """Takes away what a new run has written of itself where it is refused within, before anything was computed.

    The directory must have been claimed and begun by this very start, so that all in it that has the suite's names is
    of this start.
    """
    try:
        yield
    except UserError:
        kind = (run.read_result().get("error") or {}).get("kind")
        if kind == "UserError" and not has_computed(run):
            clear(run.path)
            for name in (MARK, LOCK, *records(run)):
                (run.path / name).unlink(missing_ok=True)
            drop_empty({run.path / str(HydraConfig.get().output_subdir)})
        raise


def records(run: RunDirectory) -> list[str]:
    """Hydra's own record of the start, where it keeps one and has made the directory for it."""
    folder = HydraConfig.get().output_subdir
    if folder is None or run.path.absolute() not in _missing:
        return []
    return [f"{folder}/{name}.yaml" for name in ("config", "hydra", "overrides")]
