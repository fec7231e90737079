"""Which models are as good as the best, over other test data and over other seeds.

A difference of two models' means has three parts that chance moves: which groups of sequences (speakers, writers) are
in the test set, and the seeds of either model. Its variance is the sum of theirs,

    V = v_groups + s_1^2 / S_1 + s_2^2 / S_2,

where v_groups is the jackknife variance of the paired difference, one group left out at a time (CR3: Bell and McCaffrey
2002; MacKinnon, Nielsen and Webb 2023), and s_m^2 the variance between the S_m seeds of model m: each model has its
own, since one may be steady and another not. Their degrees of freedom are 1 / sum_g w_g^2 - 1 for groups with shares
w_g of the sequences (G - 1 for G equal ones; Carter, Schnepel and Steigerwald 2017) and S_m - 1. The difference over
the square root of V is taken to follow Student's t, whose degrees of freedom lie between the smallest of a part and
those of Satterthwaite (1946), see `_degrees_of_freedom`; Satterthwaite's own are too many where a part has one or two.

Chance also chose which model is the best, so all pairs of models count. How much that raises p depends on what pairs
share, so each part of V is corrected in its own way, and p is the mean of both by their shares of V: seeds by Tukey's
studentized range, since all pairs of a model share the estimate of its spread (Games and Howell 1976), groups by Holm
(1979), since each pair has an estimate of its own. The probability that any of several equal models is called worse is
then at most about 5 %; `make soak` simulates it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

LEVEL = 0.05
MIN_GROUPS = 3  # of two, there is one difference between groups: too few to tell how much they differ

Array = NDArray[np.float64]


class Verdict(NamedTuple):
    """One model against the best.

    Attributes:
      difference: mean over test sequences of this model's bound less the best one's, both averaged over seeds, in nats.
      error: standard error of the difference over groups of test sequences and, where there are several, over seeds.
      freedom: degrees of freedom of the error.
      p: two-sided p-value, corrected for all pairs of models.
    """

    difference: float
    error: float
    freedom: float
    p: float

    @property
    def is_worse(self) -> bool:
        """Significantly below the best: neither other groups of sequences nor other seeds explain the difference."""
        return self.p < LEVEL


class Components(NamedTuple):
    """What the variances of the means of M models are made of.

    Attributes:
      means: of the models over seeds and sequences [M].
      groups: covariance of the means over groups of sequences [M, M].
      groups_freedom: its degrees of freedom.
      seeds: variance of each mean over seeds [M]; 0 where all models have a single one.
      seeds_freedom: their degrees of freedom [M]; infinite where all models have a single seed.
      source: the model whose seeds each variance is from [M]; not the model itself where that has a single seed.
    """

    means: Array
    groups: Array
    groups_freedom: float
    seeds: Array
    seeds_freedom: Array
    source: NDArray[np.int64]


def against_best(
    bounds: Mapping[str, Array], groups: Sequence[object] | np.ndarray | None = None
) -> tuple[str, dict[str, Verdict]]:
    """The best model, and every other one against it.

    Tests of means, not ranks: the mean is what is reported, and a rank test can prefer a model with the lower one.

    A model with one seed among others with several is given the variance of the one that varies most, since its own is
    unknown. If all have one seed, the verdicts are on these trained models, and say nothing of training again.

    Args:
      bounds: of each model, [S, N]: S seeds (each model has its own), N test sequences (the same for all), in nats.
      groups: a name or number for the group of each sequence [N]; None: the sequences are independent.

    Returns:
      The name of the model with the highest mean, and the verdict on each of the others.

    Raises:
      ValueError: there are fewer than `MIN_GROUPS` groups.
    """
    names = list(bounds)
    parts = components([bounds[name] for name in names], groups)
    pairs = {pair: tested(parts, *pair) for pair in combinations(range(len(names)), 2)}
    by_holm = holm({pair: result.p for pair, result in pairs.items()})
    best = int(parts.means.argmax())
    verdicts = {}
    for pair, result in pairs.items():
        if best in pair:
            worse = pair[1] if pair[0] == best else pair[0]
            difference = float(parts.means[worse] - parts.means[best])
            by_tukey = result.of_the_widest_pair(len(names)) if result.share < 1.0 else 1.0
            p = result.share * by_holm[pair] + (1.0 - result.share) * by_tukey
            verdicts[names[worse]] = Verdict(difference, result.error, result.freedom, p)
    return names[best], verdicts


def components(bounds: Sequence[Array], groups: Sequence[object] | np.ndarray | None = None) -> Components:
    """The parts of the variance of M models' means; arguments as of `against_best`."""
    num = bounds[0].shape[1]
    _, group, sizes = np.unique(
        np.arange(num) if groups is None else np.asarray(groups), return_inverse=True, return_counts=True
    )
    if len(sizes) < MIN_GROUPS:
        raise ValueError(f"groups must be at least {MIN_GROUPS} different ones to tell anything, got {len(sizes)}")
    by_sequence = np.stack([values.mean(0) for values in bounds])  # [M, N]
    means = by_sequence.mean(1)
    sums = np.zeros((len(sizes), len(bounds)))
    np.add.at(sums, group, (by_sequence - means[:, None]).T)
    left_out = sums / (num - sizes)[:, None]  # by how much the means change without the group [G, M]
    covariance = (len(sizes) - 1) / len(sizes) * left_out.T @ left_out
    share = sizes / num

    count = np.array([len(values) for values in bounds])
    source = np.arange(len(bounds))
    if count.max() == 1:
        seeds, freedom = np.zeros(len(bounds)), np.full(len(bounds), np.inf)
    else:
        variance = np.array([values.mean(1).var(ddof=1) if len(values) > 1 else -1.0 for values in bounds])
        source[count == 1] = variance.argmax()
        seeds, freedom = variance[source] / count, count[source] - 1.0
    return Components(means, covariance, 1.0 / float(share @ share) - 1.0, seeds, freedom, source)


