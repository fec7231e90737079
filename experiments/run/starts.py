"""Beginning a run in its directory: whether there is room for it, and what is put out of its way."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig

from experiments.cli.context import JobContext
from experiments.cli.terminal import say
from experiments.config.identity import RULE, config_hash
from experiments.disk.locks import is_locked
from experiments.disk.ownership import BY_HYDRA, claim, mark, read_mark
from experiments.disk.removal import begin_anew, drop_unfinished
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.run.resume import resume_command

START = "VRNN_START"  # in the environment of all jobs of one multirun: its name
RUN_ELSEWHERE = "give another hydra.run.dir, an empty folder or a new one"


class Claim(Callback):
    """Claims the directory of a single run before Hydra writes there; ends the process where it must not."""

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        try:
            if config.resume is None:
                claim_run(config)
        except UserError as error:  # of an exception Hydra would only warn
            print(f"error: {error}", file=sys.stderr, flush=True)
            raise SystemExit(1) from error


def just_written(context: JobContext) -> set[str]:
    """What Hydra may have written in a run's directory for this very start, which was claimed before."""
    names = {str(context.record), f"{context.app}.log"}
    shared = context.multirun is not None and is_same(context.directory, context.multirun)
    return names | set(BY_HYDRA if shared else ())


def is_same(place: str | Path, other: str | Path) -> bool:
    """Whether two paths are the same, though they may not be there yet."""
    return os.path.abspath(place) == os.path.abspath(other)


def claim_run(cfg: DictConfig) -> None:
    """Claims the directory of a single run before Hydra writes there.

    Args:
      cfg: with its hydra node.

    Raises:
      UserError: it is neither empty nor the suite's own.
    """
    run = RunDirectory(Path(str(cfg.hydra.run.dir)))
    claim(run.path, "run", RUN_ELSEWHERE)
    if not is_locked(run.path):  # else that is told
        require_room(run)


def require_room(run: RunDirectory) -> None:
    """Raises UserError where a run lies that has computed something: another one does not replace it."""
    if has_computed(run):
        status = str(run.read_result().get("status"))
        held = {"done": "a finished", "failed": "a failed"}.get(status, "an interrupted")
        raise UserError(
            f"{run}: holds {held} run, which is not replaced; give another hydra.run.dir, or go on with it: "
            f"{resume_command(run)}"
        )


def has_computed(run: RunDirectory) -> bool:
    """Whether there is anything of a former start that took time to make."""
    return run.is_done() or any(run.checkpoints.glob("*.pt")) or run.metrics.path.exists()


def begin(run: RunDirectory, identity: str | None, context: JobContext) -> None:
    """Takes away what a former start has left, and marks the directory as that of a run of this config."""
    drop_unfinished(run.path, "run")
    place = begin_anew(run.path, f"former-{run.read_result().get('config_hash')}")
    if place:
        say(f"what was measured of a failed start is put aside in  {place}")
    mark(
        run.path,
        "run",
        overrides=list(context.overrides),
        config_hash=identity,
        identity_rule=RULE,
        start=os.environ.get(START),
    )


def go_on(run: RunDirectory) -> None:
    """Takes away what a kill has left half written, and marks a run of an earlier version by what it was begun with."""
    drop_unfinished(run.path, "run")
    if not read_mark(run.path):
        overrides = run.read_overrides() if run.overrides_file.exists() else []
        mark(run.path, "run", overrides=overrides, config_hash=config_hash(run.read_config()), identity_rule=RULE)
