"""A search by Optuna: its study lies in the sweep's directory, and a second start runs what is left of it."""

from __future__ import annotations

import logging
import os
import warnings
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from omegaconf import DictConfig

from experiments.config.overrides import quoted
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


class Standing(NamedTuple):
    """How far a study is.

    Attributes:
      ended: trials whose job has ended, by itself or by diverging.
      jobs: their directories' names; fewer where the sampler has proposed a point again.
      unfinished: the last trial of every other job that was begun, by its name.
    """

    ended: int
    jobs: set[str]
    unfinished: dict[str, optuna.trial.FrozenTrial]


def is_search(cfg: DictConfig) -> bool:
    """Whether Optuna says what the jobs are."""
    return cfg.hydra.sweeper._target_.startswith("hydra_plugins.hydra_optuna_sweeper.")


def require_search(cfg: DictConfig) -> None:
    """Raises UserError unless the settings of the search are what they must be."""
    trials = cfg.hydra.sweeper.n_trials
    if type(trials) is not int or trials < 1:
        raise UserError(f"hydra.sweeper.n_trials={trials}: expected an integer of at least 1")
    if direction_of(cfg) != "maximize":
        raise UserError(
            "hydra.sweeper.direction: expected maximize (of the validation bound), as hydra/sweeper=search has it"
        )


def prepare_search(cfg: DictConfig, plan: SweepPlan, parallel: int) -> dict[str, str]:
    """The study as this start is to find it; returns the overrides that lead the sweeper to it.

    What was running when a former start was killed is marked failed, and its point is asked for again: its job goes on
    from its checkpoint. So the study comes to n_trials ended trials over any number of starts. The sampler's seed is
    moved on by what the study holds, or it would propose its first points again.

    Args:
      cfg: the config of the first job, with its hydra node.
      plan: of the multirun.
      parallel: jobs at a time.
    """
    import optuna

    sweeper = cfg.hydra.sweeper
    logging.getLogger("hydra_plugins.hydra_optuna_sweeper._impl").setLevel(logging.ERROR)  # failures are told anyway
    os.environ["HYDRA_FULL_ERROR"] = "1"  # errors come to `launch`, which knows what to make of them
    study = open_study(cfg, plan)
    for trial in study.get_trials(states=(optuna.trial.TrialState.RUNNING,)):
        study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
    found = standing(study, cfg, plan)
    again(study, [trial for job, trial in found.unfinished.items() if job not in found.jobs])
    settings = {
        "hydra.sweeper.storage": quoted(storage_of(cfg, plan)),
        "hydra.sweeper.study_name": quoted(study.study_name),
        "hydra.sweeper.n_trials": str(max(0, sweeper.n_trials - found.ended)),
        "hydra.sweeper.n_jobs": str(parallel),
    }
    if sweeper.sampler.get("seed") is not None:
        settings["hydra.sweeper.sampler.seed"] = str(sweeper.sampler.seed + len(study.trials))
    return settings


def counted(cfg: DictConfig, plan: SweepPlan) -> SweepPlan:
    """The plan, with the trials that there are and those that are still to come."""
    found = standing(open_study(cfg, plan), cfg, plan)
    return replace(plan, trials=max(cfg.hydra.sweeper.n_trials, found.ended), repeated=found.ended - len(found.jobs))


def open_study(cfg: DictConfig, plan: SweepPlan) -> optuna.Study:
    """The study, made at the first start.

    Raises:
      UserError: it cannot be read, or holds a pickle that could run code.
    """
    import optuna

    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sweeper = cfg.hydra.sweeper
    try:
        study = optuna.create_study(
            study_name=sweeper.study_name or plan.directory.name,
            storage=storage_of(cfg, plan),
            direction=direction_of(cfg),
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


def direction_of(cfg: DictConfig) -> str:
    direction = cfg.hydra.sweeper.direction
    return getattr(direction, "name", direction)


def storage_of(cfg: DictConfig, plan: SweepPlan) -> str:
    return cfg.hydra.sweeper.storage or f"sqlite:///{plan.directory.resolve() / STUDY}"


def standing(study: optuna.Study, cfg: DictConfig, plan: SweepPlan) -> Standing:
    """How far the study is, by its trials and by the directories of their jobs."""
    from optuna.trial import TrialState

    complete, failed, unfinished = [], set(), {}
    for trial in study.trials:
        job = plan.name({key: str(value) for key, value in trial.params.items()})
        if trial.state == TrialState.COMPLETE:
            complete.append(job)
        elif has_failed(plan, job, retry_failed=cfg.multirun.retry_failed):
            failed.add(job)
        elif trial.params:
            unfinished[job] = trial
    return Standing(len(complete) + len(failed), failed.union(complete), unfinished)


def has_failed(plan: SweepPlan, job: str, *, retry_failed: bool) -> bool:
    """Whether a job has failed for good: what diverged would diverge again."""
    found = read_job(RunDirectory(plan.directory / job))
    diverged = (found.result.get("error") or {}).get("kind") == "Diverged"
    return found.state == "failed" and (diverged or not retry_failed)


def again(study: optuna.Study, trials: list[optuna.trial.FrozenTrial]) -> None:
    """Asks for the points of these trials first, unless that was done before."""
    from optuna.trial import TrialState

    asked = [trial.system_attrs.get("fixed_params") for trial in study.get_trials(states=(TrialState.WAITING,))]
    for trial in trials:
        if trial.params not in asked:
            study.enqueue_trial(trial.params)
