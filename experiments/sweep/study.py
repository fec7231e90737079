"""The Optuna study of a search: opened, brought to today's format, and read."""

from __future__ import annotations

import logging
import os
import shutil
import warnings
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

from hydra.core.override_parser.types import IntervalSweep, Override, RangeSweep, Transformer
from omegaconf import DictConfig

from experiments.disk.files import open_new
from experiments.disk.ownership import STUDY
from experiments.disk.reading import reason
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.run.state import read_job
from experiments.sweep.cma_states import require_plain_states
from experiments.sweep.plan import SweepPlan
from experiments.text import plain

if TYPE_CHECKING:
    import optuna
    from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution


class Progress(NamedTuple):
    """How far a study is.

    Attributes:
      ended: trials whose job has ended: by itself, pruned, or by diverging.
      jobs: their directories' names; fewer where the sampler has proposed a point again.
      unfinished: the last trial of every other job that was begun, by its name.
    """

    ended: int
    jobs: set[str]
    unfinished: dict[str, optuna.trial.FrozenTrial]


def open_study(sweeper: DictConfig, plan: SweepPlan) -> optuna.Study:
    """The study, made at the first start; one in the sweep's directory is brought to the format of this Optuna.

    Raises:
      UserError: it cannot be read, or holds a pickle that could run code.
    """
    import optuna

    quieten()
    file = plan.directory.resolve() / STUDY
    try:
        if not sweeper.storage and file.exists():
            upgrade(file)
        study = optuna.create_study(
            **study_address(sweeper, plan.directory),
            direction=sweeper.direction,
            load_if_exists=True,
        )
        trials = study.get_trials(deepcopy=False)  # all that it holds is read here
    except Exception as error:  # a damaged database fails in sqlite, sqlalchemy, json or optuna, each in its own way
        if sweeper.storage:  # whose address may hold a password
            raise UserError(f"hydra.sweeper.storage: the study cannot be read ({type(error).__name__})") from error
        raise UserError(
            f"{plain(str(plan.directory / STUDY))}: the study of this search cannot be read ({reason(error)}); take it "
            "away to search anew, or give another hydra.sweep.dir"
        ) from error
    require_plain_states([trial.system_attrs for trial in trials], plan.directory / STUDY)
    return study


def study_address(sweeper: DictConfig, search: Path) -> dict[str, Any]:
    """The database of a search and the study's name in it, as Optuna takes them.

    Args:
      sweeper: the config of the sweeper.
      search: the directory of the search.
    """
    search = search.absolute()
    return {
        "study_name": sweeper.study_name or search.name,
        "storage": sweeper.storage or f"sqlite:///{search / STUDY}",
    }


def quieten() -> None:
    """Keeps Optuna from printing what is of no use to who searches."""
    import optuna

    warnings.filterwarnings("ignore", module="optuna")
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)  # which names the caller's module
    optuna.logging.set_verbosity(optuna.logging.ERROR)


def upgrade(file: Path) -> None:
    """Brings a study that an earlier Optuna has written to the format of this one, in a copy that replaces it."""
    from optuna.storages import RDBStorage

    old = RDBStorage(f"sqlite:///{file}", skip_compatibility_check=True, skip_table_creation=True)
    is_current = old.get_current_version() == old.get_head_version()
    old.engine.dispose()
    if is_current:
        return
    with open_new(file) as new_file:
        copy = Path(new_file.name)
    shutil.copyfile(file, copy)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    new = RDBStorage(f"sqlite:///{copy}", skip_compatibility_check=True, skip_table_creation=True)
    new.upgrade()
    new.remove_session()
    new.engine.dispose()
    os.replace(copy, file)


def progress(study: optuna.Study, plan: SweepPlan, *, retry_failed: bool) -> Progress:
    """How far the study is, by its trials and by the directories of their jobs."""
    from optuna.trial import TrialState

    ended, failed, unfinished = [], set(), {}
    for trial in study.get_trials(deepcopy=False):
        job = plan.name(trial.params)
        if trial.state in (TrialState.COMPLETE, TrialState.PRUNED):
            ended.append(job)
        elif has_failed(plan, job, retry_failed=retry_failed):
            failed.add(job)
        elif trial.params:
            unfinished[job] = trial
    return Progress(len(ended) + len(failed), failed.union(ended), unfinished)


def has_failed(plan: SweepPlan, job: str, *, retry_failed: bool) -> bool:
    """Whether a job has failed for good: what diverged would diverge again."""
    found = read_job(RunDirectory(plan.directory / job))
    diverged = (found.result.get("error") or {}).get("kind") == "Diverged"
    return found.state == "failed" and (diverged or not retry_failed)


def distribution(override: Override) -> BaseDistribution:
    """What an override of the command line or of a sweep's YAML draws from; a range includes its end.

    Raises:
      UserError: a range or an interval without an end.
    """
    from optuna.distributions import CategoricalDistribution

    value = override.value()
    try:
        if isinstance(value, IntervalSweep):
            return between(value.start, value.end, log="log" in value.tags)
        if isinstance(value, RangeSweep) and not value.shuffle:
            return between(value.start, value.stop, step=value.step)
        # Numbers, truth values and text; what else there is the transformer makes text.
        choices: list[Any] = list(override.sweep_iterator(transformer=Transformer.encode))
        return CategoricalDistribution(choices)
    except (ValueError, TypeError) as error:
        raise UserError(f"{override.input_line}: nothing can be drawn from it ({error})") from error


def between(
    low: float | None, high: float | None, *, step: float | None = None, log: bool = False
) -> IntDistribution | FloatDistribution:
    """The numbers from low to high, whole ones where all that is given is whole.

    Raises:
      ValueError: an end is missing, or nothing lies between the two.
    """
    from optuna.distributions import FloatDistribution, IntDistribution

    if low is None or high is None:
        raise ValueError("an end is missing")
    if isinstance(low, int) and isinstance(high, int) and isinstance(step, int | None):
        return IntDistribution(low, high, log=log, step=1 if step is None else step)
    return FloatDistribution(low, high, log=log, step=step)


def build_part(path: str, settings: Any, module: ModuleType, kind: type) -> Any:
    """A sampler or a pruner of Optuna, with those that its arguments name.

    Args:
      path: the key of the config.
      settings: its plain value.
      module: optuna.samplers or optuna.pruners.
      kind: the class that it is to be one of.

    Raises:
      UserError: it is none, or does not take these arguments.
    """
    known = {f"{module.__name__}.{name}" for name in module.__all__ if isinstance(getattr(module, name), type)}
    target = settings.get("_target_") if isinstance(settings, dict) else settings
    if target not in known:
        raise UserError(f"{path}._target_={target}: expected one of {', '.join(sorted(known))}")
    arguments = {key: value for key, value in settings.items() if key != "_target_"}
    for key, value in arguments.items():
        if isinstance(value, dict) and "_target_" in value:
            arguments[key] = build_part(f"{path}.{key}", value, module, kind)
    try:
        part = getattr(module, target.rpartition(".")[2])(**arguments)
    except (TypeError, ValueError, ImportError) as error:
        raise UserError(f"{path}: {target} cannot be made of these arguments ({error})") from error
    if not isinstance(part, kind):
        raise UserError(f"{path}._target_={target}: expected a {kind.__name__}")
    return part
