"""The jobs of a multirun: where each one lies and how it stands."""

from __future__ import annotations

import json
from typing import Any, Literal, NamedTuple

from experiments.run_directory import RunDirectory

State = Literal["waiting", "interrupted", "failed", "stale", "done"]


class Job(NamedTuple):
    """One job of a multirun.

    Attributes:
      run: its directory, which need not be there yet.
      state: waiting (never started), interrupted (stopped, killed, or still running), failed, stale (its result was
        made with another config), or done.
      result: its result.json; empty where there is none.
    """

    run: RunDirectory
    state: State
    result: dict[str, Any]


def read_job(run: RunDirectory, config_hash: str | None = None) -> Job:
    """A job as its directory tells it.

    Args:
      run: the job's directory.
      config_hash: of the config that the result should have been made with; None: whatever it was.
    """
    if not run.result_file.is_file():
        return Job(run, "interrupted" if run.config_file.is_file() else "waiting", {})
    try:
        result = json.loads(run.result_file.read_text(encoding="utf-8"))
    except json.JSONDecodeError:  # written by something else: write_json leaves no half files
        return Job(run, "waiting", {})
    if config_hash is not None and result["config_hash"] != config_hash:
        return Job(run, "stale", result)
    return Job(run, result["status"], result)
