"""What a bound is read against: simple densities fitted on train, and the truth where it is known; all exact."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor

from vrnn.data.splits import Sequences, Splits
from vrnn.distributions import LOG_2PI
from vrnn.likelihoods.base import Likelihood, log_density
from vrnn.training.evaluation import Evaluation

MIN_STD = 1e-4  # as the likelihoods' own
TRUTH = "the true process"


def independent(likelihood: Likelihood, train: Sequences, sequences: Sequences) -> Evaluation:
    """The same distribution at every step, fitted to all steps of `train`: what modelling time is worth."""
    params = likelihood.fit(train.known)
    parts = sequences.values.split(4096)  # a mixture's parameters are many times as large as x
    seen = [None] * len(parts) if sequences.observed is None else sequences.observed.split(4096)
    nats = torch.cat(
        [log_density(likelihood(params.expand(len(x), -1)), x, mask) for x, mask in zip(parts, seen, strict=True)]
    )  # [rows]
    return _per_sequence(nats, sequences)


class LinearPredictor:
    """An autoregressive model of a signal, x_n = sum_k a_k x_{n-k} + e_n with Gaussian e_n: one sample at a time.

    It is fitted to train by the autocorrelation method (Yule-Walker; Makhoul 1975, "Linear prediction", section II.B);
    before a sequence's first sample stand zeros.

    Args:
      lags: autocorrelation of the training signals at 0 to `order` samples, summed over all samples [order + 1].
      num_samples: number of those samples.

    Attributes:
      order: number of former samples.
      weights: a_1 to a_order.
      variance: of e_n.
    """

    def __init__(self, lags: np.ndarray, num_samples: int):
        from scipy.linalg import solve_toeplitz

        # White noise in the training signals, without which silence and pure tones would be predicted exactly.
        lags = lags + num_samples * MIN_STD**2 * (np.arange(len(lags)) == 0)
        self.order = len(lags) - 1
        self.weights = solve_toeplitz(lags[:-1], lags[1:])
        self.variance = float(lags[0] - self.weights @ lags[1:]) / num_samples

    def evaluate(self, sequences: Sequences) -> Evaluation:
        """Exact log-likelihood of every sequence, on the same samples as a model's."""
        from scipy.signal import lfilter

        constant = LOG_2PI + math.log(self.variance)
        whitening = np.concatenate([[1.0], -self.weights])
        nats = []
        for signal in _signals(sequences):
            residual = lfilter(whitening, 1.0, signal)
            nats.append(-0.5 * (float(residual @ residual) / self.variance + len(residual) * constant))
        return _exact(torch.tensor(nats, dtype=torch.float64), sequences)


def autocorrelation(sequences: Sequences, order: int) -> np.ndarray:
    """sum_n x_n x_{n-k} over all signals, for k = 0 to order [order + 1]."""
    lags = np.zeros(order + 1)
    for signal in _signals(sequences):
        size = len(signal) + order  # the padding keeps the ends from wrapping round
        lags += np.fft.irfft(np.abs(np.fft.rfft(signal, size)) ** 2, size)[: order + 1]
    return lags


def _signals(sequences: Sequences) -> Iterator[np.ndarray]:
    """Each sequence as the signal that its frames are cut from [samples], float64."""
    for values in sequences.values.split(sequences.lengths.tolist()):
        yield values.cpu().double().flatten().numpy()


def exact(likelihood: Likelihood, splits: Splits, name: str) -> Evaluation | None:
    """log p(x) of a split under the process that made the data; None where it is not known, or is no density as x's.

    Args:
      likelihood: of the model that is read against it.
      splits: the data.
      name: of the split.
    """
    if splits.truth is None or likelihood.discrete:  # a density compares with no probability
        return None
    return _exact(splits.truth(splits.parts[name], splits.standardisation), splits.parts[name])


def references(likelihood: Likelihood, splits: Splits) -> dict[str, Evaluation]:
    """The references that apply to these data, by name, on test; the predictor's order is chosen on valid."""
    found = {f"independent {likelihood.reference}": independent(likelihood, splits.train, splits.test)}
    if splits.sample_rate is not None and not likelihood.discrete:  # a density compares with no probability
        lags = autocorrelation(splits.train, 64)
        predictors = [LinearPredictor(lags[: order + 1], splits.train.values.numel()) for order in (16, 32, 64)]
        best = max(predictors, key=lambda predictor: float(predictor.evaluate(splits.valid).bounds.mean()))
        found[f"linear predictor of order {best.order}"] = best.evaluate(splits.test)
    if (truth := exact(likelihood, splits, "test")) is not None:
        found[TRUTH] = truth
    return found


def _per_sequence(nats: Tensor, sequences: Sequences) -> Evaluation:
    """Nats of every stored step [rows] -> an exact evaluation."""
    if sequences.are_windows:  # which may share rows
        until = torch.cat([torch.zeros(1, dtype=torch.float64), nats.double().cpu().cumsum(0)])
        starts = sequences.starts.cpu()
        bounds = until[starts + sequences.lengths] - until[starts]
    else:
        owner = torch.arange(len(sequences)).repeat_interleave(sequences.lengths)
        bounds = torch.zeros(len(sequences), dtype=torch.float64).index_add_(0, owner, nats.double().cpu())
    return _exact(bounds, sequences)


def _exact(nats: Tensor, sequences: Sequences) -> Evaluation:
    """Exact log-likelihoods [N] of a density without latent variables."""
    kl = torch.zeros(int(sequences.lengths.max()))
    observed = sequences.observed_steps()
    return Evaluation(nats, sequences.lengths, "exact", kl, groups=sequences.groups, observed=observed)
