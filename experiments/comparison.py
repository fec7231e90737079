"""What a comparison consists of: its rows, their jobs, and the commands that make what is missing."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from glob import glob
from pathlib import Path
from typing import NamedTuple

from hydra import compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict

from experiments.errors import UserError
from experiments.jobs import Job, read_job
from experiments.names import CONF, job_slug, settled
from experiments.resume import quoted
from experiments.run_directory import RunDirectory, config_hash

SET_BY_ROWS = ("model", "likelihood", "comparison", "seed", "resume")


class Plan(NamedTuple):
    """A comparison before anything is run.

    Attributes:
      directory: where the jobs and the report lie; the same for the same shared config.
      shared: overrides of experiments.train that all jobs have.
      options: the rows, as options of conf/comparison/.
      labels: the rows, as the table calls them.
      seeds: of each row.
      data: the option of the group `data`.
      jobs: config_hash of each job, by its directory's name; a row's seeds one after the other.
    """

    directory: Path
    shared: list[str]
    options: list[str]
    labels: list[str]
    seeds: list[int]
    data: str
    jobs: dict[str, str]

    def rows(self) -> dict[str, list[Job]]:
        """Every row's jobs as they stand now, by label."""
        jobs = [read_job(RunDirectory(self.directory / name), identity) for name, identity in self.jobs.items()]
        count = len(self.seeds)
        return {label: jobs[i * count : (i + 1) * count] for i, label in enumerate(self.labels)}

    def command(self, parallel: int) -> list[str]:
        """Arguments of experiments.train for all jobs as one multirun, to be given to a shell's exec."""
        return [
            "--multirun",
            *self.shared,
            f"comparison={','.join(self.options)}",
            f"seed={','.join(map(str, self.seeds))}",
            *self.launcher(parallel),
            f"hydra.sweep.dir={quoted(str(self.directory))}",
            "hydra.sweep.subdir=${job_name:comparison,seed}",
        ]

    def launcher(self, parallel: int) -> list[str]:
        """Overrides for so many jobs at a time on this machine; none where the shared ones choose a launcher."""
        if any(override.startswith("hydra/launcher=") for override in self.shared):
            return []
        return ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={parallel}"]


def compose_train(overrides: Sequence[str]) -> DictConfig:
    """The config of experiments.train under these overrides, with its hydra node.

    Raises:
      UserError: they do not compose; Hydra's own message says why.
    """
    try:
        return compose("train", list(overrides), return_hydra_config=True)
    except HydraException as error:
        raise UserError(str(error)) from error


def plan(shared: list[str], cfg: DictConfig) -> Plan:
    """The comparison that compare.yaml's own keys (cfg) and the shared overrides describe.

    Raises:
      UserError: an override that the rows set themselves, one that does not compose, or rows that do not exist.
    """
    for override in OverridesParser.create().parse_overrides(shared):
        if override.key_or_group in SET_BY_ROWS or override.is_sweep_override():
            raise UserError(
                f"{override.input_line}: the rows of a comparison set {', '.join(SET_BY_ROWS[:3])} and seed themselves "
                "and share everything else; choose rows=[...] and seeds=..., or compare finished runs with runs=..."
            )
    base = compose_train(shared)
    choices = base.hydra.runtime.choices
    options = chosen_rows(cfg, choices.likelihood)
    labels = [OmegaConf.load(CONF / "comparison" / f"{option}.yaml").label for option in options]
    seeds = list(range(cfg.seeds)) if isinstance(cfg.seeds, int) else list(cfg.seeds)
    if cfg.output is None:
        with open_dict(base):
            own = OmegaConf.masked_copy(base, [key for key in base if key not in ("hydra", "seed")])
        name = choices.get("experiment") or choices.data
        directory = Path("outputs/comparisons") / f"{name.replace('/', '-')}-{config_hash(own)[:8]}"
    else:
        directory = Path(cfg.output)
    jobs = {}
    for option in options:
        for seed in seeds:
            overrides = [f"comparison={option}", f"seed={seed}"]
            job = compose_train([*shared, *overrides])
            with open_dict(job):
                job.pop("hydra")
                settled(job)
            jobs[job_slug(overrides)] = config_hash(job)
    return Plan(directory, shared, options, labels, seeds, choices.data, jobs)


