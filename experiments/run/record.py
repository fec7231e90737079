"""What a job writes of itself as it goes: its metrics, and a result however it ends."""

from __future__ import annotations

import time
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from experiments.cli.context import JobContext
from experiments.cli.surroundings import answer_to
from experiments.config.identity import RULE
from experiments.errors import UserError
from experiments.run.directory import RunDirectory, provenance
from experiments.warn import reason, recorded_warnings, warn
from vrnn.objectives.base import Kind
from vrnn.training import checkpoint
from vrnn.training.progress import Diverged, Observer

# What to type where the library advises something of its own arguments.
TYPED: dict[type[BaseException], str] = {
    Diverged: "try a smaller optimizer.lr, a smaller trainer.max_grad_norm or a larger likelihood.min_std",
    checkpoint.CheckpointError: "make room, or choose another place with hydra.run.dir=, then go on with resume=",
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


def with_keys(error: BaseException) -> str:
    """What an exception says, the library's advice as a user types it."""
    advice = getattr(error, "advice", "")
    return f"{str(error).removesuffix(advice)}{TYPED[type(error)]}" if advice else str(error)


@contextmanager
def recorded(
    run: RunDirectory,
    context: JobContext,
    overrides: list[str],
    *,
    identity: str,
    seed: int | None,
    keep_former: bool,
) -> Iterator[dict[str, Any]]:
    """Gives the result to fill in, and writes result.json however the work within ends.

    A result that says the run is done is kept until a longer training is done as well; with `keep_former`, so is any
    other where this attempt did not even reach its training.
    Args:
      run: the run's directory.
      context: of this start, whose command the result names.
      overrides: of all its starts together.
      identity: `config_hash` of its config.
      seed: of the run.
      keep_former: see above.
    """
    result: dict[str, Any] = {
        "format": 1,
        "status": "failed",
        "error": None,
        "warnings": [],
        "config_hash": identity,
        "identity_rule": RULE,
        "seed": seed,
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
        result["error"] = {"kind": type(error).__name__, "message": told or with_keys(error)}
        if not (told or isinstance(error, UserError | Diverged | checkpoint.CheckpointError)):
            result["error"]["traceback"] = traceback.format_exc()
        if isinstance(error, Diverged | checkpoint.CheckpointError):
            raise UserError(with_keys(error)) from error
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
