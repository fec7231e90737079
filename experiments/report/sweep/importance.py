"""Which of the swept keys matter: permutation importance (Breiman 2001) under a random forest."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from experiments.report.sweep.findings import SweepFindings

ENOUGH = 6  # configurations; of fewer, a forest can tell nothing
REPEATS = 10  # shuffles of each key
LEAST = 0.1  # R² below which the forest has found no rule


class Importance(NamedTuple):
    """How much worse the ranks of the configurations are predicted once a key is shuffled.

    Attributes:
      keys: those with more than one value, the most important first.
      drops: of the R² of the predictions, mean over the shuffles [P].
      spreads: standard deviations over the shuffles [P].
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
    from sklearn.ensemble import RandomForestRegressor
    from sklearn.inspection import permutation_importance
    from sklearn.metrics import r2_score
    from sklearn.model_selection import KFold

    parts = list(KFold(min(folds, len(targets)), shuffle=True, random_state=0).split(inputs))
    forests = [
        RandomForestRegressor(n_estimators=50, random_state=0).fit(inputs[seen], targets[seen]) for seen, _ in parts
    ]

    class Unseen:
        """Predicts each row by the forest that was fitted without it; rows keep their order when shuffled."""

        def fit(self, *_: np.ndarray) -> Unseen:
            return self

        def predict(self, rows: np.ndarray) -> np.ndarray:
            predicted = np.empty(len(rows))
            for forest, (_, unseen) in zip(forests, parts, strict=True):
                predicted[unseen] = forest.predict(rows[unseen])
            return predicted

    def score(estimator: Unseen, rows: np.ndarray, values: np.ndarray) -> float:
        return float(r2_score(values, estimator.predict(rows)))

    shuffled = permutation_importance(Unseen(), inputs, targets, scoring=score, n_repeats=REPEATS, random_state=0)
    return score(Unseen(), inputs, targets), shuffled.importances_mean, shuffled.importances_std
