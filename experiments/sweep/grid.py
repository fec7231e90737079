"""Multiruns: where their jobs lie, what is missing of them, who watches them, and what is said at the end."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from hydra import initialize_config_dir
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.cli.app import answer
from experiments.cli.arguments import read_arguments
from experiments.cli.processes import jobs_at_once
from experiments.cli.terminal import console, say
from experiments.config.build import require_integer
from experiments.config.checks import require_keys
from experiments.config.overrides import quoted
from experiments.config.paths import CONF
from experiments.disk.locks import locked
from experiments.disk.ownership import claim, is_own, mark, read_mark
from experiments.disk.removal import discard, drop_unfinished, lift_stop
from experiments.errors import UserError
from experiments.run.starts import JOBS_ELSEWHERE, begin_multirun, claim_jobs, claim_run, is_hydras_key, named_by_us
from experiments.run.state import tell_changed
from experiments.sweep.monitor import Monitor
from experiments.sweep.plan import SweepJob, SweepPlan
from experiments.sweep.search import counted, is_search, prepare_search, require_search
from experiments.sweep.space import SearchSpace, read_space
from experiments.sweep.stopping import pruning
from experiments.tracking.guard import Guard, build_tracker

MOST = 100  # failures that an exit code tells apart; the codes above have meanings of their own


class Sweep:
    """The multirun of this process, if it is one: prepared before Hydra starts, told of when Hydra is done.

    It holds the lock on its directory as long as the process lives.
    """

    def __init__(self) -> None:
        self.lock = ExitStack()
        self.plan: SweepPlan | None = None

    def prepare(self, arguments: list[str], typed: Sequence[str] | None = None) -> list[str]:
        """The arguments, with what a multirun needs; those of a single run stay as they are.

        Whoever says where every job goes (hydra.sweep.dir and .subdir) keeps others out and reports by himself. Jobs
        that are named otherwise than by `job_name` are left to Hydra altogether.

        Args:
          arguments: of the command line, with what has been made of them.
          typed: as they were typed, where that is something else; they make the same again.

        Raises:
          HydraException, OmegaConfBaseException: its first job does not compose.
          UserError: it is no search space, a setting is wrong, or the same multirun is running already.
        """
        asked = read_flags(arguments)
        given = asked.overrides if asked else []
        keys = dict(argument.partition("=")[::2] for argument in given)
        # An experiment, or a folder of one's own, may ask for a multirun as well: the composed config tells.
        if asked is None or not (
            asked.multirun or asked.config_dir or {"sweep", "experiment"} & set(keys) or any(map(is_hydras_key, keys))
        ):
            return arguments
        space = read_space(given, multirun=asked.multirun, config_dir=asked.config_dir)
        try:
            if isinstance(space, DictConfig) and space.resume is None:
                claim_run(space)
            elif isinstance(space, SearchSpace) and not named_by_us(keys):
                claim_jobs(space)
            elif isinstance(space, SearchSpace):
                OmegaConf.to_container(space.cfg.hydra.sweep, resolve=True)
        except (HydraException, OmegaConfBaseException, ValueError):
            return arguments  # a place that is known within a job only; where it leads nowhere, Hydra meets the same
        if isinstance(space, DictConfig):
            return arguments
        begin_multirun()
        if not named_by_us(keys):
            return arguments
        own = self.begin(space, keys, shlex.join(["python", "-m", "experiments.train", *(typed or arguments)]))
        at = arguments.index(given[0]) if given else len(arguments)
        rest = [argument for argument in arguments[at:] if argument.partition("=")[0] not in own]
        # argparse wants all overrides in one row.
        return [*arguments[:at], *(f"{key}={value}" for key, value in own.items()), *rest]

    def begin(self, space: SearchSpace, typed: dict[str, str], command: str) -> dict[str, str]:
        """Takes the directory, and returns the overrides, by key, that lead the jobs there; they replace typed ones."""
        cfg = space.cfg
        require_keys(cfg, "train", below="multirun")
        require_settings(cfg)
        directory = Path(cfg.hydra.sweep.dir) if "hydra.sweep.dir" in typed else space.directory
        parallel = cfg.hydra.launcher.n_jobs if "hydra.launcher.n_jobs" in typed else number_in_parallel(cfg)
        self.plan = SweepPlan(directory, command, space.shared, space.keys, space.points, space.trials)
        self.cfg = cfg
        self.reports = "hydra.sweep.subdir" not in typed
        claim(directory, "sweep" if self.reports else None, JOBS_ELSEWHERE)
        for settings in space.points:
            claim(directory / self.plan.name(settings), "run", "take it away, or give another hydra.sweep.dir")
        self.before = {path.name for path in directory.iterdir()} if directory.exists() else None
        if self.reports:
            self.lock.enter_context(locked(directory))
            drop_unfinished(directory, "sweep")
        if not read_mark(directory) and not (directory.exists() and is_own(directory, "run")):
            mark(directory, "sweep")
        lift_stop(directory)
        view = cfg.multirun.view or ("table" if console.is_terminal else "lines")
        own = {"multirun.view": view}
        if self.reports:
            own["hydra.sweep.dir"] = quoted(str(directory))
            own["hydra.sweep.subdir"] = f"${{job_name:{','.join(space.keys) or '-'}}}"
        if "n_jobs" in cfg.hydra.launcher and "hydra.launcher.n_jobs" not in typed:
            own["hydra.launcher.n_jobs"] = str(parallel)
        if self.reports and "trainer.test" not in typed and cfg.hydra.runtime.choices.get("sweep") is None:
            own["trainer.test"] = "false"  # a sweep's YAML says it itself
        if is_search(cfg):
            search = prepare_search(cfg, self.plan, parallel)
            own |= {key: value for key, value in search.items() if key != "hydra.sweeper.n_jobs" or key not in typed}
            self.plan = counted(cfg, self.plan)
        if self.reports:
            self.plan.write()
        with initialize_config_dir(str(CONF), version_base="1.3"):
            self.hashes = self.plan.hashes([found for found in self.plan.jobs() if found.job.may_be_of_another_config])
        jobs = self.jobs()
        kept = ("done",) if cfg.multirun.replace_resumed else ("done", "resumed")
        done = sum(found.job.is_over and found.job.state in kept for found in jobs)
        tell_changed([found.job for found in jobs], replace=cfg.multirun.replace_resumed)
        if self.reports:
            say(f"sweep       {self.plan.total} jobs, {done} done already, {parallel_words(cfg, parallel)}")
            say(f"folder      {directory}")
        self.monitor = Monitor(self.plan, self.hashes, show=view == "table")
        self.monitor.start()
        return own

    def conclude(self, code: int) -> int:
        """Reports of what is there; returns the exit code: how many jobs are not done, at most 100."""
        if self.plan is None:
            return code
        self.monitor.finish()
        if is_search(self.cfg):
            self.plan = counted(self.cfg, self.plan)
            self.plan.write()
        jobs = self.jobs()
        if all(found.job.state == "waiting" for found in jobs):
            answer(self.tell_culprit)
            if self.reports:
                discard(self.plan.directory, self.before)
            return code or 1  # what kept them from starting has been told
        if self.reports:
            with Guard("report", "the jobs are not touched; experiments.status report=true writes it again"):
                self.report()
        missing = max(0, self.plan.total - sum(found.job.is_over for found in jobs))
        if missing and (code > 128 or self.monitor.requested) and not self.monitor.gave_up:
            if self.reports:
                say(f"stopped; go on with: {self.plan.command}")
            return 128 + self.monitor.requested if self.monitor.requested else code
        if missing and self.reports:
            say(f"{missing} of {self.plan.total} jobs are not done; go on with: {self.plan.command}")
        return min(missing, MOST) or code

    def jobs(self) -> list[SweepJob]:
        """All that are known; stale, where a result was made with another config than today's."""
        return self.plan.jobs(self.hashes)

    def tell_culprit(self) -> int:
        """Of jobs that none of was begun, says which one does not compose; Hydra has told why."""
        if self.monitor.requested is None:
            with initialize_config_dir(str(CONF), version_base="1.3"):
                for found in self.plan.jobs():
                    try:
                        self.plan.compose(found.settings)
                    except UserError as error:
                        raise UserError(f"{found.words}: this job does not compose, so none was begun") from error
        return 0

    def report(self) -> int:
        """Writes sweep.html, .md and .csv, tells of them, and hands them to the tracker."""
        from experiments.report.sweep.write import write_sweep  # its parts are of no use to the jobs

        plan = self.plan
        title = f"Sweep {plan.directory.name}"
        found = write_sweep(plan, self.jobs(), title=title)
        console.print(found.terminal())
        for path in found.files[:3]:
            say(str(path))
        tracker = build_tracker(self.cfg)
        about = {"sweep": plan.directory.name, "command": plan.command, "keys": plan.keys}
        tracker.open(plan.directory, about, title, plan.directory.name)
        try:
            tracker.publish(found.columns, found.data, found.files)
        finally:
            tracker.close(0)
        return 0


