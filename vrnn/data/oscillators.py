"""Synthetic sensors of coupled oscillators, with bursts of noise and dropouts, whose density is known exactly."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
import torch
from torch import Tensor

from vrnn.data.splits import Sequences, Splits
from vrnn.data.standardisation import Standardisation
from vrnn.data.synthesis.linear_system import Array, LinearSystem, Mask
from vrnn.memory import require_memory

PERIODS = (9.0, 23.0)  # steps, of the fastest and the slowest oscillator
DECAY = 0.98  # of an oscillation, per step
COUPLING = 0.05  # of each oscillator to the next one
BURST_SCALE = 6.0  # by which the noise of all sensors is larger in a burst
BURST_STEPS, DROPOUT_STEPS = (1, 4), (3, 12)  # shortest and longest


def make_system(x_dim: int, num_oscillators: int, noise: float, seed: int) -> LinearSystem:
    """Damped rotations, each driven by noise and pulled by the next one, seen by sensors that mix them at random."""
    rng = np.random.default_rng([seed, 1])
    size = 2 * num_oscillators
    transition = np.zeros((size, size))
    for number, period in enumerate(np.geomspace(*PERIODS, num_oscillators)):
        angle = 2.0 * math.pi / period
        turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
        rows = slice(2 * number, 2 * number + 2)
        transition[rows, rows] = turn
        if num_oscillators > 1:
            following = 2 * ((number + 1) % num_oscillators)
            transition[rows, following : following + 2] += COUPLING * np.eye(2)
    transition *= DECAY / np.abs(np.linalg.eigvals(transition)).max()
    emission = rng.standard_normal((x_dim, size)) / math.sqrt(size)
    return LinearSystem.stationary(transition, (1.0 - DECAY**2) * np.eye(size), emission, noise)


def draw_runs(shape: tuple[int, ...], rate: float, steps: tuple[int, int], rng: np.random.Generator) -> Mask:
    """Runs that begin at each step with probability `rate`, and last so many steps, along the last axis."""
    begins = rng.random(shape) < rate
    lasting = rng.integers(steps[0], steps[1] + 1, shape)
    runs = np.zeros(shape, bool)
    for delay in range(steps[1]):
        late = begins & (lasting > delay)
        runs[..., delay:] |= late[..., : shape[-1] - delay]
    return runs


def oscillators(
    x_dim: int = 3,
    num_oscillators: int = 2,
    num_steps: int = 100,
    noise: float = 0.1,
    burst_rate: float = 0.01,
    dropout_rate: float = 0.005,
    train_sequences: int = 512,
    valid_sequences: int = 64,
    test_sequences: int = 128,
    seed: int = 0,
) -> Splits:
    """x_t [D] of sensors that see coupled oscillators: a linear-Gaussian system, see `LinearSystem`.

    In a burst the sensors' noise is 6 times as large; its steps are labelled 1. In a dropout a sensor is not observed.
    What is exact is the density given when bursts are: by the Kalman filter.

    Args:
      x_dim: D, number of sensors.
      num_oscillators: periods of 9 to 23 steps.
      num_steps: T.
      noise: standard deviation of a sensor, in units in which an oscillator has about 1.
      burst_rate: probability that a burst begins at a step; each lasts 1 to 4.
      dropout_rate: probability that a sensor drops out at a step; for 3 to 12.
      train_sequences, valid_sequences, test_sequences: their numbers.
      seed: makes the system and the sequences.

    Raises:
      ValueError: an argument is out of its range.
    """
    sizes = {"train": train_sequences, "valid": valid_sequences, "test": test_sequences}
    counts = {f"{part}_sequences": size for part, size in sizes.items()}
    for name, value in {"x_dim": x_dim, "num_oscillators": num_oscillators, "num_steps": num_steps, **counts}.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if not noise > 0:
        raise ValueError(f"noise must be positive, got {noise}: without it the density has no ceiling")
    for name, rate in {"burst_rate": burst_rate, "dropout_rate": dropout_rate}.items():
        if not 0 <= rate < 0.5:
            raise ValueError(f"{name} must be a probability below 0.5, got {rate}")
    require_memory(
        24 * sum(sizes.values()) * num_steps * x_dim, "the data", {**counts, "num_steps": num_steps, "x_dim": x_dim}
    )
    system = make_system(x_dim, num_oscillators, noise, seed)
    raw: list[tuple[Array, Mask, Mask]] = []
    for part, size in enumerate(sizes.values()):
        rng = np.random.default_rng([seed, 2, part])
        bursts = draw_runs((size, num_steps), burst_rate, BURST_STEPS, rng)
        dropped = draw_runs((size, x_dim, num_steps), dropout_rate, DROPOUT_STEPS, rng).swapaxes(1, 2)
        x = system.simulate(np.where(bursts, BURST_SCALE, 1.0), rng)
        raw.append((x, ~dropped, bursts))
    seen = np.where(raw[0][1], raw[0][0], np.nan).reshape(-1, x_dim)
    mean, std = np.nanmean(seen, 0), np.nanstd(seen, 0)
    scale = Standardisation(torch.from_numpy(mean), torch.from_numpy(std))
    train, valid, test = (_sequences((x - mean) / std, observed, bursts) for x, observed, bursts in raw)
    return Splits(train, valid, test, scale, truth=partial(log_likelihood, system))


def _sequences(x: Array, observed: Mask, bursts: Mask) -> Sequences:
    """Sequences of x [N, T, D], with what was observed and where bursts are."""
    num, steps, x_dim = x.shape
    values = torch.from_numpy(np.where(observed, x, 0.0)).float().view(-1, x_dim)
    return Sequences(
        values,
        torch.full((num,), steps, dtype=torch.int64),
        observed=None if observed.all() else torch.from_numpy(observed.reshape(-1, x_dim)),
        labels=torch.from_numpy(bursts.astype(np.uint8).reshape(-1)),
    )


def log_likelihood(system: LinearSystem, sequences: Sequences, scale: Standardisation) -> Tensor:
    """Exact log-likelihood of standardised sequences [N], in nats, given when their bursts are."""
    num, steps = len(sequences), int(sequences.lengths[0])
    x = scale.inverse(sequences.values.cpu().double()).numpy().reshape(num, steps, -1)
    observed = (
        np.ones(x.shape, bool) if sequences.observed is None else sequences.observed.cpu().numpy().reshape(x.shape)
    )
    bursts = np.zeros((num, steps)) if sequences.labels is None else sequences.labels.numpy().reshape(num, steps)
    found = system.filter(x, observed, np.where(bursts > 0, BURST_SCALE, 1.0))
    raw = torch.from_numpy(found.log_px.sum(1))
    return raw + torch.from_numpy(observed.sum(1)).double() @ scale.std.double().log().cpu()
