"""One job of a multirun: started, skipped, or gone on with, as its directory tells."""

from __future__ import annotations

import os
from pathlib import Path

from omegaconf import DictConfig

from experiments.cli.app import complete
from experiments.cli.context import JobContext
from experiments.cli.terminal import say
from experiments.config.identity import config_hash
from experiments.disk.locks import locked
from experiments.disk.ownership import STOP, claim, read_mark
from experiments.disk.removal import put_aside
from experiments.errors import UserError
from experiments.run.directory import RunDirectory, provenance
from experiments.run.job import run_job
from experiments.run.starts import START, begin, go_on, has_computed, just_written
from experiments.run.state import Job, read_job
from experiments.run.stopping_rule import StoppingRule
from experiments.sweep.pruning import trial_pruning
from experiments.sweep.stopping import stop_below

ORPHANS = 20.0  # seconds that jobs of a killed multirun are given to notice it


def run_or_continue(cfg: DictConfig, run: RunDirectory, context: JobContext) -> int:
    """One job of a multirun that may have been started before; returns its exit code.

    What is done is skipped. What was interrupted, or failed on its way otherwise than by diverging, goes on from its
    checkpoint. What diverged begins anew, and so does what was made with another config: its result is put aside. What
    resume= has taken further stays unless multirun.replace_resumed is true, and what failed stays where
    multirun.retry_failed is false. Nothing begins after a call to stop.
    """
    assert context.multirun is not None
    stop = context.multirun / STOP
    if stop.exists():
        return 1
    claim(run.path, "run", "give another hydra.sweep.dir or hydra.sweep.subdir", just_written(context))
    with locked(run.path, "this job is", wait=ORPHANS):
        try:
            return _run_or_continue(cfg, run, context, stop)
        except Exception:
            if cfg.multirun.fail_fast:
                stop.touch()
            if cfg.multirun.view is None or not run.result_file.is_file():
                raise
            return 1  # whoever started the multirun reads there why, and tells of it


def _run_or_continue(cfg: DictConfig, run: RunDirectory, context: JobContext, stop: Path) -> int:
    try:
        complete(cfg, context)
    except UserError as error:
        refuse(run, error, context)
        raise
    job = read_job(run, config_hash(cfg), alive=False)
    if job.state == "done":
        if cfg.multirun.view != "table":
            say(f"done already  {run}")
        return 0
    if job.state == "failed" and not cfg.multirun.retry_failed:
        return 1
    if job.state == "resumed" and not cfg.multirun.replace_resumed:
        if cfg.multirun.view != "table":
            say(f"kept          {run}, which resume= has taken further")
        return int(not job.is_over)
    diverged = (job.result.get("error") or {}).get("kind") == "Diverged"
    resume = job.state == "interrupted" or (job.state == "failed" and not diverged)
    if job.state in ("stale", "resumed"):
        put_former_aside(run, job)
    if resume:
        go_on(run)
    else:
        begin(run, config_hash(cfg), context)

    def stopping_rules(cfg: DictConfig, directory: Path) -> list[StoppingRule]:
        rules = (stop_below(cfg, directory), trial_pruning(context.sweeper, stop.parent, directory))
        return [rule for rule in rules if rule is not None]

    return run_job(cfg, run, context, resume=resume, stop=stop, stopping_rules=stopping_rules)


def refuse(run: RunDirectory, error: UserError, context: JobContext) -> None:
    """Records that a job's config cannot be one; a result that is there was made with another config."""
    if run.result_file.is_file():
        put_former_aside(run, read_job(run, alive=False))
    begin(run, None, context)
    about = {"status": "failed", "error": {"kind": "UserError", "message": str(error)}, "config_hash": None}
    run.write_result({"format": 1, **about, "step": 0, "seconds": 0.0, "figures": {}, **provenance(context)})


def put_former_aside(run: RunDirectory, job: Job) -> None:
    """Moves what was made with another config to a folder of its own.

    Raises:
      UserError: it was made by another job of this very multirun.
    """
    if not has_computed(run):
        return  # `begin` takes the rest
    start = read_mark(run.path).get("start")
    if start is not None and start == os.environ.get(START):
        raise UserError(
            f"{run}: another job of this multirun works in this directory; leave hydra.sweep.subdir out, or make it "
            "another one for each job"
        )
    place = put_aside(run.path, f"former-{job.result.get('config_hash', 'unfinished')}")
    say(f"made with another config; put aside in  {place}")
