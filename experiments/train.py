"""Trains one model: python -m experiments.train [group=option] [group.key=value] [--multirun]
[sweep=<name>] [resume=<run>] [run_from=<run>]."""

from __future__ import annotations

from typing import NoReturn

from omegaconf import DictConfig

from experiments.cli.app import complete, fail, launch
from experiments.cli.arguments import read_arguments
from experiments.cli.context import JobContext
from experiments.config.identity import config_hash
from experiments.disk.locks import locked
from experiments.disk.ownership import claim
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.run.repeat import repeated_arguments
from experiments.run.resume import resumed_arguments, resumed_config
from experiments.run.starts import RUN_ELSEWHERE, begin, go_on, just_written, require_room
from experiments.run.withdrawal import withdrawing


def train(cfg: DictConfig, context: JobContext) -> int:
    """One job; returns its exit code."""
    from experiments.run.job import run_job  # with torch, which no command line needs that is refused or asks for help
    from experiments.sweep.job import run_or_continue

    run = RunDirectory(context.directory)
    if context.multirun is not None:
        return run_or_continue(cfg, run, context)
    complete(cfg, context)
    if cfg.resume is None:
        claim(run.path, "run", RUN_ELSEWHERE, just_written(context))
        with locked(run.path, "this run is"):
            require_room(run)
            begin(run, config_hash(cfg), context)
            with withdrawing(run, context):
                return run_job(cfg, run, context, resume=False)
    run = RunDirectory.existing(cfg.resume)
    claim(run.path, "run", "give the directory of a run that experiments.train made")
    cfg = resumed_config(run, cfg, context.overrides)
    with locked(run.path, "this run is"):
        go_on(run)
        return run_job(cfg, run, context, resume=True)


def prepared(arguments: list[str]) -> list[str]:
    """The arguments, with those of the run that is resumed or repeated."""
    require_sweeper(arguments)
    return repeated_arguments(resumed_arguments(arguments))


def require_sweeper(arguments: list[str]) -> None:
    """Raises UserError where Hydra's own sweeper is named: its jobs have no plan, no lock and no report."""
    if "hydra/sweeper=basic" in read_arguments(arguments).overrides:
        raise UserError("hydra/sweeper=basic: expected grid or search; leave it out for a grid")


def outcome(cfg: DictConfig, context: JobContext, code: int) -> None:
    """Raises JobFailed where no sweeper reads in the job's directory how it ended."""
    if cfg.multirun.view is None:
        fail(cfg, context, code)


def main() -> NoReturn:
    """The app, as `python -m experiments.train` and as the command vrnn-train; hydra_plugins/ runs its sweeps."""
    launch("train", train, prepared, outcome, completed=False)


if __name__ == "__main__":
    main()
