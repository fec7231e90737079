"""A linear-Gaussian system: what it makes, and the exact density of it by the Kalman filter."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Mask = NDArray[np.bool_]


class Filtered(NamedTuple):
    """What the filter knows of N sequences.

    Attributes:
      log_px: log p(x_t | x_<t) of the observed dimensions [N, T], in nats.
      mean: E[s_T | x_<=T] [N, S].
      covariance: of s_T given x_<=T [N, S, S].
    """

    log_px: Array
    mean: Array
    covariance: Array


class LinearSystem(NamedTuple):
    """s_t = A s_{t-1} + N(0, Q), x_t = C s_t + N(0, (scale_t noise)^2 I), from its stationary distribution.

    Attributes:
      transition: A [S, S].
      process: Q [S, S].
      emission: C [D, S].
      noise: standard deviation of x given s.
      initial: covariance of s_1 [S, S].
    """

    transition: Array
    process: Array
    emission: Array
    noise: float
    initial: Array

    @classmethod
    def stationary(cls, transition: Array, process: Array, emission: Array, noise: float) -> LinearSystem:
        """The system that has always been running."""
        from scipy.linalg import solve_discrete_lyapunov

        return cls(transition, process, emission, noise, solve_discrete_lyapunov(transition, process))

    def simulate(self, scale: Array, rng: np.random.Generator, start: Array | None = None) -> Array:
        """x [N, T, D], with the scale of the noise of every step [N, T]; from states s_0 [N, S], or stationary."""
        num, steps = scale.shape
        root, first = np.linalg.cholesky(self.process), np.linalg.cholesky(self.initial)
        state = rng.standard_normal((num, len(root))) @ first.T if start is None else start
        x = np.empty((num, steps, len(self.emission)))
        for t in range(steps):
            if t or start is not None:
                state = state @ self.transition.T + rng.standard_normal(state.shape) @ root.T
            noise = self.noise * scale[:, t, None] * rng.standard_normal((num, len(self.emission)))
            x[:, t] = state @ self.emission.T + noise
        return x

    def filter(self, x: Array, observed: Mask, scale: Array) -> Filtered:
        """The exact density of x [N, T, D] where it was observed [N, T, D], given the scale of the noise [N, T].

        It is the Kalman filter (Kalman 1960). One dimension after the other is taken in, which is exact since their
        noises are independent, and inverts no matrix.
        """
        num, steps, x_dim = x.shape
        mean = np.zeros((num, len(self.transition)))
        covariance = np.tile(self.initial, (num, 1, 1))
        log_px = np.zeros((num, steps))
        for t in range(steps):
            if t:
                mean, covariance = self.predict(mean, covariance)
            for d in range(x_dim):
                row, seen = self.emission[d], observed[:, t, d]
                gain = covariance @ row  # [N, S]
                variance = gain @ row + (self.noise * scale[:, t]) ** 2
                error = np.where(seen, x[:, t, d] - mean @ row, 0.0)
                nats = -0.5 * (error**2 / variance + np.log(2.0 * math.pi * variance))
                log_px[:, t] += np.where(seen, nats, 0.0)
                weight = np.where(seen, 1.0 / variance, 0.0)
                mean = mean + gain * (error * weight)[:, None]
                covariance = covariance - weight[:, None, None] * gain[:, :, None] * gain[:, None, :]
        return Filtered(log_px, mean, covariance)

    def predict(self, mean: Array, covariance: Array) -> tuple[Array, Array]:
        """Mean [N, S] and covariance [N, S, S] of the state one step later."""
        return mean @ self.transition.T, self.transition @ covariance @ self.transition.T + self.process

    def forecast(self, filtered: Filtered, horizon: int) -> tuple[Array, Array]:
        """Mean and standard deviation of each of the next x, without bursts [N, horizon, D] each."""
        mean, covariance, found = filtered.mean, filtered.covariance, []
        for _ in range(horizon):
            mean, covariance = self.predict(mean, covariance)
            spread = np.einsum("ds,nst,dt->nd", self.emission, covariance, self.emission)
            found.append((mean @ self.emission.T, np.sqrt(spread + self.noise**2)))
        means, stds = zip(*found, strict=True)
        return np.stack(means, 1), np.stack(stds, 1)