def read_flags(arguments: list[str]) -> argparse.Namespace | None:
    """The arguments as Hydra reads them; None where it will run nothing."""
    asked = read_arguments(arguments)
    others = ("help", "hydra_help", "version", "cfg", "info", "shell_completion")
    return None if any(getattr(asked, name) for name in others) else asked


def require_settings(cfg: DictConfig) -> None:
    """Raises UserError unless what the config says of all jobs together is right: else every job would tell it."""
    pruning(cfg, Path())
    if is_search(cfg):
        require_search(cfg)


def number_in_parallel(cfg: DictConfig) -> int:
    """Jobs at a time, where the launcher can run several.

    Raises:
      UserError: multirun.max_parallel is not a positive integer.
    """
    if cfg.multirun.max_parallel is not None:
        require_integer("multirun.max_parallel", cfg.multirun.max_parallel, 1)
        return cfg.multirun.max_parallel
    try:
        return jobs_at_once(cfg.trainer.device)
    except ValueError as error:
        raise UserError(f"trainer.device={cfg.trainer.device}: {error}") from error


def parallel_words(cfg: DictConfig, parallel: int) -> str:
    launcher = cfg.hydra.runtime.choices["hydra/launcher"]
    number = f"{parallel}" if parallel > 0 else "as many as cores"
    return f"{number} at a time ({launcher})" if "n_jobs" in cfg.hydra.launcher else f"launcher {launcher}"
