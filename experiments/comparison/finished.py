"""Finished runs, found by a pattern, as rows of a comparison."""

from __future__ import annotations

from glob import glob
from pathlib import Path

from omegaconf import DictConfig

from experiments.config.diff import data_settings, differing, settings
from experiments.config.identity import config_hash
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.run.same_data import other_data
from experiments.run.state import Job, read_job


def finished_rows(pattern: str) -> dict[str, list[Job]]:
    """Runs that differ in their seed alone are a row; rows that would be called the same are told apart by settings.

    Of several runs of one config and seed the last one counts.

    Raises:
      UserError: the pattern finds no run directory, or runs on different data.
    """
    groups: dict[str, dict[int, Job]] = {}
    for path in sorted(glob(pattern)):
        job = read_job(RunDirectory(Path(path)))
        if job.run.config_file.is_file():
            cfg = job.run.read_config()
            unseeded = cfg.copy()
            unseeded.seed = 0
            groups.setdefault(config_hash(unseeded), {})[cfg.seed] = job
    if not groups:
        raise UserError(f"runs={pattern}: there is no run directory; give a pattern such as runs='outputs/train/*'")
    configs = [next(iter(jobs.values())).run.read_config() for jobs in groups.values()]
    data = differing([data_settings(cfg) for cfg in configs])
    if data:
        raise UserError(
            f"runs={pattern}: these runs are on different data ({', '.join(data)}); compare those on the same"
        )
    words = other_data([job for jobs in groups.values() for job in jobs.values() if job.state == "done"])
    if words:
        raise UserError(
            f"runs={pattern}: these runs were trained on different data, though their configs say the same ({words}); "
            "compare those on the same"
        )
    changes = differing([settings(cfg) for cfg in configs])
    changes.pop("data.root", None)  # the same data, from another folder
    rows: dict[str, list[Job]] = {}
    names = [label(cfg) for cfg in configs]
    for number, (name, jobs) in enumerate(zip(names, groups.values(), strict=True)):
        same = [place for place, other in enumerate(names) if other == name]
        apart = [f"{key}={v[number]}" for key, v in changes.items() if len({v[place] for place in same}) > 1]
        rows[f"{name} ({', '.join(apart)})" if apart else name] = list(jobs.values())
    return rows


def label(cfg: DictConfig) -> str:
    """What a table calls a run."""
    model, likelihood = (cfg[node]._target_.rpartition(".")[2] for node in ("model", "likelihood"))
    independent = "-I" if cfg.model.get("prior") == "standard" else ""
    inside = f", {cfg.emission._target_.rpartition('.')[2].lower()}" if "emission" in cfg else ""
    return cfg.get("label") or f"{model}{independent}, {likelihood}{inside}"
