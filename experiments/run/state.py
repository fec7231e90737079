"""The jobs of a multirun: how each one stands, and starting, skipping or going on accordingly."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, Literal, NamedTuple

from omegaconf import DictConfig

from experiments.cli.app import complete
from experiments.cli.context import JobContext
from experiments.cli.terminal import say
from experiments.config.identity import RULE, config_hash
from experiments.disk.locks import is_locked, locked
from experiments.disk.ownership import STOP, claim, mark, read_mark
from experiments.disk.removal import begin_anew, drop_unfinished, put_aside
from experiments.errors import UserError
from experiments.run.directory import RunDirectory, provenance
from experiments.run.job import run_job
from experiments.run.starts import START, has_computed, just_written
from experiments.run.stopping_rule import MakesStoppingRule

ORPHANS = 20.0  # seconds that jobs of a killed multirun are given to notice it
State = Literal["waiting", "running", "interrupted", "failed", "stale", "resumed", "done"]


class Job(NamedTuple):
    """One job of a multirun.

    Attributes:
      run: its directory, which need not be there yet.
      state: waiting (never started), running, interrupted (stopped or killed), failed, stale (what lies there was made
        with another config), resumed (it was made with this config, and then taken further by resume= with another
        limit), or done.
      result: its result.json; empty where there is none.
    """

    run: RunDirectory
    state: State
    result: dict[str, Any]

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do: it is done, be it with more training than was asked for."""
        return self.state == "done" or (self.state == "resumed" and self.result.get("status") == "done")

    @property
    def may_be_of_another_config(self) -> bool:
        """Whether it pays to compare its config with today's: it is done, or was resumed by hand."""
        return self.state == "done" or (self.state in ("interrupted", "failed") and was_resumed(self.run))


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
        if expected_hash is not None and config_hash(run.read_config()) != expected_hash:
            return Job(run, "resumed" if was_taken_further(run, expected_hash) else "stale", {})
        return Job(run, "interrupted", {})
    if expected_hash not in (None, result["config_hash"], identity_of(run, result)):
        return Job(run, "resumed" if was_taken_further(run, expected_hash) else "stale", result)
    return Job(run, result["status"], result)


def identity_of(run: RunDirectory, result: dict[str, Any]) -> str | None:
    """`config_hash` of what a result was made with: one of an earlier rule is computed again, from the run's config."""
    if result["identity_rule"] == RULE or result["config_hash"] is None:
        return result["config_hash"]
    try:
        return config_hash(run.read_config())
    except UserError:
        return result["config_hash"]


def was_taken_further(run: RunDirectory, expected_hash: str | None) -> bool:
    """Whether a run was begun with the config of this hash, and is of another one by now since it was resumed.

    Of one that an earlier version has begun nobody knows by this rule how it was: it passes for such a one.
    """
    if not was_resumed(run):
        return False
    begun = read_mark(run.path)
    return begun.get("identity_rule", 1) != RULE or begun.get("config_hash", expected_hash) == expected_hash


def was_resumed(run: RunDirectory) -> bool:
    """Whether a run has been gone on with by resume=, as far as its config can be read."""
    try:
        return run.config_file.is_file() and run.read_config().get("resume") is not None
    except UserError:
        return False


def run_or_continue(
    cfg: DictConfig, run: RunDirectory, context: JobContext, stopping_rule: MakesStoppingRule | None = None
) -> int:
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
            return _run_or_continue(cfg, run, context, stop, stopping_rule)
        except Exception:
            if cfg.multirun.fail_fast:
                stop.touch()
            if cfg.multirun.view is None or not run.result_file.is_file():
                raise
            return 1  # whoever started the multirun reads there why, and tells of it


def _run_or_continue(
    cfg: DictConfig, run: RunDirectory, context: JobContext, stop: Path, stopping_rule: MakesStoppingRule | None
) -> int:
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
    return run_job(cfg, run, context, resume=resume, stop=stop, stopping_rule=stopping_rule)


def begin(run: RunDirectory, identity: str | None, context: JobContext) -> None:
    """Takes away what a former start has left, and marks the directory as that of a run of this config."""
    drop_unfinished(run.path, "run")
    former = begin_anew(run.path, f"former-{run.read_result().get('config_hash')}")
    if former:
        say(f"what was measured of a failed start is put aside in  {former}")
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


def tell_changed(jobs: Iterable[Job], *, replace: bool) -> None:
    """Says, before anything begins, what lies there that is not what this multirun asks for, and what becomes of it."""
    for job in jobs:
        if job.state == "resumed" and not replace:
            say(
                f"kept        {job.run}: resume= has taken it further than this asks for; "
                "multirun.replace_resumed=true puts it aside and makes it anew"
            )
        elif job.state in ("stale", "resumed"):
            say(f"put aside   {job.run}: what lies there is of another config; nothing of it is deleted")
