"""What a bound is read against: simple densities fitted on train, with exact likelihoods."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from vrnn.data.splits import Sequences, Splits
from vrnn.distributions import LOG_2PI
from vrnn.likelihoods.base import Likelihood
from vrnn.training.evaluation import Evaluation


def independent(likelihood: Likelihood, train: Sequences, sequences: Sequences) -> Evaluation:
    """The same distribution at every step, fitted to all steps of `train`: what modelling time is worth."""
    params = likelihood.fit(train.values)
    nats = likelihood(params.expand(len(sequences.values), -1)).log_prob(sequences.values)  # [sum of lengths]
    return _per_sequence(nats, sequences)


class LinearPredictor:
    """An autoregressive model of a signal, x_n = sum_k a_k x_{n-k} + c + e_n with Gaussian e_n: one sample at a time.

    It is fitted by least squares to train, with zeros before a sequence's first sample.

    Args:
      train: sequences whose steps are frames of D consecutive samples.
      order: number of former samples.
    """

    def __init__(self, train: Sequences, order: int):
        self.order = order
        gram = torch.zeros(order + 2, order + 2, dtype=torch.float64)
        for index in train.by_length(256):
            rows = torch.cat([*self._regressors(train, index)], -1).flatten(0, 1)  # [samples, order + 2]
            gram += rows.T @ rows
        # Gram matrix of [former samples, 1, sample]: the normal equations and the residual's energy in one.
        self.weights = torch.linalg.solve(gram[:-1, :-1], gram[:-1, -1])
        energy = gram[-1, -1] - self.weights @ gram[:-1, -1]
        self.variance = float(energy / gram[-2, -2])

    def evaluate(self, sequences: Sequences) -> Evaluation:
        """Exact log-likelihood of every sequence, on the same samples as a model's."""
        nats = torch.zeros(len(sequences), dtype=torch.float64)
        for index in sequences.by_length(256):
            past, now = self._regressors(sequences, index)
            squares = (now.squeeze(-1) - past @ self.weights).square() / self.variance
            mask = torch.arange(now.shape[1]) < sequences.lengths[index][:, None] * sequences.x_dim
            log_prob = -0.5 * (squares + LOG_2PI + math.log(self.variance))
            nats[index] = torch.where(mask, log_prob, 0.0).sum(1)
        return Evaluation(nats, sequences.lengths, 0.0, "exact")

    def _regressors(self, sequences: Sequences, index: Tensor) -> tuple[Tensor, Tensor]:
        """Former samples and a one [B, samples, order + 1], and the sample itself [B, samples, 1]; padding is zero."""
        batch = sequences.batch(index)
        signal = batch.x.cpu().double().flatten(1)  # [B, samples]
        padded = torch.nn.functional.pad(signal, (self.order, 0))
        past = padded.unfold(1, self.order, 1)[:, :-1]  # [B, samples, order]
        real = batch.mask.cpu().double().repeat_interleave(sequences.x_dim, 1)[..., None]
        return torch.cat([past * real, real], -1), signal[..., None]


def references(likelihood: Likelihood, splits: Splits) -> dict[str, Evaluation]:
    """The references that apply to these data, by name, on test; the predictor's order is chosen on valid."""
    found = {f"independent {likelihood.label}": independent(likelihood, splits.train, splits.test)}
    if splits.sample_rate is not None:
        train = splits.train.head(2048)
        predictors = [LinearPredictor(train, order) for order in (16, 32, 64)]
        best = max(predictors, key=lambda predictor: float(predictor.evaluate(splits.valid).bounds.mean()))
        found[f"linear predictor of order {best.order}"] = best.evaluate(splits.test)
    return found


def _per_sequence(nats: Tensor, sequences: Sequences) -> Evaluation:
    """Nats of every step, end to end [sum of lengths] -> an exact evaluation."""
    owner = torch.arange(len(sequences)).repeat_interleave(sequences.lengths)
    bounds = torch.zeros(len(sequences), dtype=torch.float64).index_add_(0, owner, nats.double().cpu())
    return Evaluation(bounds, sequences.lengths, 0.0, "exact")