def chosen_rows(cfg: DictConfig, natural: str) -> list[str]:
    """The rows as options of conf/comparison/, in the table's order.

    Raises:
      UserError: there is no such row.
    """
    lineup = natural if cfg.lineup is None else cfg.lineup
    known = sorted(path.stem for path in (CONF / "comparison" / lineup).glob("*.yaml"))
    ordered = [row for row in cfg.order if row in known] + [row for row in known if row not in cfg.order]
    rows = ordered if cfg.rows is None else list(cfg.rows)
    if not known:
        folders = ", ".join(sorted(path.name for path in (CONF / "comparison").iterdir()))
        raise UserError(f"lineup={lineup}: expected a folder of conf/comparison/ ({folders})")
    if not rows or not set(rows) <= set(known):
        raise UserError(
            f"rows={','.join(map(str, rows))}: expected options of conf/comparison/{lineup}/ ({', '.join(known)}); "
            "a new row is one YAML in that folder"
        )
    return [f"{lineup}/{row}" for row in rows]


def run(app: str, arguments: Sequence[str]) -> int:
    """Runs one of the suite's apps in a process of its own, one thread to a job; returns its exit code."""
    environment = {
        **os.environ,
        "OMP_NUM_THREADS": "1",
    }  # several jobs with two threads each would stand in each other's way
    with subprocess.Popen([sys.executable, "-m", f"experiments.{app}", *arguments], env=environment) as process:
        while True:
            try:
                return process.wait()
            except KeyboardInterrupt:  # it was told as well, and is saving its checkpoints
                continue


def estimates_command(jobs: Sequence[Job], num_samples: int, parallel: int) -> list[str]:
    """Arguments of experiments.evaluate for the importance-sampled estimate of every job that lacks it."""
    lacking = [job for job in jobs if not has_estimate(job, num_samples)]
    if not lacking:
        return []
    return [
        "--multirun",
        f"run={','.join(quoted(str(job.run)) for job in lacking)}",
        "objective=iwae",
        f"objective.num_samples={num_samples}",
        "hydra/launcher=joblib",
        f"hydra.launcher.n_jobs={parallel}",
    ]


def has_estimate(job: Job, num_samples: int) -> bool:
    """Whether there is nothing to estimate, or an estimate newer than the job's result."""
    figure = job.result.get("figures", {}).get("test/log_likelihood")
    if figure is None or figure["kind"] == "exact":
        return True
    file = job.run.evaluations / f"iwae-{num_samples}.json"
    return file.is_file() and file.stat().st_mtime >= job.run.result_file.stat().st_mtime


def finished_rows(pattern: str) -> dict[str, list[Job]]:
    """Runs by their labels, and those without one by their model and likelihood.

    Raises:
      UserError: the pattern finds no run directory.
    """
    rows: dict[str, list[Job]] = {}
    for path in sorted(glob(pattern)):
        job = read_job(RunDirectory(Path(path)))
        if job.run.config_file.is_file():
            rows.setdefault(label(job.run.read_config()), []).append(job)
    if not rows:
        raise UserError(f"runs={pattern}: there is no run directory; give a pattern such as runs='outputs/train/*'")
    return rows


def label(cfg: DictConfig) -> str:
    """What a table calls a run."""
    model, likelihood = (cfg[node]._target_.rpartition(".")[2] for node in ("model", "likelihood"))
    independent = "-I" if cfg.model.get("prior") == "standard" else ""
    return cfg.get("label") or f"{model}{independent}, {likelihood}"
