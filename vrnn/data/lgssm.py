"""A linear-Gaussian state-space model: made-up sequences whose exact log-likelihood is known."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from vrnn.data.splits import Sequences, Splits
from vrnn.data.standardisation import Standardisation
from vrnn.data.synthesis.linear_system import Array, LinearSystem
from vrnn.memory import require_memory

Matrix = list[list[float]]


class LinearGaussian(NamedTuple):
    """z_1 ~ N(0, P), z_t = A z_{t-1} + N(0, Q), x_t = C z_t + N(0, R), in float64.

    Attributes:
      transition: A [Z, Z].
      transition_cov: Q [Z, Z].
      emission: C [D, Z].
      emission_cov: R [D, D].
      initial_cov: P [Z, Z].
    """

    transition: Array
    transition_cov: Array
    emission: Array
    emission_cov: Array
    initial_cov: Array

    def whitened(self) -> tuple[LinearSystem, Array]:
        """The same system of R^(-1/2) x, whose noise is N(0, I), and the root R^(1/2) [D, D], lower triangular."""
        from scipy.linalg import solve_triangular

        root: Array = np.linalg.cholesky(self.emission_cov).astype(np.float64)
        emission = solve_triangular(root, self.emission, lower=True)
        return LinearSystem(self.transition, self.transition_cov, emission, 1.0, self.initial_cov), root

    def sample(self, num: int, steps: int, rng: np.random.Generator) -> Array:
        """Draws x [num, steps, D]."""
        system, root = self.whitened()
        return system.simulate(np.ones((num, steps)), rng) @ root.T

    def truth(self, sequences: Sequences, scale: Standardisation) -> Tensor:
        """log p(x) of each sequence [N] under a standardisation, in nats, by the Kalman filter."""
        system, root = self.whitened()
        raw = scale.inverse(sequences.values.cpu().double())
        white = np.linalg.solve(root, raw.numpy().T).T  # [sum of lengths, D]
        lengths = sequences.lengths.cpu()
        padded = pad_sequence(list(torch.from_numpy(white).split(lengths.tolist())), batch_first=True).numpy()
        real = np.arange(padded.shape[1]) < lengths.numpy()[:, None]  # [N, T]
        observed = np.broadcast_to(real[..., None], padded.shape)
        nats = system.filter(padded, observed, np.ones(real.shape)).log_px.sum(1)
        log_det = scale.log_det - float(np.log(np.diag(root)).sum())  # of x in R^(-1/2) raw
        return torch.from_numpy(nats) + log_det * lengths.double()


def lgssm(
    x_dim: int,
    transition: Matrix,
    transition_cov: Matrix,
    emission: Matrix,
    emission_cov: Matrix,
    initial_cov: Matrix | None,
    num_steps: int,
    train_sequences: int,
    valid_sequences: int,
    test_sequences: int,
    seed: int,
) -> Splits:
    """Sequences of a linear-Gaussian state-space model with chosen matrices, see `LinearGaussian`.

    Standardised by the mean and standard deviation of each dimension of train.

    Args:
      x_dim: D.
      transition, transition_cov, emission, emission_cov: A, Q, C and R, by rows.
      initial_cov: P; None: the covariance that z has after many steps.
      num_steps: T.
      train_sequences: sequences to train on.
      valid_sequences: sequences to validate on.
      test_sequences: sequences to test on.
      seed: makes the sequences.

    Raises:
      ValueError: a size below 1, a matrix of another shape, a covariance that is not positive definite, or no
        stationary covariance.
    """
    sizes = {"train_sequences": train_sequences, "valid_sequences": valid_sequences, "test_sequences": test_sequences}
    for name, value in {"x_dim": x_dim, "num_steps": num_steps, **sizes}.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")
    latent = len(transition)
    a = _matrix("transition", transition, latent, latent)
    q = _covariance("transition_cov", transition_cov, latent)
    c = _matrix("emission", emission, x_dim, latent)
    r = _covariance("emission_cov", emission_cov, x_dim)
    p = _stationary(a, q) if initial_cov is None else _covariance("initial_cov", initial_cov, latent)
    process = LinearGaussian(a, q, c, r, p)
    total = sum(sizes.values())
    require_memory(16 * total * num_steps * (latent + x_dim), "the data", {**sizes, "num_steps": num_steps})

    x = torch.from_numpy(process.sample(total, num_steps, np.random.default_rng(seed))).float()
    if not bool(x.isfinite().all()):
        raise ValueError(f"transition has an eigenvalue so far above 1 that x overflows within num_steps={num_steps}")
    parts = x.split(list(sizes.values()))
    std, mean = torch.std_mean(parts[0].double(), (0, 1), correction=0)
    standardisation = Standardisation(mean.float(), std.float())
    train, valid, test = (Sequences.of_equal_length(standardisation.forward(part)) for part in parts)
    return Splits(train, valid, test, standardisation, truth=process.truth)


def _matrix(name: str, rows: Matrix, height: int, width: int) -> Array:
    """The matrix [height, width]; ValueError if it is none of that shape."""
    if len(rows) != height or not rows or any(len(row) != width for row in rows):
        raise ValueError(
            f"{name} must be {height} rows of {width} numbers, got {[len(row) for row in rows]} numbers in its rows"
        )
    found = np.array(rows, np.float64)
    if not np.isfinite(found).all():
        raise ValueError(f"{name} must be finite, got {rows}")
    return found


def _covariance(name: str, rows: Matrix, size: int) -> Array:
    """The same of a covariance; ValueError if it is not symmetric and positive definite."""
    found = _matrix(name, rows, size, size)
    if not np.array_equal(found, found.T) or np.linalg.eigvalsh(found).min() <= 0.0:
        raise ValueError(f"{name} must be symmetric and positive definite, got {rows}")
    return found


def _stationary(transition: Array, cov: Array) -> Array:
    """P = A P A' + Q."""
    from scipy.linalg import solve_discrete_lyapunov

    if (radius := np.abs(np.linalg.eigvals(transition)).max()) >= 1.0:
        raise ValueError(
            f"initial_cov must be given: z grows without end, since transition has an eigenvalue of size {radius:.3g}"
        )
    return solve_discrete_lyapunov(transition, cov)
