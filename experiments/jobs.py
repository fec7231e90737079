"""The jobs of a multirun: how each one stands, and starting, skipping or going on accordingly."""

from __future__ import annotations

import json
import shutil
from typing import Any, Literal, NamedTuple

from omegaconf import DictConfig

from experiments.job import run_job
from experiments.run_directory import RunDirectory, config_hash
from experiments.terminal import say

State = Literal["waiting", "interrupted", "failed", "stale", "done"]


class Job(NamedTuple):
    """One job of a multirun.

    Attributes:
      run: its directory, which need not be there yet.
      state: waiting (never started), interrupted (stopped, killed, or still running), failed, stale (what lies there
        was made with another config), or done.
      result: its result.json; empty where there is none.
    """

    run: RunDirectory
    state: State
    result: dict[str, Any]


def read_job(run: RunDirectory, expected_hash: str | None = None) -> Job:
    """A job as its directory tells it.

    Args:
      run: the job's directory.
      expected_hash: `config_hash` of the config that it should have been made with; None: whatever it was.
    """
    if not run.result_file.is_file():
        if not run.config_file.is_file():
            return Job(run, "waiting", {})
        if expected_hash not in (None, config_hash(run.read_config())):
            return Job(run, "stale", {})
        return Job(run, "interrupted", {})
    result = json.loads(run.result_file.read_text(encoding="utf-8"))
    if expected_hash not in (None, result["config_hash"]):
        return Job(run, "stale", result)
    return Job(run, result["status"], result)


def run_or_continue(cfg: DictConfig, run: RunDirectory) -> int:
    """One job of a multirun that may have been started before; returns its exit code.

    What is done is skipped, what was interrupted goes on from its checkpoint, everything else begins anew.
    """
    job = read_job(run, config_hash(cfg))
    if job.state == "done":
        say(f"done already  {run}")
        return 0
    if job.state != "interrupted" and run.path.exists():
        for path in run.path.iterdir():
            if path.name not in ("wandb", ".hydra"):  # the W&B run keeps its identity; Hydra has just written the other
                shutil.rmtree(path) if path.is_dir() else path.unlink()
    return run_job(cfg, run, resume=job.state == "interrupted")
