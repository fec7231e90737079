"""The jobs of a multirun: how each one stands, and starting, skipping or going on accordingly."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, Literal, NamedTuple

from omegaconf import DictConfig

from experiments.app import complete
from experiments.errors import UserError
from experiments.job import run_job
from experiments.processes import LOCK, is_locked, locked
from experiments.run_directory import RunDirectory, config_hash, provenance
from experiments.terminal import say

STOP = ".stop"  # a file in a multirun's directory: no job begins any more, and those that run save and stop
ORPHANS = 20.0  # seconds that jobs of a killed multirun are given to notice it
State = Literal["waiting", "running", "interrupted", "failed", "stale", "done"]


class Job(NamedTuple):
    """One job of a multirun.

    Attributes:
      run: its directory, which need not be there yet.
      state: waiting (never started), running, interrupted (stopped or killed), failed, stale (what lies there was made
        with another config), or done.
      result: its result.json; empty where there is none.
    """

    run: RunDirectory
    state: State
    result: dict[str, Any]


def read_job(run: RunDirectory, expected_hash: str | None = None, *, alive: bool = True) -> Job:
    """A job as its directory tells it.

    Args:
      run: the job's directory.
      expected_hash: `config_hash` of the config that it should have been made with; None: whatever it was.
      alive: look whether a process works on it; False: whoever asks holds the lock.
    """
    if alive and is_locked(run.path):
        return Job(run, "running", {})
    result = run.read_result()
    if not result:
        if not run.config_file.is_file():
            return Job(run, "waiting", {})
        if expected_hash not in (None, config_hash(run.read_config())):
            return Job(run, "stale", {})
        return Job(run, "interrupted", {})
    if expected_hash not in (None, result["config_hash"]):
        return Job(run, "stale", result)
    return Job(run, result["status"], result)


def run_or_continue(cfg: DictConfig, run: RunDirectory) -> int:
    """One job of a multirun that may have been started before; returns its exit code.

    What is done is skipped. What was interrupted, or failed on its way otherwise than by diverging, goes on from its
    checkpoint. What diverged begins anew, and so does what was made with another config: its result is put aside.
    What failed is left as it is where multirun.retry_failed is false. Nothing begins after a call to stop.
    """
    stop = run.path.parent / STOP
    if stop.exists():
        return 1
    with locked(run.path, "this job is", wait=ORPHANS):
        try:
            return _run_or_continue(cfg, run, stop)
        except Exception:
            if cfg.multirun.fail_fast:
                stop.touch()
            if cfg.multirun.view is None or not run.result_file.is_file():
                raise
            return 1  # whoever started the multirun reads there why, and tells of it


def _run_or_continue(cfg: DictConfig, run: RunDirectory, stop: Path) -> int:
    try:
        complete(cfg)
    except UserError as error:
        refuse(run, error)
        raise
    job = read_job(run, config_hash(cfg), alive=False)
    if job.state == "done":
        if cfg.multirun.view != "table":
            say(f"done already  {run}")
        return 0
    if job.state == "failed" and not cfg.multirun.retry_failed:
        return 1
    diverged = (job.result.get("error") or {}).get("kind") == "Diverged"
    resume = job.state == "interrupted" or (job.state == "failed" and not diverged)
    if job.state == "stale":
        put_aside(run, job.result)
    elif not resume:
        for path in contents(run):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    return run_job(cfg, run, resume=resume, stop=stop)


def refuse(run: RunDirectory, error: UserError) -> None:
    """Records that a job's config cannot be one; a result that is there was made with another config."""
    if run.result_file.is_file():
        put_aside(run, run.read_result())
    about = {"status": "failed", "error": {"kind": "UserError", "message": str(error)}, "config_hash": None}
    run.write_result({"format": 1, **about, "step": 0, "seconds": 0.0, "figures": {}, **provenance()})


def contents(run: RunDirectory) -> list[Path]:
    """What a job has written, without what keeps its W&B identity and what Hydra has just written for this start."""
    kept = ("wandb", ".hydra", LOCK)
    return [path for path in run.path.iterdir() if path.name not in kept and path.name[:7] != "former-"]


def put_aside(run: RunDirectory, result: dict[str, Any]) -> None:
    """Moves what was made with another config to a folder of its own, so that hours of work are not lost."""
    place = run.path / f"former-{result.get('config_hash', 'unfinished')}"
    shutil.rmtree(place, ignore_errors=True)
    found = contents(run)
    place.mkdir()
    for path in found:
        path.rename(place / path.name)
    say(f"made with another config; put aside in  {place}")
