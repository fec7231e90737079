"""Where the runs of a command line will lie, found out before Hydra makes any of them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from omegaconf import DictConfig, OmegaConf, open_dict

from experiments.cli.context import JobContext
from experiments.config.paths import CONF
from experiments.disk.locks import is_locked
from experiments.disk.ownership import BY_HYDRA, claim, mark, read_mark
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.run.resume import resume_command
from experiments.sweep.space import SearchSpace

START = "VRNN_START"  # in the environment of all jobs of one multirun: its name
RUN_ELSEWHERE = "give another hydra.run.dir, an empty folder or a new one"
JOBS_ELSEWHERE = "give another hydra.sweep.dir, an empty folder or a new one"


def begin_multirun() -> None:
    """Gives this multirun a name, by which its jobs know each other."""
    os.environ[START] = uuid.uuid4().hex


def named_by_us(typed: Mapping[str, str]) -> bool:
    """Whether jobs are named by `job_name`, as far as the command line says."""
    return typed.get("hydra.sweep.subdir", "${job_name:").startswith("${job_name:")


def is_hydras_key(key: str) -> bool:
    """Whether a key of the command line says how jobs are run, not what they compute."""
    return key.lstrip("+~").partition(".")[0].partition("/")[0] == "hydra"


def just_written(context: JobContext) -> set[str]:
    """What Hydra may have written in a run's directory for this very start, which was claimed before."""
    names = {str(context.record), f"{context.app}.log"}
    shared = context.multirun is not None and is_same(context.directory, context.multirun)
    return names | set(BY_HYDRA if shared else ())


def is_same(place: str | Path, other: str | Path) -> bool:
    """Whether two paths are the same, though they may not be there yet."""
    return os.path.abspath(place) == os.path.abspath(other)


def claim_run(cfg: DictConfig) -> None:
    """Claims the directory of a single run before Hydra writes there.

    Args:
      cfg: with its hydra node.

    Raises:
      UserError: it is neither empty nor the suite's own.
    """
    if "${now:" not in str(OmegaConf.to_container(cfg.hydra.run, resolve=False)["dir"]):  # else another at every look
        run = RunDirectory(Path(str(cfg.hydra.run.dir)))
        claim(run.path, "run", RUN_ELSEWHERE)
        if not is_locked(run.path):  # else that is told
            require_room(run)


def require_room(run: RunDirectory) -> None:
    """Raises UserError where a run lies that has computed something: another one does not replace it."""
    if has_computed(run):
        status = run.read_result().get("status")
        held = {"done": "a finished", "failed": "a failed"}.get(status, "an interrupted")
        raise UserError(
            f"{run}: holds {held} run, which is not replaced; give another hydra.run.dir, or go on with it: "
            f"{resume_command(run)}"
        )


def has_computed(run: RunDirectory) -> bool:
    """Whether there is anything of a former start that took time to make."""
    return run.is_done() or any(run.checkpoints.glob("*.pt")) or run.metrics.path.exists()


def claim_jobs(space: SearchSpace) -> None:
    """Claims the directories of a multirun whose jobs are named by the user, as far as they are known beforehand.

    Raises:
      UserError: one is neither empty nor the suite's own, or several jobs would share one.
    """
    directory = Path(str(space.cfg.hydra.sweep.dir))
    claim(directory, None, JOBS_ELSEWHERE)
    places: dict[Path, str] = {}
    for number, job in enumerate(jobs_of(space)):
        place = directory / subdir(space, number, job)
        former = places.setdefault(Path(os.path.normpath(place)), " ".join(job))
        if former != " ".join(job):
            raise UserError(
                f"hydra.sweep.subdir={literal_subdir(space.cfg)}: several jobs would share {place}; leave it out, or "
                "make it another one for each job, such as '${hydra.job.num}'"
            )
    for place in places:
        if not is_same(place, directory):
            claim(place, "run", "give another hydra.sweep.subdir")
    if not read_mark(directory) and not any(is_same(place, directory) for place in places):
        mark(directory, "sweep")


def jobs_of(space: SearchSpace) -> Sequence[Sequence[str]]:
    """The overrides of each job of a grid, in order; of a search, whose jobs are not known, as many as it has."""
    if space.is_grid:
        return BasicSweeper.split_arguments(space.overrides, None)[0]
    several = (space.trials or 1) > 1 and "${" not in literal_subdir(space.cfg)
    return [["the first"], ["the second"]] if several else []


def subdir(space: SearchSpace, number: int, job: Sequence[str]) -> str:
    """The folder of a job of a grid in the multirun's directory."""
    if "${" not in literal_subdir(space.cfg):
        return literal_subdir(space.cfg)
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", [*space.searchpath, *job], return_hydra_config=True)
    with open_dict(cfg):
        cfg.hydra.job.num, cfg.hydra.job.id = number, str(number)
    return str(cfg.hydra.sweep.subdir)


def literal_subdir(cfg: DictConfig) -> str:
    """hydra.sweep.subdir as it was typed."""
    return str(OmegaConf.to_container(cfg.hydra.sweep, resolve=False)["subdir"])
