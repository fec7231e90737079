"""Trains models side by side and writes one table: python -m experiments.compare data=speech seeds=3."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from experiments.app import launch
from experiments.build import build, require_integer
from experiments.comparison import compose_train, estimates_command, finished_rows, plan, run
from experiments.errors import UserError
from experiments.jobs import Job
from experiments.names import CONF, first_line
from experiments.report.comparison import write_comparison
from experiments.report.published import find_published
from experiments.terminal import console, say


class Compare:
    """The app. Overrides that are not its own are those of experiments.train, and all jobs share them."""

    def __init__(self) -> None:
        self.shared: list[str] = []

    def own_arguments(self, arguments: list[str]) -> list[str]:
        """Puts aside what belongs to experiments.train, and returns the rest."""
        keys = OmegaConf.load(CONF / "compare.yaml").keys()
        own = [text for text in arguments if text.startswith("-") or text.partition("=")[0].split(".")[0] in keys]
        self.shared = [text for text in arguments if text not in own]
        return own

    def __call__(self, cfg: DictConfig) -> int:
        """Trains what is missing, estimates, reports; returns 0 if every job of the comparison is done."""
        require_numbers(cfg)
        parallel = cfg.jobs or os.cpu_count() or 1
        code = 0
        if cfg.runs is not None:
            rows, directory, title = (
                finished_rows(str(cfg.runs)),
                Path(cfg.output or "outputs/comparisons/runs"),
                "runs",
            )
        else:
            planned = plan(self.shared, cfg)
            directory, title = planned.directory, first_line(CONF / "data" / f"{planned.data}.yaml").partition(":")[0]
            missing = [job for jobs in planned.rows().values() for job in jobs if job.state != "done"]
            done = len(planned.jobs) - len(missing)
            say(f"comparison  {len(planned.labels)} rows, {len(planned.jobs)} jobs, {done} done already")
            say(f"folder      {directory}")
            if missing:
                code = run("train", planned.command(min(parallel, len(missing))))
            if code > 128:
                say(f"stopped; go on with: {self.command()}")
                return code
            rows = planned.rows()
        done = [job for jobs in rows.values() for job in jobs if job.state == "done"]
        if not done:
            raise UserError(f"{directory}: no job of this comparison is done, so there is nothing to report")
        if cfg.num_samples is not None and (arguments := estimates_command(done, cfg.num_samples, parallel)):
            code = max(code, run("evaluate", arguments))
        self.report(cfg, rows, done, directory, title)
        return code

    def report(self, cfg: DictConfig, rows: dict[str, list[Job]], done: list[Job], directory: Path, title: str) -> None:
        """Writes the comparison, tells of it, and hands it to the tracker."""
        example = done[0].run.read_config()
        bernoulli = example.likelihood._target_.endswith(".Bernoulli")
        found = write_comparison(
            directory,
            rows,
            title=title,
            command=self.command(),
            published=find_published(example),
            negate=bernoulli if cfg.negate is None else cfg.negate,
        )
        console.print(found.terminal())
        tracker = build(compose_train(self.shared), "logger")
        tracker.open(directory, {"rows": list(rows), "command": self.command()}, f"{title}: comparison", directory.name)
        try:
            tracker.publish(found.columns, found.data, found.files)
        finally:
            tracker.close(0)
        for path in found.files[:4]:
            say(str(path))

    def command(self) -> str:
        """What to type to make this comparison, or to go on with it."""
        return shlex.join(["python", "-m", "experiments.compare", *self.shared, *HydraConfig.get().overrides.task])


def require_numbers(cfg: DictConfig) -> None:
    """Raises UserError unless the app's own numbers are what they must be."""
    seeds = list(cfg.seeds) if OmegaConf.is_list(cfg.seeds) else []
    for seed in seeds:
        require_integer("seeds", seed, 0)
    if not seeds:
        require_integer("seeds", cfg.seeds, 1)
    for name in ("num_samples", "jobs"):
        if cfg[name] is not None:
            require_integer(name, cfg[name], 1)


if __name__ == "__main__":
    app = Compare()
    launch("compare", app, app.own_arguments)
