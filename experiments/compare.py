"""Trains models side by side and writes one table: python -m experiments.compare data=speech seeds=3."""

from __future__ import annotations

import os
import shlex
from glob import glob
from pathlib import Path

from omegaconf import DictConfig, OmegaConf

from experiments.app import launch
from experiments.build import build, require_integer
from experiments.comparison import compose_train, estimates_command, plan, run
from experiments.errors import UserError
from experiments.jobs import Job, read_job
from experiments.names import CONF
from experiments.report.comparison import write_comparison
from experiments.report.published import find_published
from experiments.run_directory import RunDirectory
from experiments.terminal import console, say


class Compare:
    """The app. Overrides that are not its own are those of experiments.train, and all jobs share them."""

    def __init__(self) -> None:
        self.shared: list[str] = []

    def own_arguments(self, arguments: list[str]) -> list[str]:
        """Keeps what belongs to experiments.train, and returns the rest."""
        keys = OmegaConf.load(CONF / "compare.yaml").keys()
        own = [text for text in arguments if text.startswith("-") or text.partition("=")[0].split(".")[0] in keys]
        self.shared = [text for text in arguments if text not in own]
        return own

    def __call__(self, cfg: DictConfig) -> int:
        """Trains what is missing, estimates, reports; returns 0 if every job of the comparison is done."""
        parallel = os.cpu_count() or 1
        for name in ("num_samples", "jobs", *(["seeds"] if not OmegaConf.is_list(cfg.seeds) else [])):
            if cfg[name] is not None or name == "seeds":
                require_integer(name, cfg[name], 1)
        parallel = cfg.jobs or parallel
        if cfg.runs is not None:
            rows, directory, base = finished_rows(cfg.runs), Path(cfg.output or "outputs/comparisons/runs"), None
            code = 0
        else:
            planned = plan(self.shared, cfg)
            rows, directory, base = planned.rows(), planned.directory, planned.base
            waiting = [job for jobs in rows.values() for job in jobs if job.state != "done"]
            total = len(planned.jobs)
            say(f"comparison  {len(rows)} rows, {total} jobs, {total - len(waiting)} done already; {directory}")
            code = run("train", planned.command(min(parallel, len(waiting)))) if waiting else 0
            rows = planned.rows()
            if code > 128:
                say(f"stopped; go on with the same command: {self.command(cfg)}")
                return code
        done = [job for jobs in rows.values() for job in jobs if job.state == "done"]
        if not done:
            raise UserError(f"{directory}: no job of this comparison is done, so there is nothing to report")
        if cfg.num_samples is not None and (missing := estimates_command(done, cfg.num_samples, parallel)):
            code = max(code, run("evaluate", missing))
        self.report(cfg, rows, directory, base)
        return code

    def report(self, cfg: DictConfig, rows: dict[str, list[Job]], directory: Path, base: DictConfig | None) -> None:
        """Writes the comparison and tells of it."""
        example = next(job for jobs in rows.values() for job in jobs if job.state == "done").run.read_config()
        title = base.hydra.runtime.choices.data if base is not None else str(cfg.runs)
        negate = example.likelihood._target_.endswith(".Bernoulli") if cfg.negate is None else cfg.negate
        found = write_comparison(
            directory,
            rows,
            title=title,
            command=self.command(cfg),
            published=find_published(example),
            negate=negate,
        )
        console.print(found.terminal())
        tracker = build(base if base is not None else compose_train(self.shared), "logger")
        tracker.open(directory, {"title": title, "rows": list(rows)}, f"comparison of {title}", directory.name)
        try:
            tracker.publish(found.columns, found.data, found.files)
        finally:
            tracker.close(0)
        for path in found.files:
            say(str(path))

    def command(self, cfg: DictConfig) -> str:
        """What to type to make this comparison, or to go on with it."""
        from hydra.core.hydra_config import HydraConfig

        return shlex.join(["python", "-m", "experiments.compare", *self.shared, *HydraConfig.get().overrides.task])


def finished_rows(pattern: str) -> dict[str, list[Job]]:
    """Finished runs by what they are, seeds of one config together.

    Raises:
      UserError: the pattern finds no finished run.
    """
    rows: dict[str, list[Job]] = {}
    for path in sorted(glob(str(pattern))):
        job = read_job(RunDirectory(Path(path)))
        if job.state != "waiting":
            rows.setdefault(job.result.get("label") or job.run.path.name, []).append(job)
    if not rows:
        raise UserError(f"runs={pattern}: no run directory is found there; give a pattern, such as 'outputs/train/*'")
    return rows


if __name__ == "__main__":
    app = Compare()
    launch("compare", app, app.own_arguments)
