"""The directories of a multirun's jobs that the user names (hydra.sweep.subdir), claimed before any job begins."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from experiments.config.overrides import literal
from experiments.disk.ownership import claim, mark, read_mark
from experiments.errors import UserError
from experiments.run.starts import is_same

JOBS_ELSEWHERE = "give another hydra.sweep.dir, an empty folder or a new one"


def claim_jobs(config: DictConfig, jobs: Sequence[Sequence[str]], compose: Callable[[list[str]], DictConfig]) -> None:
    """Claims the directories of a multirun whose jobs are named by the user.

    Args:
      config: as Hydra has composed it for the sweeper.
      jobs: the overrides of each.
      compose: overrides -> a job's config.

    Raises:
      UserError: one is neither empty nor the suite's own, or several jobs would share one.
    """
    directory = Path(str(config.hydra.sweep.dir))
    claim(directory, None, JOBS_ELSEWHERE)
    places: dict[Path, str] = {}
    for number, job in enumerate(jobs):
        try:
            place = directory / subdir(config, number, job, compose)
        except (OmegaConfBaseException, ValueError):
            return  # a place that is known within a job only, which claims it
        other = places.setdefault(Path(os.path.normpath(place)), " ".join(job))
        if other != " ".join(job):
            raise UserError(
                f"hydra.sweep.subdir={literal_subdir(config)}: several jobs would share {place}; leave it out, or "
                "make it another one for each job, such as '${hydra.job.num}'"
            )
    for place in places:
        if not is_same(place, directory):
            claim(place, "run", "give another hydra.sweep.subdir")
    if not read_mark(directory) and not any(is_same(place, directory) for place in places):
        mark(directory, "sweep")


def subdir(config: DictConfig, number: int, job: Sequence[str], compose: Callable[[list[str]], DictConfig]) -> str:
    """The folder of a job in the multirun's directory."""
    if "${" not in literal_subdir(config):
        return literal_subdir(config)
    cfg = compose(list(job))
    with open_dict(cfg):
        cfg.hydra.job.num, cfg.hydra.job.id = number, str(number)
    return str(cfg.hydra.sweep.subdir)


def literal_subdir(config: DictConfig) -> str:
    """hydra.sweep.subdir as it was typed."""
    return str(literal(config.hydra.sweep)["subdir"])


def is_named_by_suite(config: DictConfig) -> bool:
    """Whether jobs are named by `job_name`."""
    return literal_subdir(config).startswith("${job_name:")
