"""What a sweep finds: its configurations from the best one down, and which of the swept keys matter.

The latter is permutation importance (Breiman 2001) under a random forest.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import NamedTuple

import numpy as np

from experiments.config.diff import data_settings, differing, measures
from experiments.report.blocks.plots import Scale, floor
from experiments.report.rows import VALID, Row
from experiments.run.same_data import other_data
from experiments.run.state import Job
from experiments.sweep.plan import SweepJob, SweepPlan
from experiments.text import short_names, tidy

SEED = "seed"
LONG = 60  # letters of a value that a label has
ENOUGH = 6  # configurations; of fewer, a forest can tell nothing
REPEATS = 10  # shuffles of each key
LEAST = 0.1  # R² below which the forest has found no rule


class SweepFindings:
    """The jobs of a sweep, sorted into configurations: jobs that differ in the seed alone.

    Attributes:
      ranked: configurations with a job that counts, the best first by their bounds on the validation set.
      unranked: the others.
    """

    def __init__(self, plan: SweepPlan, jobs: Sequence[SweepJob]):
        self.plan, self.jobs = plan, jobs
        groups: dict[tuple[tuple[str, str], ...], list[Job]] = {}
        for each in jobs:
            settings = tuple((key, each.settings.get(key, "–")) for key in self.keys)
            groups.setdefault(settings, []).append(each.job)
        rows = [Row(label_of(dict(group)), each, VALID, dict(group)) for group, each in groups.items()]
        self.ranked = sorted((row for row in rows if row.counted), key=lambda row: row.bound.value, reverse=True)
        self.unranked = [row for row in rows if not row.counted]

    @property
    def keys(self) -> list[str]:
        """What tells configurations apart."""
        return [key for key in self.plan.keys if key != SEED]

    @property
    def varied(self) -> list[str]:
        """Keys of which more than one value counts."""
        return [key for key, scale in self.scales.items() if len(scale.values) > 1]

    @property
    def counted(self) -> list[Job]:
        """Jobs that count, those of the best configuration first."""
        return [job for row in self.ranked for job in row.counted]

    @cached_property
    def best(self) -> SweepJob | None:
        """Of the best configuration, the seed that is best on valid."""
        shown = self.ranked[0].shown if self.ranked else None
        return next((each for each in self.jobs if each.job is shown), None) if shown else None

    @cached_property
    def are_comparable(self) -> bool:
        """Whether the bounds of the configurations are of the same data and space, all of densities or none."""
        configs = [row.config for row in self.ranked if row.config is not None]
        if differing([data_settings(config) for config in configs]) or other_data(self.counted):
            return False
        return len({row.bound.space for row in self.ranked}) < 2 and len(measures(configs)) < 2

    @cached_property
    def scales(self) -> dict[str, Scale]:
        """The axis of each key, over the configurations that count."""
        return {key: Scale([row.settings[key] for row in self.ranked]) for key in self.keys if self.ranked}

    @cached_property
    def floor(self) -> float:
        """Where the pictures' axis of the bound ends below."""
        return floor([job.result["figures"][VALID]["value"] for job in self.counted])

    @property
    def axis(self) -> str:
        """Names the bound: what it is, its unit, its space."""
        bounds = [row.bound for row in self.ranked]
        kinds = " or ".join(sorted({bound.kind.replace("_", " ") for bound in bounds}))
        spaces = " or ".join(sorted({bound.space for bound in bounds}))
        return f"valid log-likelihood, {kinds}\n[{bounds[0].unit}, {spaces}]"

    def short_label(self, row: Row) -> str:
        """A configuration with the last parts of its keys, where there is little room."""
        names = short_names(self.keys)
        return " ".join(f"{names[key]}={tidy(value)}" for key, value in row.settings.items()) or row.label


def label_of(settings: dict[str, str]) -> str:
    """Settings in words: latent.z_dim=8 optimizer.lr=1e-3; long values are cut."""
    cut = {key: tidy(value) if len(value) <= LONG else f"{value[:LONG]}…" for key, value in settings.items()}
    return " ".join(f"{key}={value}" for key, value in cut.items()) or "all seeds"


class Importance(NamedTuple):
    """How much worse the ranks of the configurations are predicted once a key is shuffled.

    Attributes:
      keys: those with more than one value, the most important first.
      drops, spreads: of the R² of the predictions, mean and standard deviation over the shuffles [P].
      explained: R² of the predictions unshuffled, on configurations that the forest has not seen.
      num_configurations: whose ranks are predicted.
    """

    keys: list[str]
    drops: np.ndarray
    spreads: np.ndarray
    explained: float
    num_configurations: int


def find_importance(findings: SweepFindings) -> Importance | str:
    """The importance of each key, or why there is none to be told.

    Ranks are predicted, not the bounds themselves: a few jobs gone wrong would be all that there is to explain.
    """
    from scipy.stats import rankdata

    count, keys = len(findings.ranked), findings.varied
    if count < ENOUGH:
        there_are = f"there {'is' if count == 1 else 'are'} {count}"
        return f"Importance takes at least {ENOUGH} configurations that count; {there_are} so far."
    if len(keys) < 2:
        return "Importance takes at least two keys with several values each."
    inputs = np.stack(
        [findings.scales[key].places([row.settings[key] for row in findings.ranked]) for key in keys], axis=1
    )
    targets = rankdata([row.bound.value for row in findings.ranked])
    if np.ptp(targets) == 0.0:
        return "All configurations have the same bound, so no key is important."
    explained, drops, spreads = permute(inputs, targets)
    if explained < LEAST:
        return (
            f"A random forest does not predict the rank of a configuration that it has not seen (R² {explained:.2f}), "
            "so it cannot say which key is important."
        )
    order = np.argsort(-drops)
    return Importance([keys[place] for place in order], drops[order], spreads[order], explained, count)


def permute(inputs: np.ndarray, targets: np.ndarray, folds: int = 5) -> tuple[float, np.ndarray, np.ndarray]:
    """Permutation importance of each column, every row predicted by a forest that has not seen it.

    Args:
      inputs: places of the configurations' values on the axes of the keys [N, P]; of words, their numbers, which
        trees can split at will.
      targets: ranks [N].
      folds: parts of the rows, each predicted by a forest of the others.

    Returns:
      R² of the predictions; mean and standard deviation of its drop once a column is shuffled [P].
    """
    from sklearn.base import clone
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance
    from sklearn.metrics import r2_score
    from sklearn.model_selection import KFold

    parts = list(KFold(min(folds, len(targets)), shuffle=True, random_state=0).split(inputs))
    forest = RandomForestRegressor(n_estimators=50, random_state=0)
    fitted = [(clone(forest).fit(inputs[seen], targets[seen]), unseen) for seen, unseen in parts]

    def score(_: object, rows: np.ndarray, values: np.ndarray) -> float:
        predicted = np.empty(len(rows))  # rows keep their order when a column is shuffled
        for each, unseen in fitted:
            predicted[unseen] = each.predict(rows[unseen])
        return float(r2_score(values, predicted))

    shuffled = permutation_importance(forest, inputs, targets, scoring=score, n_repeats=REPEATS, random_state=0)
    return score(forest, inputs, targets), shuffled.importances_mean, shuffled.importances_std
