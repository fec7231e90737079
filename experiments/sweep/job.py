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
from experiments.run.job import TrainingJob
from experiments.run.starts import START, begin, go_on, has_computed, just_written
from experiments.run.state import Job, read_job
from experiments.run.stopping_rule import StoppingRule
from experiments.sweep.pruning import trial_pruning
from experiments.sweep.settings import MultirunSettings
from experiments.sweep.stopping import stop_below

ORPHAN_SECONDS = 20.0  # seconds that jobs of a killed multirun are given to notice it


class MultirunJob:
    """One job of a multirun that may have been started before.

    What is done is skipped. What was interrupted, or failed on its way otherwise than by diverging, goes on from its
    checkpoint. What diverged begins anew, and so does what was made with another config: its result is put aside. What
    resume= has taken further stays unless multirun.replace_resumed is true, and what failed stays where
    multirun.retry_failed is false. Nothing begins after a call to stop.

    Args:
      cfg: the job's config.
      context: of the start.
      multirun: the directory of all jobs.
    """

    def __init__(self, cfg: DictConfig, context: JobContext, multirun: Path):
        self.cfg, self.context, self.multirun = cfg, context, multirun
        self.run = RunDirectory(context.directory)
        self.settings = MultirunSettings.of(cfg)
        self.stop = multirun / STOP

    def work(self) -> int:
        """Decides, under the job's lock; returns the job's exit code."""
        if self.stop.exists():
            return 1
        written = just_written(self.context)
        claim(self.run.path, "run", "give another hydra.sweep.dir or hydra.sweep.subdir", written)
        with locked(self.run.path, "this job is", wait=ORPHAN_SECONDS):
            try:
                return self.run_or_continue()
            except Exception:
                if self.settings.fail_fast:
                    self.stop.touch()
                if self.settings.view is None or not self.run.result_file.is_file():
                    raise
                return 1  # whoever started the multirun reads there why, and tells of it

    def run_or_continue(self) -> int:
        """Skips, begins or goes on, as the directory tells."""
        cfg, run, context = self.cfg, self.run, self.context
        try:
            complete(cfg, context)
        except UserError as error:
            refuse(run, error, context)
            raise
        identity = config_hash(cfg)
        job = read_job(run, identity, alive=False)
        if job.state == "done":
            self.say(f"done already  {run}")
            return 0
        if job.state == "failed" and not self.settings.retry_failed:
            return 1
        if job.state == "resumed" and not self.settings.replace_resumed:
            self.say(f"kept          {run}, which resume= has taken further")
            return int(not job.is_over)
        diverged = (job.result.get("error") or {}).get("kind") == "Diverged"
        resume = job.state == "interrupted" or (job.state == "failed" and not diverged)
        if job.state in ("stale", "resumed"):
            put_previous_aside(run, job)
        if resume:
            go_on(run)
        else:
            begin(run, identity, context)
        quiet = self.settings.view == "table"
        rules = self.stopping_rules
        return TrainingJob(cfg, run, context, resume=resume, stop=self.stop, stopping_rules=rules, quiet=quiet).work()

    def stopping_rules(self) -> list[StoppingRule]:
        """What may end the training early."""
        rules = (
            stop_below(self.settings.stop_below, self.run.path),
            trial_pruning(self.context.sweeper, self.multirun, self.run.path),
        )
        return [rule for rule in rules if rule is not None]

    def say(self, text: str) -> None:
        """One line on the screen, where no table is shown."""
        if self.settings.view != "table":
            say(text)


def refuse(run: RunDirectory, error: UserError, context: JobContext) -> None:
    """Records that a job's config cannot be one; a result that is there was made with another config."""
    if run.result_file.is_file():
        put_previous_aside(run, read_job(run, alive=False))
    begin(run, None, context)
    about = {"status": "failed", "error": {"kind": "UserError", "message": str(error)}, "config_hash": None}
    run.write_result({"format": 1, **about, "step": 0, "seconds": 0.0, "figures": {}, **provenance(context)})


def put_previous_aside(run: RunDirectory, job: Job) -> None:
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
