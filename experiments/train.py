"""Trains one model: python -m experiments.train [group=option] [group.key=value] [--multirun]
[sweep=<name>] [resume=<run>] [run_from=<run>]."""

from __future__ import annotations

from typing import NoReturn

from omegaconf import DictConfig

from experiments.cli.app import complete, fail, launch
from experiments.cli.arguments import read_arguments
from experiments.cli.context import JobContext
from experiments.errors import UserError
from experiments.run.repeat import repeated_arguments
from experiments.run.resume import resumed_arguments


def train(cfg: DictConfig, context: JobContext) -> int:
    """One job; returns its exit code."""
    from experiments.run.single import SingleRun  # with torch, which a command line that is refused does not need
    from experiments.sweep.job import MultirunJob

    if context.multirun is not None:
        return MultirunJob(cfg, context, context.multirun).work()
    return SingleRun(complete(cfg, context), context).work()


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
