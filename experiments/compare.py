"""Trains models side by side and writes one table: python -m experiments.compare data=speech seeds=3."""

from __future__ import annotations

import hashlib
import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from omegaconf import DictConfig, OmegaConf

from experiments.cli.app import launch
from experiments.cli.arguments import arranged, read_arguments
from experiments.cli.context import JobContext
from experiments.cli.help import first_line
from experiments.cli.processes import jobs_at_once, run
from experiments.cli.terminal import console, say
from experiments.comparison.finished import finished_rows
from experiments.comparison.plan import estimates_command, plan
from experiments.config.compose import compose_train
from experiments.config.packages import option_files
from experiments.config.paths import CONF
from experiments.disk.locks import locked
from experiments.disk.ownership import claim, mark
from experiments.disk.removal import drop_unfinished
from experiments.errors import UserError
from experiments.run.state import Job, tell_changed
from experiments.tracking.guard import build_tracker
from experiments.tracking.tracked import TrackedRun

ELSEWHERE = "give another output, an empty folder or a new one"


class Compare:
    """The app. Overrides that are not its own are those of experiments.train, and all jobs share them."""

    def __init__(self) -> None:
        self.shared: list[str] = []
        self.typed: tuple[str, ...] = ()  # its own overrides

    def own_arguments(self, arguments: list[str]) -> list[str]:
        """Puts aside what belongs to experiments.train, and returns the rest."""
        keys = [key for key in OmegaConf.load(CONF / "compare.yaml") if key != "hydra"]
        parsed = read_arguments(arguments)
        compares = [text for text in parsed.overrides if text.lstrip("+~").partition("=")[0].split(".")[0] in keys]
        compares += [text for text in parsed.overrides if text.lstrip("+~").startswith("hydra.")]
        self.shared = [text for text in parsed.overrides if text not in compares]
        return arranged(parsed, compares)

    def __call__(self, cfg: DictConfig, context: JobContext) -> int:
        """Trains what is missing, estimates, reports; returns 0 if every job of the comparison is done."""
        self.typed = context.overrides
        return self.train(cfg) if cfg.runs is None else self.collect(cfg)

    def train(self, cfg: DictConfig) -> int:
        """A comparison of its own."""
        planned = plan(self.shared, cfg)
        total = len(planned.jobs)
        claim(planned.directory, "comparison", ELSEWHERE)
        with locked(planned.directory) as lock:
            drop_unfinished(planned.directory, "comparison")
            mark(planned.directory, "comparison")
            jobs = [job for row in planned.rows().values() for job in row]
            missing = [job for job in jobs if not job.is_over or (planned.replace and job.state == "resumed")]
            if not missing:  # else experiments.train tells it
                tell_changed(jobs, replace=planned.replace)
            say(f"comparison  {len(planned.labels)} rows, {total} jobs, {total - len(missing)} done already")
            say(f"folder      {planned.directory}")
            launcher = planned.launcher(cfg.jobs or jobs_at_once(planned.device))
            code = run("train", planned.command(launcher), lock) if missing else 0
            if code > 128:
                say(f"stopped; go on with: {self.command()}")
                return code
            title = re.split(r"[:,(]", first_line(option_files("data")[planned.data]))[0].strip()
            return self.finish(cfg, planned.rows, planned.directory, title, launcher, planned.device, lock)

    def collect(self, cfg: DictConfig) -> int:
        """A comparison of finished runs."""
        foreign = [override for override in self.shared if not override.startswith("logger")]
        if foreign:
            raise UserError(f"{' '.join(foreign)}: finished runs are compared as they are; only logger may be given")
        pattern = str(cfg.runs)
        name = f"runs-{hashlib.sha256(pattern.encode()).hexdigest()[:8]}"
        directory = Path(cfg.output or f"outputs/comparisons/{name}")
        launcher = ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={cfg.jobs or jobs_at_once('auto')}"]
        claim(directory, "comparison", ELSEWHERE)
        with locked(directory) as lock:
            mark(directory, "comparison")
            return self.finish(cfg, lambda: finished_rows(pattern), directory, pattern, launcher, "auto", lock)

    def finish(
        self,
        cfg: DictConfig,
        read_rows: Callable[[], dict[str, list[Job]]],
        directory: Path,
        title: str,
        launcher: list[str],
        device: str,
        lock: int,
    ) -> int:
        """Estimates and reports of what is done; returns 0 if that is everything."""
        rows = read_rows()
        jobs = [job for row in rows.values() for job in row]
        done = [job for job in jobs if job.state == "done"]
        if not done:
            raise UserError(f"{directory}: no job of this comparison is done, so there is nothing to report")
        code = 0
        if cfg.num_samples is not None:
            arguments = estimates_command(done, cfg.num_samples, launcher, device, self.shared)
            code = run("evaluate", arguments, lock) if arguments else 0
        self.report(cfg, rows, done, directory, title)
        return int(code != 0 or not all(job.is_over for job in jobs))

    def report(self, cfg: DictConfig, rows: dict[str, list[Job]], done: list[Job], directory: Path, title: str) -> None:
        """Writes the comparison, tells of it, and hands it to the tracker."""
        example = done[0].run.read_config()
        bernoulli = example.likelihood._target_.endswith(".Bernoulli")
        # Their parts are of no use to the jobs.
        from experiments.report.comparison.published import find_published
        from experiments.report.comparison.report import Comparison

        negate = bernoulli if cfg.negate is None else cfg.negate
        comparison = Comparison(rows, find_published(example), negate=negate)
        comparison.write(directory, title, self.command())
        console.print(comparison.terminal())
        tracker = build_tracker(compose_train(self.shared))
        config, name = {"rows": list(rows)}, f"{title}: comparison"
        about = TrackedRun(directory, name, config, directory.name, "comparison", self.command())
        tracker.publish_report(about, *comparison.plain(), comparison.files)
        for path in comparison.files[:4]:
            say(str(path))

    def command(self) -> str:
        """What to type to make this comparison, or to go on with it."""
        return shlex.join(["python", "-m", "experiments.compare", *self.shared, *self.typed])


def main() -> NoReturn:
    """The app, as `python -m experiments.compare` and as the command vrnn-compare."""
    app = Compare()
    launch("compare", app, app.own_arguments)


if __name__ == "__main__":
    main()
