"""What a comparison consists of: its rows, their jobs, and the commands that make what is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf, open_dict

from experiments.config.checks import require_keys, require_read
from experiments.config.compose import compose_job, compose_train
from experiments.config.identity import config_hash, directory_hash
from experiments.config.keys import COUNTED_AT_FIRST, SET_BY_ROWS
from experiments.config.overrides import key_of, literal, nodes, quoted
from experiments.config.packages import option_files
from experiments.config.slugs import job_slug
from experiments.disk.reading import read_json
from experiments.disk.schemas import Evaluation
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.run.state import Job, read_job


class ComparisonPlan(NamedTuple):
    """A comparison before anything is run.

    Attributes:
      directory: where the jobs and the report lie; the same for the same shared config.
      shared: overrides of experiments.train that all jobs have.
      options: the rows, as options of conf/comparison/.
      labels: the rows, as the table calls them.
      seeds: of each row.
      data: the option of the group `data`.
      device: where the jobs run.
      replace: jobs that resume= has taken further are made anew.
      jobs: config_hash of each job, by its directory's name; a row's seeds one after the other.
    """

    directory: Path
    shared: list[str]
    options: list[str]
    labels: list[str]
    seeds: list[int]
    data: str
    device: str
    replace: bool
    jobs: dict[str, str]

    def rows(self) -> dict[str, list[Job]]:
        """Every row's jobs as they stand now, by label."""
        jobs = [read_job(RunDirectory(self.directory / name), identity) for name, identity in self.jobs.items()]
        count = len(self.seeds)
        return {label: jobs[i * count : (i + 1) * count] for i, label in enumerate(self.labels)}

    def command(self, launcher: list[str]) -> list[str]:
        """Arguments of experiments.train for all jobs as one multirun, to be given to a shell's exec."""
        return [
            "--multirun",
            *self.shared,
            f"comparison={','.join(self.options)}",
            f"seed={','.join(map(str, self.seeds))}",
            *launcher,
            f"hydra.sweep.dir={quoted(str(self.directory))}",
            "hydra.sweep.subdir=${job_name:comparison,seed}",
        ]

    def launcher(self, parallel: int) -> list[str]:
        """Overrides for so many jobs at a time on this machine; none where the shared ones choose a launcher."""
        if any(override.startswith("hydra/launcher=") for override in self.shared):
            return []
        return ["hydra/launcher=joblib", f"hydra.launcher.n_jobs={parallel}"]


def plan(shared: list[str], cfg: DictConfig) -> ComparisonPlan:
    """The comparison that compare.yaml's own keys (cfg) and the shared overrides describe.

    Raises:
      UserError: an override that the rows set themselves, one that does not compose, or rows that do not exist.
    """
    base = compose_train(shared)
    complete_shared(base, shared)
    choices = base.hydra.runtime.choices
    options = chosen_rows(cfg, choices.likelihood)
    rows = [row_of(option) for option in options]
    refuse_overrides_of_rows(shared, rows)
    labels = [str(row.get("label") or option) for row, option in zip(rows, options, strict=True)]
    seeds = list(range(cfg.seeds)) if isinstance(cfg.seeds, int) else list(cfg.seeds)
    for name, values in (("rows", options), ("rows (their labels)", labels), ("seeds", seeds)):
        if len(set(values)) < len(values):
            raise UserError(f"{name}={','.join(map(str, values))}: each may be there once")
    if cfg.output is None:
        directory = default_directory(base)  # by all keys, as the first version had it
        if not directory.exists():
            counting = [text for text in shared if key_of(text) not in COUNTED_AT_FIRST]
            directory = default_directory(compose_train(counting))
    else:
        directory = Path(cfg.output)
    jobs = {}
    for option in options:
        for seed in seeds:
            overrides = [f"comparison={option}", f"seed={seed}"]
            jobs[job_slug(overrides)] = config_hash(compose_job([*shared, *overrides]))
    replace = bool(base.multirun.replace_resumed)
    return ComparisonPlan(directory, shared, options, labels, seeds, choices.data, base.trainer.device, replace, jobs)


def row_of(option: str) -> DictConfig:
    """The YAML of a row.

    Raises:
      UserError: it holds something else than keys.
    """
    file = option_files("comparison")[option]
    row = OmegaConf.load(file)
    if not isinstance(row, DictConfig):
        raise UserError(f"{file}: expected overrides by key and a label, as in the other rows")
    return row


