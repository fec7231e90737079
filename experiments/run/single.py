"""A run that is of no multirun: begun in a directory of its own, or gone on with by resume=."""

from __future__ import annotations

from omegaconf import DictConfig

from experiments.cli.context import JobContext
from experiments.config.identity import config_hash
from experiments.disk.locks import locked
from experiments.disk.ownership import claim
from experiments.run.directory import RunDirectory
from experiments.run.job import TrainingJob
from experiments.run.resume import resumed_config
from experiments.run.starts import RUN_ELSEWHERE, begin, go_on, just_written, require_room
from experiments.run.withdrawal import withdrawing


class SingleRun:
    """One run, from the claim on its directory to its exit code.

    Args:
      cfg: the composed config, complete.
      context: of the start.
    """

    def __init__(self, cfg: DictConfig, context: JobContext):
        self.cfg, self.context = cfg, context

    def work(self) -> int:
        """Trains, or goes on; returns the exit code."""
        return self.begin() if self.cfg.resume is None else self.go_on()

    def begin(self) -> int:
        """A new run, where nothing lies or nothing of value."""
        run, context = RunDirectory(self.context.directory), self.context
        claim(run.path, "run", RUN_ELSEWHERE, just_written(context))
        with locked(run.path, "this run is"):
            require_room(run)
            begin(run, config_hash(self.cfg), context)
            with withdrawing(run, context):
                return TrainingJob(self.cfg, run, context, resume=False).work()

    def go_on(self) -> int:
        """The run that resume= names, with its own config."""
        run = RunDirectory.existing(self.cfg.resume)
        claim(run.path, "run", "give the directory of a run that experiments.train made")
        cfg = resumed_config(run, self.cfg, self.context.overrides)
        with locked(run.path, "this run is"):
            go_on(run)
            return TrainingJob(cfg, run, self.context, resume=True).work()
