"""Comparisons of simulated models: how often equal ones are called worse, and what difference is found.

`python -m tests.experiments.report.simulation` prints a table of both, for the suite's test and for the one that is
often used instead. A bound of model m, seed s, on sequence n in group g is the sum of

    sequence_n + group_mg + residual_mn + seed_ms + interaction_msg + noise_msn,

each normal unless a situation says otherwise; the first is the same for all models.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
from scipy import stats

from experiments.report.significance import LEVEL, against_best, components, holm, tested

Test = Callable[[dict[str, np.ndarray], np.ndarray | None], set[str]]


class Situation(NamedTuple):
    """Equal models, and what makes their bounds differ nevertheless; standard deviations in nats.

    Attributes:
      models: how many.
      seeds: of each model, or of all.
      seed: between the seeds of a model (of each, or of all).
      residual: between sequences, of a model's own part; half as much again for every seed.
      sizes: of the groups; None: 300 sequences, each its own group.
      group: between groups, of a model's own part.
      interaction: between groups, of a seed's own part.
      draw: (generator, shape) -> residuals of mean 0 and variance 1.
    """

    models: int = 5
    seeds: int | tuple[int, ...] = 3
    seed: float | tuple[float, ...] = 1.0
    residual: float | tuple[float, ...] = 30.0
    sizes: tuple[int, ...] | None = None
    group: float = 0.0
    interaction: float = 0.0
    draw: Callable[[np.random.Generator, tuple[int, ...]], np.ndarray] = lambda rng, shape: rng.standard_normal(shape)


def heavy_tails(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.standard_t(3, shape) / math.sqrt(3)


def skewed(rng: np.random.Generator, shape: tuple[int, ...]) -> np.ndarray:
    return rng.exponential(size=shape) - 1.0


def intraclass(correlation: float, residual: float = 30.0) -> float:
    """Standard deviation between groups that gives a model's own part this intraclass correlation."""
    return residual * math.sqrt(correlation / (1.0 - correlation))


# Standard errors over three seeds of the README's models of spoken digits, as standard deviations.
DIGITS = tuple(math.sqrt(3) * error for error in (17.5, 3.3, 0.6, 2.6, 9.3))
SPEAKERS = {"sizes": (50,) * 6, "group": intraclass(0.1)}

SITUATIONS = {
    "five models, three seeds of unequal spread": Situation(seed=DIGITS),
    "ten models": Situation(models=10, seed=3.0),
    "six speakers": Situation(seed=0.5, **SPEAKERS),
    "two models": Situation(models=2, seed=3.0),
    "two models, one of them steady": Situation(models=2, seed=(1.0, 20.0)),
    "one model steady on every sequence": Situation(4, seed=(0.01, 5.0, 5.0, 20.0), residual=(1.0, 30.0, 30.0, 30.0)),
    "one seed": Situation(seeds=1, seed=0.0),
    "one seed, six speakers": Situation(seeds=1, seed=0.0, **SPEAKERS),
    "two seeds": Situation(seeds=2, seed=DIGITS),
    "two models, two seeds, one of them steady": Situation(models=2, seeds=2, seed=(0.1, 60.0)),
    "ten seeds": Situation(seeds=10, seed=DIGITS),
    "2, 3, 3, 5 and 10 seeds": Situation(seeds=(2, 3, 3, 5, 10), seed=DIGITS[::-1]),
    "one seed beside 3, 3, 5 and 10": Situation(seeds=(1, 3, 3, 5, 10), seed=10.0),
    "heavy tails": Situation(draw=heavy_tails),
    "skewed, a hundred sequences": Situation(sizes=(1,) * 100, draw=skewed),
    "three groups": Situation(models=3, seed=0.5, sizes=(100,) * 3, group=intraclass(0.1)),
    "three groups, two models": Situation(models=2, seed=0.5, sizes=(100,) * 3, group=intraclass(0.1)),
    "six groups of unequal size": Situation(seed=0.5, sizes=(150, 80, 40, 10, 10, 10), group=intraclass(0.1)),
    "sixty small groups": Situation(seed=0.5, sizes=(5,) * 60, group=intraclass(0.3)),
    "speakers, seeds, and both": Situation(seed=DIGITS, interaction=5.0, **SPEAKERS),
    "ten models, six speakers": Situation(models=10, seed=DIGITS * 2, **SPEAKERS),
}  # fmt: skip


def simulate(situation: Situation, rng: np.random.Generator) -> tuple[dict[str, np.ndarray], np.ndarray | None]:
    """Bounds [S, N] of every model, and the group of each sequence [N], None where it is its own."""
    sizes = (1,) * 300 if situation.sizes is None else situation.sizes
    group = np.repeat(np.arange(len(sizes)), sizes)
    shared = rng.normal(0.0, 50.0, len(group))
    seeds, spreads, residuals = (
        np.broadcast_to(value, situation.models) for value in (situation.seeds, situation.seed, situation.residual)
    )
    bounds = {}
    for model, (count, spread, residual) in enumerate(zip(seeds.tolist(), spreads, residuals, strict=True)):
        own = residual * situation.draw(rng, (len(group),))
        own += situation.group * rng.standard_normal(len(sizes))[group]
        trained = spread * rng.standard_normal((count, 1))
        trained = trained + situation.interaction * rng.standard_normal((count, len(sizes)))[:, group]
        noise = 0.5 * residual * situation.draw(rng, (count, len(group)))
        bounds[f"m{model}"] = shared + own + trained + noise
    return bounds, group if max(sizes) > 1 else None


