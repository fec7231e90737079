"""Which models are as good as the best: over test sequences, and over seeds."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

LEVEL = 0.05


class Verdict(NamedTuple):
    """One model against the best.

    Attributes:
      difference: mean over test sequences of this model's bound less the best one's, both averaged over seeds, in nats.
      error: standard error of the difference over test sequences.
      p_sequences: would the same trained models differ on other test sequences? Paired t-test, Holm-corrected.
      p_seeds: would the models differ if trained again? T-test on the seeds' means, their variance pooled over all
        models, Holm-corrected; None where all models have a single seed.
    """

    difference: float
    error: float
    p_sequences: float
    p_seeds: float | None

    @property
    def is_worse(self) -> bool:
        """Significantly below the best: neither other sequences nor other seeds explain the difference."""
        return self.p_sequences < LEVEL and (self.p_seeds is None or self.p_seeds < LEVEL)


def against_best(bounds: Mapping[str, np.ndarray]) -> tuple[str, dict[str, Verdict]]:
    """The best model, and every other one against it.

    Tests of means, not ranks: the mean is what is reported, and a rank test can prefer a model with the lower one.

    Args:
      bounds: of each model, [S, N]: S seeds (each model has its own), N test sequences (the same for all), in nats.

    Returns:
      The name of the model with the highest mean, and the verdict on each of the others.
    """
    best = max(bounds, key=lambda name: bounds[name].mean())
    others = [name for name in bounds if name != best]
    differences = {name: bounds[name].mean(0) - bounds[best].mean(0) for name in others}
    errors = {name: _standard_error(values) for name, values in differences.items()}
    sequences = {name: _two_sided(values.mean(), errors[name], len(values) - 1) for name, values in differences.items()}
    sequences, seeds = holm(sequences), holm(_over_seeds(bounds, best))
    return best, {
        name: Verdict(float(differences[name].mean()), errors[name], sequences[name], seeds.get(name))
        for name in others
    }


def holm(p: Mapping[str, float]) -> dict[str, float]:
    """P-values corrected for their number, step-down (Holm 1979)."""
    corrected, highest = {}, 0.0
    for rank, name in enumerate(sorted(p, key=p.__getitem__)):
        highest = max(highest, min(1.0, (len(p) - rank) * p[name]))
        corrected[name] = highest
    return corrected


def _over_seeds(bounds: Mapping[str, np.ndarray], best: str) -> dict[str, float]:
    """P-value of each other model's mean over seeds against the best one's; empty where all have a single seed.

    The variance between seeds is that of all models together: the few seeds of two alone would hardly tell it.
    """
    seeds = {name: values.mean(1) for name, values in bounds.items()}
    freedom = sum(len(values) - 1 for values in seeds.values())
    if freedom == 0:
        return {}
    variance = sum(float(((values - values.mean()) ** 2).sum()) for values in seeds.values()) / freedom
    top = seeds.pop(best)
    return {
        name: _two_sided(values.mean() - top.mean(), math.sqrt(variance * (1 / len(values) + 1 / len(top))), freedom)
        for name, values in seeds.items()
    }


def _two_sided(difference: float, error: float, freedom: float) -> float:
    """P-value of a difference under Student's t, also where there is no spread at all."""
    from scipy.stats import t

    if difference == 0.0 or freedom < 1:
        return 1.0
    return float(2.0 * t.sf(abs(difference) / error, freedom)) if error else 0.0


def _standard_error(values: np.ndarray) -> float:
    return float(values.std(ddof=1)) / math.sqrt(len(values)) if len(values) > 1 else 0.0
