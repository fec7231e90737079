"""Multiruns, from the sweeper's first look at the config to the exit code: lock, plan, live view, report."""

from __future__ import annotations

import os
import shlex
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from pathlib import Path

import joblib
from hydra.core.plugins import Plugins
from hydra.core.utils import JobReturn
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from experiments.cli.app import AppTask, tell
from experiments.cli.processes import start_silent_tracker
from experiments.cli.terminal import console, say
from experiments.config.checks import require_keys
from experiments.config.compose import job_config
from experiments.config.identity import config_hash
from experiments.config.overrides import as_overrides, key_of, literal, quoted
from experiments.disk.locks import locked
from experiments.disk.ownership import claim, is_own, mark, read_mark
from experiments.disk.removal import discard, drop_unfinished, lift_stop
from experiments.errors import UserError
from experiments.run.starts import START
from experiments.run.state import tell_changed
from experiments.sweep.claims import JOBS_ELSEWHERE, claim_jobs, is_named_by_suite
from experiments.sweep.monitor import Monitor
from experiments.sweep.plan import SweepJob, SweepPlan
from experiments.sweep.settings import MultirunSettings
from experiments.sweep.space import compose_swept_job, read_space
from experiments.sweep.stopping import stop_below
from experiments.tracking.guard import Guard, GuardedTracker, build_tracker

MAX_FAILURE_CODE = 100  # failures that an exit code tells apart; the codes above have meanings of their own


Publishes = Callable[[SweepPlan, Sequence[SweepJob], GuardedTracker], None]


