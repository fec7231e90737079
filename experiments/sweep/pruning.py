"""The pruner of a search: a job reports to its trial after every epoch, and ends where the pruner says so."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig

from experiments.config.overrides import as_overrides, resolved
from experiments.config.slugs import job_slug
from experiments.disk.reading import CheckedMetrics
from experiments.errors import UserError
from experiments.run.stopping_rule import StoppingRule
from experiments.sweep.space import NO_PRUNER
from experiments.sweep.study import build_part, quieten, study_address

if TYPE_CHECKING:
    import optuna

VALIDATED = ("valid/log_likelihood", "valid/log_likelihood_per_step", "valid/kl")  # measured after every epoch


class TrialPruning(StoppingRule):
    """Ends a job where the study's pruner would prune its trial.

    The job opens the study itself, wherever it runs: Optuna's own way for several processes. A job that goes on after
    an interruption reports the epochs before it again, since it is a new trial by then.

    Args:
      trial: of the job.
      metric: that is reported, one of `VALIDATED`.
      directory: of the job.
    """

    is_pruner = True

    def __init__(self, trial: optuna.trial.Trial, metric: str, directory: Path):
        self.trial, self.metric, self.directory = trial, metric, directory
        self.reported: dict[int, float] = {}  # by epoch; of two validations after the same one, the first counts

    def start(self, step: int, total_steps: int) -> None:
        self.total_steps = total_steps
        for line in CheckedMetrics(self.directory / "metrics.jsonl").read() if step else ():
            self.report(line)
        if self.reported and step < total_steps:  # what has been decided before the interruption is decided again
            self.judge()

    def log(self, metrics: dict[str, Any]) -> None:
        if self.metric in metrics:
            self.report(metrics)
            if metrics["step"] < self.total_steps:  # else it has come to its end
                self.judge()

    def report(self, metrics: dict[str, Any]) -> None:
        """Tells the trial of a validation."""
        epoch, value = metrics["epoch"], metrics.get(self.metric)
        if value is not None and epoch not in self.reported:
            self.reported[epoch] = value
            self.trial.report(value, epoch)

    def judge(self) -> None:
        """Asks the pruner, after the last epoch."""
        if self.trial.should_prune():
            epoch, value = max(self.reported.items())
            name = type(self.trial.study.pruner).__name__
            self.reason = f"pruned after epoch {epoch} by Optuna's {name}: its {self.metric} was {value:,.2f}"


def build_pruner(sweeper: DictConfig) -> optuna.pruners.BasePruner:
    """The pruner that the config of a search names.

    Raises:
      UserError: it is none, or the metric of the search is not measured after every epoch.
    """
    import optuna

    quieten()
    pruner = build_part("hydra.sweeper.pruner", resolved(sweeper.pruner), optuna.pruners, optuna.pruners.BasePruner)
    if sweeper.metric not in VALIDATED and not isinstance(pruner, optuna.pruners.NopPruner):
        raise UserError(
            f"hydra.sweeper.metric={sweeper.metric}: a pruner needs one that is measured after every epoch "
            f"({', '.join(VALIDATED)}); choose one, or leave hydra.sweeper.pruner out"
        )
    return pruner


def trial_pruning(sweeper: DictConfig, search: Path, job: Path) -> TrialPruning | None:
    """The rule by which a job may be pruned; None: it is of no search, of one without a pruner, or of no trial.

    Args:
      sweeper: the config of the sweeper that has launched the job.
      search: the directory of the search.
      job: the directory of the job.
    """
    if "pruner" not in sweeper or sweeper.pruner.get("_target_") == NO_PRUNER:
        return None
    import optuna
    from optuna.trial import Trial, TrialState

    study = optuna.load_study(
        **study_address(sweeper, search),
        sampler=optuna.samplers.RandomSampler(),  # which has nothing to draw here
        pruner=build_pruner(sweeper),
    )
    for trial in study.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        if job_slug(as_overrides(trial.params)) == job.name:
            return TrialPruning(Trial(study, trial._trial_id), sweeper.metric, job)
    return None
