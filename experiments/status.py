"""Shows how multiruns stand: python -m experiments.status [dir=<directory of a sweep> [watch=true] [report=true]]."""

from __future__ import annotations

import time
from pathlib import Path
from typing import NoReturn

from omegaconf import DictConfig
from rich.live import Live

from experiments.cli.app import launch
from experiments.cli.context import JobContext
from experiments.cli.streams import is_output_lost
from experiments.cli.terminal import console, say
from experiments.disk.ownership import PLAN, claim
from experiments.errors import UserError
from experiments.sweep.overview import listing, overview
from experiments.sweep.plan import SweepPlan

SWEEPS = Path("outputs/sweeps")


def status(cfg: DictConfig, context: JobContext) -> int:
    """Prints the table, once or until no job runs; writes the report where it is asked for."""
    if cfg.dir is None:
        return status_of_all(cfg)
    directory = Path(str(cfg.dir))
    if not directory.is_dir():
        raise UserError(f"dir={directory}: there is no such directory; sweeps lie in outputs/sweeps/")
    plan = SweepPlan.read(directory)
    hashes = hashes_today(plan)
    jobs = plan.jobs(hashes)
    if cfg.watch and console.is_terminal:
        with Live(console=console, auto_refresh=False, transient=True) as live:
            while any(sweep_job.job.state == "running" for sweep_job in jobs):
                live.update(overview(plan, jobs, height=console.height - 1), refresh=True)
                time.sleep(cfg.every)
                jobs = plan.jobs(hashes)
    console.print(overview(plan, jobs))
    missing = [sweep_job for sweep_job in jobs if not sweep_job.job.is_over]
    if missing or len(jobs) < plan.total:
        say(f"go on with  {plan.command_to_show}")
    if cfg.report:
        from experiments.report.sweep.report import Sweep

        claim(directory, "sweep", "give the directory of a sweep of this suite")
        sweep = Sweep(plan, jobs)
        sweep.write(directory, f"Sweep {directory.name}", plan.command_to_show)
        for file in sweep.files[:3]:
            say(str(file))
    return 0


def hashes_today(plan: SweepPlan) -> dict[str, str]:
    """What the results of the done jobs should have been made with; nothing where sweep.json must not be composed."""
    try:
        plan.require_plain()
    except UserError as error:
        say(f"note        {error}; so whether results were made with today's config was not looked at")
        return {}
    return plan.hashes([sweep_job for sweep_job in plan.jobs() if sweep_job.job.state == "done"])


def status_of_all(cfg: DictConfig) -> int:
    """Prints a line for every sweep."""
    if cfg.watch or cfg.report:
        raise UserError(f"{'watch' if cfg.watch else 'report'}=true: of which sweep? Add dir=<its directory>")
    plans = [SweepPlan.read(file.parent) for file in SWEEPS.glob(f"*/{PLAN}")]
    if not plans:
        raise UserError(f"{SWEEPS}: there is no sweep yet; python -m experiments.train sweep=latent_grid makes one")
    console.print(listing(plans))
    say(f"jobs of one  python -m experiments.status dir={SWEEPS}/<sweep>")
    return 0


def conclude(code: int) -> int:
    """The exit code: what is shown is all that this app makes, so it has failed where that is lost."""
    return code or int(is_output_lost())


def main() -> NoReturn:
    """The app, as `python -m experiments.status` and as the command vrnn-status."""
    launch("status", status, conclude=conclude)


if __name__ == "__main__":
    main()
