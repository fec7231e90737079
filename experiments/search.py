"""A search by Optuna: its study lies in the sweep's directory, and a second start runs what is left of it."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from omegaconf import DictConfig

from experiments.errors import UserError
from experiments.jobs import read_job
from experiments.resume import quoted
from experiments.run_directory import RunDirectory
from experiments.sweep_plan import SweepPlan

if TYPE_CHECKING:
    import optuna


def prepare_search(cfg: DictConfig, plan: SweepPlan, parallel: int) -> dict[str, str]:
    """The study as this start is to find it; returns the overrides that lead the sweeper to it.

    A trial counts once its job has ended, by itself or by diverging. What was running when a former start was killed
    is marked failed, and its point is asked for again: its job goes on from its checkpoint. So the study comes to
    n_trials ended trials over any number of starts. The sampler's seed is moved on by what the study holds, or it
    would propose its first points again.

    Args:
      cfg: the config of the first job, with its hydra node.
      plan: of the multirun.
      parallel: jobs at a time.
    """
    import optuna

    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sweeper = cfg.hydra.sweeper
    if not isinstance(sweeper.n_trials, int) or sweeper.n_trials < 1:
        raise UserError(f"hydra.sweeper.n_trials={sweeper.n_trials}: expected an integer of at least 1")
    storage = sweeper.storage or f"sqlite:///{plan.directory.resolve() / 'study.db'}"
    name = sweeper.study_name or plan.directory.name
    direction = getattr(sweeper.direction, "name", sweeper.direction)
    study = optuna.create_study(study_name=name, storage=storage, direction=direction, load_if_exists=True)
    ended = set()
    unfinished = {}
    for trial in study.trials:
        job = plan.name({key: str(value) for key, value in trial.params.items()})
        if trial.state == optuna.trial.TrialState.RUNNING:
            study.tell(trial.number, state=optuna.trial.TrialState.FAIL)
        if trial.state == optuna.trial.TrialState.COMPLETE or has_ended(plan, job, cfg.multirun.retry_failed):
            ended.add(job)
        elif trial.params:
            unfinished[job] = trial
    again(study, [trial for job, trial in unfinished.items() if job not in ended])
    settings = {
        "hydra.sweeper.storage": quoted(storage),
        "hydra.sweeper.study_name": quoted(name),
        "hydra.sweeper.n_trials": str(max(0, sweeper.n_trials - len(ended))),
        "hydra.sweeper.n_jobs": str(parallel),
    }
    if sweeper.sampler.get("seed") is not None:
        settings["hydra.sweeper.sampler.seed"] = str(sweeper.sampler.seed + len(study.trials))
    return settings


def has_ended(plan: SweepPlan, job: str, retry_failed: bool) -> bool:
    """Whether a trial that was not told of as complete is over nevertheless."""
    found = read_job(RunDirectory(plan.directory / job))
    diverged = (found.result.get("error") or {}).get("kind") == "Diverged"
    return found.state == "failed" and (diverged or not retry_failed)


def again(study: optuna.Study, trials: list[optuna.trial.FrozenTrial]) -> None:
    """Asks for the points of these trials first, unless that was done before."""
    import optuna

    waiting = study.get_trials(states=(optuna.trial.TrialState.WAITING,))
    asked = [trial.system_attrs.get("fixed_params") for trial in waiting]
    for trial in trials:
        if trial.params not in asked:
            study.enqueue_trial(trial.params)