def suite(bounds: dict[str, np.ndarray], groups: np.ndarray | None) -> set[str]:
    """The models that the suite's test calls worse than the best."""
    parts = components(list(bounds.values()), groups)
    best = int(parts.means.argmax())
    # The correction only raises p, and is slow.
    if all(tested(parts, best, other).p >= LEVEL for other in range(len(bounds)) if other != best):
        return set()
    return {name for name, verdict in against_best(bounds, groups)[1].items() if verdict.is_worse}


def usual(bounds: dict[str, np.ndarray], _: np.ndarray | None) -> set[str]:
    """What two common t-tests call worse, each corrected by Holm for the other models alone.

    One is paired over sequences as if these were independent, one over seeds with the variance of all models pooled.
    """
    best = max(bounds, key=lambda name: bounds[name].mean())
    others = [name for name in bounds if name != best]
    over_sequences = holm({name: stats.ttest_rel(bounds[name].mean(0), bounds[best].mean(0)).pvalue for name in others})
    seeds = {name: values.mean(1) for name, values in bounds.items()}
    freedom = sum(len(values) - 1 for values in seeds.values())
    if freedom == 0:
        return {name for name in others if over_sequences[name] < LEVEL}
    variance = sum(((values - values.mean()) ** 2).sum() for values in seeds.values()) / freedom
    scaled = {
        name: (seeds[best].mean() - seeds[name].mean())
        / math.sqrt(variance * (1 / len(seeds[best]) + 1 / len(seeds[name])))
        for name in others
    }
    over_seeds = holm({name: 2.0 * stats.t.sf(value, freedom) for name, value in scaled.items()})
    return {name for name in others if over_sequences[name] < LEVEL and over_seeds[name] < LEVEL}


def false_positives(situation: Situation, repetitions: int, test: Test = suite, seed: int = 0) -> float:
    """Share of the repetitions in which at least one of the equal models is called worse."""
    rng = np.random.default_rng(seed)
    return sum(bool(test(*simulate(situation, rng))) for _ in range(repetitions)) / repetitions


def power(
    situation: Situation, gap: float, repetitions: int, test: Test = suite, best: str = "m4", other: str = "m3"
) -> float:
    """Share of the repetitions in which `other` is called worse, where `best` is better than all others by `gap`."""
    rng = np.random.default_rng(1)
    hits = 0
    for _ in range(repetitions):
        bounds, groups = simulate(situation, rng)
        bounds[best] = bounds[best] + gap
        hits += other in test(bounds, groups)
    return hits / repetitions


def detectable(situation: Situation, repetitions: int, **which: Any) -> float:
    """The gap in nats that is found with a probability of 80 %, within 2 %."""
    low, high = 0.0, 1.0
    while power(situation, high, repetitions, **which) < 0.8:
        low, high = high, 2.0 * high
    while high - low > 0.02 * high:
        middle = (low + high) / 2
        low, high = (middle, high) if power(situation, middle, repetitions, **which) < 0.8 else (low, middle)
    return high


def main(repetitions: int) -> None:
    """Prints false positives of both tests, then what they find in the situation of the README's spoken digits."""
    for name, situation in SITUATIONS.items():
        rates = [false_positives(situation, repetitions, test) for test in (usual, suite)]
        told = (f"{100 * rate:5.1f} ± {100 * math.sqrt(rate * (1 - rate) / repetitions):.1f} %" for rate in rates)
        print(f"{name:44} usual {next(told)}   suite {next(told)}", flush=True)
    digits = {
        "digits, recordings independent": Situation(seed=DIGITS),
        "digits, six speakers": Situation(seed=DIGITS, **SPEAKERS),
        "digits, six speakers, ten seeds": Situation(seed=DIGITS, seeds=10, **SPEAKERS),
        "three nats between seeds": Situation(seed=3.0),
        "three nats between seeds, six speakers": Situation(seed=3.0, **SPEAKERS),
        "three nats between seeds, two models": Situation(models=2, seed=3.0),
        "one seed, six speakers": Situation(seeds=1, seed=0.0, **SPEAKERS),
    }
    for name, situation in digits.items():
        pair = {"best": f"m{situation.models - 1}", "other": f"m{situation.models - 2}"}
        found = [detectable(situation, max(200, repetitions // 10), test=test, **pair) for test in (usual, suite)]
        print(f"{name:44} found in 80 % of cases: usual {found[0]:6.1f} nats   suite {found[1]:6.1f} nats", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if sys.argv[1:] else 4000)