def holm(p: Mapping[Any, float]) -> dict[Any, float]:
    """P-values corrected for their number, step-down (Holm 1979)."""
    corrected, highest = {}, 0.0
    for rank, name in enumerate(sorted(p, key=p.__getitem__)):
        highest = max(highest, min(1.0, (len(p) - rank) * p[name]))
        corrected[name] = highest
    return corrected


class Tested(NamedTuple):
    """Two models, as if they were the only ones.

    Attributes:
      statistic: their difference over its standard error, without sign.
      error: the standard error.
      freedom: its degrees of freedom.
      share: of the groups of sequences in its square; the rest is of seeds.
      p: two-sided p-value.
    """

    statistic: float
    error: float
    freedom: float
    share: float
    p: float

    def of_the_widest_pair(self, models: int) -> float:
        """P-value of the statistic if it is that of the widest pair of so many equal models."""
        from scipy.stats import studentized_range

        if models == 2 or self.p in (0.0, 1.0):
            return self.p
        # Its numerical integral is off by 1e-10 or so, which could take it below the p-value of a single pair.
        return max(self.p, float(studentized_range.sf(self.statistic * 2.0**0.5, models, self.freedom)))


def tested(parts: Components, one: int, other: int) -> Tested:
    """The difference of two of the models."""
    from scipy.stats import t

    groups = parts.groups[one, one] + parts.groups[other, other] - 2.0 * parts.groups[one, other]
    variances = [(max(float(groups), 0.0), parts.groups_freedom)]
    if parts.source[one] == parts.source[other]:  # one estimate, and not two that could differ
        variances.append((float(parts.seeds[one] + parts.seeds[other]), float(parts.seeds_freedom[one])))
    else:
        variances += [(float(parts.seeds[model]), float(parts.seeds_freedom[model])) for model in (one, other)]
    total = sum(variance for variance, _ in variances)
    difference = abs(float(parts.means[one] - parts.means[other]))
    if total == 0.0:
        return Tested(float("inf"), 0.0, parts.groups_freedom, 1.0, 0.0 if difference else 1.0)
    freedom = _degrees_of_freedom([(variance, freedom) for variance, freedom in variances if variance > 0.0])
    statistic = difference / total**0.5
    return Tested(statistic, total**0.5, freedom, variances[0][0] / total, float(2.0 * t.sf(statistic, freedom)))


def _degrees_of_freedom(variances: Sequence[tuple[float, float]]) -> float:
    """Degrees of freedom of a sum of independent variances (v_i, f_i), v_i > 0.

    Satterthwaite's (sum v)^2 / sum(v_i^2 / f_i) trusts that a v_i which came out small is small. With f_i of one or two
    it often is so by chance: then the sum is too small as well, and equal models differ in up to 8 % of the cases. So
    each v_i counts 1 + 4 / f_i times, which matters for few f_i only, and of the way from the smallest f_i to
    Satterthwaite's, min(1, f_i / 4) is gone. Both numbers were chosen by simulation: with them, no situation tried
    exceeded the nominal level by more than half a per cent.
    """
    least = min(freedom for _, freedom in variances)
    counted = [(variance * (1.0 + 4.0 / freedom), freedom) for variance, freedom in variances]
    satterthwaite = sum(v for v, _ in counted) ** 2 / sum(v**2 / f for v, f in counted)
    return least + min(1.0, least / 4.0) * max(satterthwaite - least, 0.0)