class Multirun(ABC):
    """The multirun of this process; made once Hydra has composed, and refused then if need be.

    If hydra.sweep.subdir is overridden, it takes no lock on the directory and writes no report; if that names the jobs
    otherwise than by `job_name`, it only launches them. The lock is held as long as the process lives.

    Args:
      context: Hydra's.
      task: what runs one job; it knows the command line.
      config: as Hydra has composed it for the sweeper, without what varies.
      publish: writes the report of a plan, of its jobs as they stand, and hands it to a tracker.

    Raises:
      UserError: it is no search space, a setting is wrong, a job does not compose, or the same multirun is running.
    """

    is_grid = True

    def __init__(self, context: HydraContext, task: TaskFunction, config: DictConfig, publish: Publishes):
        if not isinstance(task, AppTask):
            raise TypeError(f"a multirun runs an app of the suite, not {task}")
        self.context, self.task, self.config, self.publish = context, task, config, publish
        self.lock = ExitStack()
        self.space = read_space(config, context.config_loader, is_grid=self.is_grid)
        self.cfg = self.compose(self.space.first_job)
        self.settings = MultirunSettings.of(self.cfg)
        typed = set(map(key_of, literal(config.hydra.overrides.hydra)))
        self.reports = "hydra.sweep.subdir" not in typed
        self.is_followed = is_named_by_suite(config)
        self.parallel = self.number_in_parallel(typed)
        os.environ[START] = uuid.uuid4().hex  # by which the jobs know each other
        if self.is_followed:
            self.begin(typed)
        else:
            claim_jobs(config, self.jobs_to_claim(), self.compose)

    @abstractmethod
    def run(self) -> None:
        """Launches the jobs."""

    @abstractmethod
    def jobs_to_claim(self) -> list[list[str]]:
        """The overrides of the jobs whose directories the user names."""

    def compose(self, overrides: list[str]) -> DictConfig:
        """The config of one job, with its hydra node."""
        return compose_swept_job(self.context.config_loader, self.config, overrides)

    def number_in_parallel(self, typed: Iterable[str]) -> int:
        """Jobs at a time, where the launcher can run several; `typed` are the given keys of the hydra node."""
        if "hydra.launcher.n_jobs" in typed:
            return joblib.effective_n_jobs(self.cfg.hydra.launcher.n_jobs)  # -1: as many as cores
        return self.settings.parallel(self.cfg.trainer.device)

    def begin(self, typed: Iterable[str]) -> None:
        """Takes the directory, and writes down what the multirun consists of."""
        cfg, space = self.cfg, self.space
        require_keys(cfg, "train", below="multirun")
        self.require_settings()
        directory = Path(cfg.hydra.sweep.dir) if "hydra.sweep.dir" in typed else space.directory(cfg)
        command = shlex.join(["python", "-m", "experiments.train", *self.task.words])
        self.plan = SweepPlan(directory, command, space.shared, space.keys, space.points, self.trials)
        claim(directory, "sweep" if self.reports else None, JOBS_ELSEWHERE)
        for settings in self.plan.points:
            claim(directory / self.plan.name(settings), "run", "take it away, or give another hydra.sweep.dir")
        self.hashes = {self.plan.name(point): self.hash_of(point) for point in self.plan.points}
        self.before = {path.name for path in directory.iterdir()} if directory.exists() else None
        if self.reports:
            self.lock.enter_context(locked(directory))
            drop_unfinished(directory, "sweep")
        if not read_mark(directory) and not (directory.exists() and is_own(directory, "run")):
            mark(directory, "sweep")
        lift_stop(directory)
        self.view = self.settings.view or ("table" if console.is_terminal else "lines")
        self.added = [f"multirun.view={self.view}"]
        with open_dict(self.config):
            self.config.hydra.sweep.dir = str(directory)
            if "n_jobs" in self.config.hydra.launcher:
                self.config.hydra.launcher.n_jobs = self.parallel
        if self.reports:
            self.added += [
                f"hydra.sweep.dir={quoted(str(directory))}",
                f"hydra.sweep.subdir=${{job_name:{','.join(space.keys) or '-'}}}",
            ]
            given = {key_of(text) for text in (*space.shared, *space.keys)}
            if "trainer.test" not in given and cfg.hydra.runtime.choices.get("sweep") is None:
                self.added.append("trainer.test=false")  # a sweep's YAML says it itself

    @property
    def trials(self) -> int | None:
        """Of a search; None: it is a grid."""
        return None

    def require_settings(self) -> None:
        """Raises UserError unless what the config says of all jobs together is right: else every job would tell it."""
        stop_below(self.settings.stop_below, Path())

    def hash_of(self, settings: dict[str, str]) -> str | None:
        """`config_hash` of a job; None where its config cannot be resolved, of which the job tells.

        Raises:
          UserError: it does not compose.
        """
        words = as_overrides(settings)
        try:
            cfg = self.compose([*self.space.shared, *words])
        except UserError as error:
            raise UserError(f"{' '.join(words)}: this job does not compose, so none was begun: {error}") from error
        try:
            return config_hash(job_config(cfg))
        except UserError:
            return None

    def start(self) -> None:
        """Runs the jobs and reports of them; ends the process where something is left to do."""
        if self.cfg.hydra.runtime.choices["hydra/launcher"] == "joblib":
            start_silent_tracker()
        self.launcher = Plugins.instance().instantiate_launcher(
            hydra_context=self.context, task_function=self.task, config=self.config
        )
        if not self.is_followed:
            for job in self.launcher.launch(self.unnamed_jobs(), initial_job_idx=0):
                _ = job.return_value  # raises what the job did
            return
        self.announce()
        self.monitor = Monitor(self.plan, self.hashes, show=self.view == "table")
        self.monitor.start()
        code = 0
        try:
            self.run()
        except KeyboardInterrupt as stopped:
            code = stopped.args[0] if stopped.args else 130
        except Exception as error:
            code = 1
            if not self.monitor.is_forced:  # else a worker that was ended is what it tells of
                tell(error)
        self.monitor.finish()
        if self.monitor.is_forced or (code := self.conclude(code)):
            raise SystemExit(code)

    def unnamed_jobs(self) -> list[list[str]]:
        """The overrides of the jobs whose directories the user names."""
        return self.jobs_to_claim()

    def announce(self) -> None:
        """Writes the plan down, and says how far the multirun is."""
        if self.reports:
            self.plan.write()
        jobs = self.jobs()
        kept = ("done",) if self.settings.replace_resumed else ("done", "resumed")
        done = sum(sweep_job.job.is_over and sweep_job.job.state in kept for sweep_job in jobs)
        tell_changed([sweep_job.job for sweep_job in jobs], replace=self.settings.replace_resumed)
        if self.reports:
            say(f"sweep       {self.plan.total} jobs, {done} done already, {self.parallel_words()}")
            say(f"folder      {self.plan.directory}")

    def overrides_of(self, settings: dict[str, str]) -> list[str]:
        """What a job is launched with."""
        return [*self.added, *self.space.shared, *as_overrides(settings)]

    def launch(self, jobs: list[list[str]], first: int) -> None:
        """Launches jobs and waits for them; what has failed without a result of its own is told."""
        for job in self.launcher.launch(jobs, initial_job_idx=first):
            tell_failure(job)

    def jobs(self) -> list[SweepJob]:
        """All that are known; stale, where a result was made with another config than today's."""
        return self.plan.jobs(self.hashes)

    def conclude(self, code: int) -> int:
        """Reports of what is there; returns the exit code: how many jobs are not done, at most 100."""
        jobs = self.jobs()
        if all(sweep_job.job.state == "waiting" for sweep_job in jobs):
            if self.reports:
                discard(self.plan.directory, self.before)
            return code or 1  # what kept them from starting has been told
        if self.reports:
            with Guard("report", "the jobs are not touched; experiments.status report=true writes it again"):
                self.publish(self.plan, self.jobs(), build_tracker(self.cfg))
        missing = max(0, self.plan.total - sum(sweep_job.job.is_over for sweep_job in jobs))
        if missing and (code > 128 or self.monitor.requested) and not self.monitor.gave_up:
            if self.reports:
                say(f"stopped; go on with: {self.plan.command}")
            return 128 + self.monitor.requested if self.monitor.requested else code
        if missing and self.reports:
            say(f"{missing} of {self.plan.total} jobs are not done; go on with: {self.plan.command}")
        return min(missing, MAX_FAILURE_CODE) or code

    def parallel_words(self) -> str:
        """How many jobs run at a time, and where."""
        kind = self.cfg.hydra.runtime.choices["hydra/launcher"]
        return f"{self.parallel} at a time ({kind})" if "n_jobs" in self.cfg.hydra.launcher else f"launcher {kind}"


def tell_failure(job: JobReturn) -> None:
    """Tells what a job has raised."""
    try:
        _ = job.return_value
    except Exception as error:
        tell(error)
