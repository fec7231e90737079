"""What a job writes of itself as it goes: its metrics, and a result however it ends."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from omegaconf import DictConfig

from experiments.cli.context import JobContext
from experiments.cli.surroundings import answer_to
from experiments.config.identity import RULE, config_hash
from experiments.errors import UserError
from experiments.run.directory import RunDirectory, provenance
from experiments.warn import reason, recorded_warnings, warn
from vrnn.objectives.base import Kind
from vrnn.training import checkpoint
from vrnn.training.progress import Diverged, Observer

# What the library advises, and what a user of the command line types for it.
TYPED = {
    "a smaller learning rate": "a smaller optimizer.lr",
    "a smaller max_grad_norm": "a smaller trainer.max_grad_norm",
    "a larger min_std": "a larger likelihood.min_std",
    "another directory, and go on from there": "another place with hydra.run.dir=, then go on with resume=",
}


class Recorder(Observer):
    """Writes every metric to the run's own file, which a killed process leaves whole, and the step to its result."""

    def __init__(self, run: RunDirectory, result: dict[str, Any], kind: Kind):
        self.run = run
        self.result = result
        self.kind = kind

    def start(self, step: int, total_steps: int) -> None:
        self.result["step"] = step
        self.total_steps = total_steps

    def advance(self, step: int) -> None:
        self.result["step"] = step

    def log(self, metrics: dict[str, Any]) -> None:
        kind = {"kind": self.kind} if "valid/log_likelihood" in metrics else {}
        self.run.metrics.write({**metrics, **kind, "total_steps": self.total_steps})


def with_keys(message: str) -> str:
    """A message of the library with its advice as a user types it."""
    for advice, typed in TYPED.items():
        message = message.replace(advice, typed)
    return message


@contextmanager
def recorded(
    cfg: DictConfig, run: RunDirectory, context: JobContext, overrides: list[str], *, keep_former: bool
) -> Iterator[dict[str, Any]]:
    """Gives the result to fill in, and writes result.json however the work within ends.

    A result that says the run is done is kept until a longer training is done as well; with `keep_former`, so is any
    other where this attempt did not even reach its training.
    The overrides are those of all its starts together; the command is that of this one.
    """
    result: dict[str, Any] = {
        "format": 1,
        "status": "failed",
        "error": None,
        "warnings": [],
        "config_hash": config_hash(cfg),
        "identity_rule": RULE,
        "seed": cfg.get("seed"),
        "step": 0,
        "figures": {},
        "overrides": overrides,
        **provenance(context),
    }
    was_done = run.is_done()
    started = time.monotonic()
    raised: BaseException | None = None
    try:
        with recorded_warnings(result["warnings"]):
            yield result
    except KeyboardInterrupt as error:
        result["status"] = "interrupted"
        raised = error
        raise
    except BaseException as error:
        raised = error
        result["status"] = "failed"
        told = answer_to(error) if isinstance(error, OSError) else None
        result["error"] = {"kind": type(error).__name__, "message": told or with_keys(str(error))}
        if not (told or isinstance(error, UserError | Diverged | checkpoint.CheckpointError)):
            result["error"]["traceback"] = traceback.format_exc()
        if isinstance(error, Diverged | checkpoint.CheckpointError):
            raise UserError(with_keys(str(error))) from error
        raise
    finally:
        result["seconds"] = time.monotonic() - started
        is_kept = was_done and result["status"] != "done"
        is_kept = is_kept or (keep_former and "parameters" not in result and bool(run.read_result()))
        if not is_kept:
            try:
                run.write_result(result)
            except OSError as error:
                if raised is None:
                    raise
                warn(f"the result could not be written ({reason(error)}); what ended the run is told here")