def default_directory(base: DictConfig) -> Path:
    """Where a comparison lies whose jobs share this config."""
    with open_dict(base):
        shared = OmegaConf.masked_copy(base, [key for key in map(str, base) if key not in ("hydra", "seed")])
    choices = base.hydra.runtime.choices
    name = (choices.get("experiment") or choices.data).replace("/", "-")
    return Path("outputs/comparisons") / f"{name}-{directory_hash(shared)[:8]}"


def complete_shared(base: DictConfig, shared: Sequence[str]) -> None:
    """Raises UserError where every job would: what they all share is not what experiments.train takes."""
    from experiments.run.parts import require_parts  # with torch

    job = base.copy()
    with open_dict(job):
        job.pop("hydra")
    require_keys(job, "train")
    require_read(shared, "train")
    require_parts(job)


def refuse_overrides_of_rows(shared: Sequence[str], rows: Sequence[DictConfig]) -> None:
    """Raises UserError if a shared override is a sweep, or would replace what makes the rows different."""
    set_by_rows = {
        key for row in rows for key, value in nodes({**literal(row), "defaults": {}}) if not isinstance(value, dict)
    }
    set_by_rows |= {group for row in rows for group in groups(row) if group not in SET_BY_ROWS}
    for override in OverridesParser.create().parse_overrides(list(shared)):
        key = override.key_or_group
        if override.is_sweep_override() or key in SET_BY_ROWS or key in set_by_rows:
            raise UserError(
                f"{override.input_line}: every job of a comparison has the same of this, but its rows set "
                f"{', '.join(('model', 'likelihood', *sorted(set_by_rows)))} and the app the seeds and the test; "
                "choose rows=[...] and seeds=..., add a row of your own to conf/comparison/, or compare finished runs "
                "with runs=..."
            )


def groups(row: DictConfig) -> Iterator[str]:
    """The groups of which a row chooses an option."""
    for entry in row.get("defaults") or ():
        if OmegaConf.is_dict(entry):
            yield from (str(key).removeprefix("override /") for key in entry)


def chosen_rows(cfg: DictConfig, natural: str) -> list[str]:
    """The rows as options of conf/comparison/, in the table's order.

    Raises:
      UserError: there is no such row.
    """
    lineup = natural if cfg.lineup is None else cfg.lineup
    lineups: dict[str, list[str]] = {}
    for option in sorted(option_files("comparison")):
        folder, _, row = option.rpartition("/")
        lineups.setdefault(folder, []).append(row)
    known = lineups.get(lineup, [])
    ordered = [row for row in cfg.order if row in known] + [row for row in known if row not in cfg.order]
    rows = ordered if cfg.rows is None else [cfg.rows] if isinstance(cfg.rows, str) else list(cfg.rows)
    if not known:
        raise UserError(f"lineup={lineup}: expected a folder of conf/comparison/ ({', '.join(sorted(lineups))})")
    if not rows or not set(rows) <= set(known):
        raise UserError(
            f"rows={','.join(map(str, rows))}: expected options of conf/comparison/{lineup}/ ({', '.join(known)}); "
            "a new row is one YAML in that folder"
        )
    return [f"{lineup}/{row}" for row in rows]


def estimates_command(
    jobs: Sequence[Job], num_samples: int, launcher: Sequence[str], device: str, shared: Sequence[str] = ()
) -> list[str]:
    """Arguments of experiments.evaluate for the importance-sampled estimate of every job that lacks it; or none.

    Args:
      jobs: that are done.
      num_samples: of each estimate.
      launcher: overrides that choose it.
      device: to evaluate on.
      shared: overrides of the jobs, of which the logger's count here as well.
    """
    lacking = [job for job in jobs if not has_estimate(job, num_samples)]
    runs = f"run={','.join(quoted(str(job.run)) for job in lacking)}"
    samples = ["objective=iwae", f"objective.num_samples={num_samples}"]
    logger = [text for text in shared if key_of(text).partition(".")[0] == "logger"]
    return ["--multirun", runs, *samples, f"device={device}", *logger, *launcher] if lacking else []


def has_estimate(job: Job, num_samples: int) -> bool:
    """Whether there is nothing to estimate, or an estimate of the job's best checkpoint, and a finite one."""
    figure = job.result.get("figures", {}).get("test/log_likelihood")
    if figure is None or figure["kind"] == "exact":
        return True
    file = job.run.evaluations / f"iwae-{num_samples}.json"
    if not file.is_file():
        return False
    content = read_json(file, Evaluation)
    return content["step"] == job.result["best_step"] and content.get("not_finite") is None
