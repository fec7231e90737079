"""A search: an Optuna study proposes the jobs one by one, and a second start runs what is left of it."""

from __future__ import annotations

import threading
from concurrent.futures import Future, wait
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, ListConfig

from experiments.config.overrides import resolved
from experiments.disk.ownership import STOP
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.sweep.claims import literal_subdir
from experiments.sweep.multirun import Multirun
from experiments.sweep.pruning import build_pruner
from experiments.sweep.study import build_part, distribution, open_study, progress

if TYPE_CHECKING:
    import optuna

POLL_SECONDS = 0.5


class SearchSweep(Multirun):
    """The multirun of hydra/sweeper=search.

    As many threads as there are workers each ask the study for a point, launch its job, and tell what came of it: no
    worker waits for another. What was running when a former start was killed is marked failed, and its point is asked
    for again: its job goes on from its checkpoint. So the study comes to n_trials ended trials over any number of
    starts. The sampler's seed is moved on by what the study holds, or it would propose its first points again.
    """

    is_grid = False

    @property
    def sweeper(self) -> DictConfig:
        """The keys below `hydra.sweeper.`."""
        return self.cfg.hydra.sweeper

    @property
    def trials(self) -> int:
        return self.sweeper.n_trials

    def require_settings(self) -> None:
        super().require_settings()
        sweeper = self.sweeper
        if type(sweeper.n_trials) is not int or sweeper.n_trials < 1:
            raise UserError(f"hydra.sweeper.n_trials={sweeper.n_trials}: expected an integer of at least 1")
        if sweeper.direction not in ("maximize", "minimize"):
            raise UserError(f"hydra.sweeper.direction={sweeper.direction}: expected maximize or minimize")
        self.pruner = build_pruner(sweeper)

    def jobs_to_claim(self) -> list[list[str]]:
        several = self.trials > 1 and "${" not in literal_subdir(self.config)
        return [["the first"], ["the second"]] if several else []

    def unnamed_jobs(self) -> list[list[str]]:
        raise UserError(
            f"hydra.sweep.subdir={literal_subdir(self.config)}: a search finds its jobs by their names; leave it out"
        )

    def announce(self) -> None:
        """Opens the study and asks for the points that come first."""
        from optuna.trial import TrialState

        self.study = open_study(self.sweeper, self.plan)
        self.study.pruner = self.pruner  # which some samplers take into account
        self.distributions = {override.get_key_element(): distribution(override) for override in self.space.swept}
        self.study.sampler = self.sampler(len(self.study.trials))
        for trial in self.study.get_trials(states=(TrialState.RUNNING,)):
            self.study.tell(trial.number, state=TrialState.FAIL)
        reached = progress(self.study, self.plan, retry_failed=self.settings.retry_failed)
        waiting = [
            trial.system_attrs.get("fixed_params") for trial in self.study.get_trials(states=(TrialState.WAITING,))
        ]
        for job, trial in reached.unfinished.items():
            if job not in reached.jobs and trial.params not in waiting:
                self.study.enqueue_trial(trial.params)
        for point in self.fixed_points():
            self.study.enqueue_trial(point, skip_if_exists=True)
        self.left = max(0, self.trials - reached.ended)
        self.count()
        super().announce()

    def sampler(self, trials: int) -> optuna.samplers.BaseSampler:
        """The sampler that the config names, for a study that holds so many trials."""
        import optuna

        settings = resolved(self.sweeper.sampler)
        if settings.get("seed") is not None:
            settings["seed"] += trials
        return build_part("hydra.sweeper.sampler", settings, optuna.samplers, optuna.samplers.BaseSampler)

    def fixed_points(self) -> list[dict[str, Any]]:
        """The points that are tried first.

        Raises:
          UserError: a key that does not vary, or a value that its distribution does not have.
        """
        points = resolved(self.sweeper.points or ListConfig([]))
        for point in points:
            for key, value in point.items():
                name = f"hydra.sweeper.points: {key}={value}"
                if key not in self.distributions:
                    raise UserError(f"{name}: {key} does not vary; those that do: {', '.join(self.distributions)}")
                try:
                    self.distributions[key].to_internal_repr(value)
                except (ValueError, TypeError) as error:
                    raise UserError(f"{name}: it is not among the values of {key}") from error
        return points

    def count(self) -> None:
        """Brings the plan to the trials that there are and those that are still to come."""
        reached = progress(self.study, self.plan, retry_failed=self.settings.retry_failed)
        repeated = reached.ended - len(reached.jobs)
        self.plan = replace(self.plan, trials=max(self.trials, reached.ended), repeated=repeated)

    def run(self) -> None:
        """Runs the trials that are left, one at a time with Hydra's own launcher, else as many as run in parallel."""
        self.turn, self.number = threading.Lock(), 0
        if self.parallel == 1 or self.cfg.hydra.runtime.choices["hydra/launcher"] == "basic":
            self.work()
            return
        futures: list[Future[None]] = []
        for _ in range(min(self.parallel, self.left)):
            futures.append(Future())
            threading.Thread(target=self.work_in_thread, args=(futures[-1],), daemon=True).start()
        # With a limit: of a signal that comes just before it, an endless wait would hear at its end only.
        while wait(futures, timeout=POLL_SECONDS).not_done:
            pass
        for future in futures:
            future.result()

    def work_in_thread(self, future: Future[None]) -> None:
        """Works, and hands over what it raised."""
        try:
            self.work()
            future.set_result(None)
        except BaseException as error:
            future.set_exception(error)

    def work(self) -> None:
        """Asks, launches and tells until nothing is left or a call to stop has come."""
        from optuna.trial import TrialState

        metric = self.sweeper.metric
        while True:
            with self.turn:
                if self.number >= self.left or (self.plan.directory / STOP).exists():
                    return
                trial, number = self.study.ask(self.distributions), self.number
                self.number += 1
            settings = {key: str(value) for key, value in trial.params.items()}
            self.launch([self.overrides_of(settings)], number)
            result = RunDirectory(self.plan.directory / self.plan.name(settings)).read_result()
            value = result.get("figures", {}).get(metric, {}).get("value")
            with self.turn:
                if result.get("pruned"):
                    self.study.tell(trial, state=TrialState.PRUNED)
                elif result.get("status") == "done" and value is not None:
                    self.study.tell(trial, value)
                else:
                    self.study.tell(trial, state=TrialState.FAIL)

    def conclude(self, code: int) -> int:
        """As `Multirun`, of the trials that there are."""
        self.count()
        if self.reports:
            self.plan.write()
        return super().conclude(code)
