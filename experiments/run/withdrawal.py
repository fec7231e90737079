"""A run that is refused before its first update leaves nothing behind."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from experiments.cli.context import JobContext
from experiments.cli.folders import made_by_hydra
from experiments.disk.ownership import LOCK, MARK
from experiments.disk.removal import clear, drop_empty
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.run.starts import has_computed


@contextmanager
def withdrawing(run: RunDirectory, context: JobContext) -> Iterator[None]:
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
            for name in (MARK, LOCK, *records(run, context)):
                (run.path / name).unlink(missing_ok=True)
            if context.record is not None:
                drop_empty({run.path / context.record})
        raise


def records(run: RunDirectory, context: JobContext) -> list[str]:
    """Hydra's own record of the start, where it keeps one and has made the directory for it."""
    if context.record is None or not made_by_hydra(run.path):
        return []
    return [f"{context.record}/{name}.yaml" for name in ("config", "hydra", "overrides")]
