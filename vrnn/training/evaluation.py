"""Bounds on a whole split: sums of nats divided once by counts."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Concatenate, ParamSpec, TypeVar

import torch
from torch import Tensor, nn

from vrnn.data.splits import Sequences
from vrnn.models.base import SequenceModel
from vrnn.objectives.base import Kind, Objective
from vrnn.training.in_parts import InParts
from vrnn.training.metrics import Measurement
from vrnn.training.noise import keyed_noise
from vrnn.training.space import Space

P = ParamSpec("P")
R = TypeVar("R")


def judging(function: Callable[Concatenate[SequenceModel, P], R]) -> Callable[Concatenate[SequenceModel, P], R]:
    """Runs a function of a model without gradients and in evaluation mode, in which dropout and the like do nothing.

    Afterwards each module is in the mode that it had.
    """

    @functools.wraps(function)
    def judge(model: SequenceModel, *arguments: P.args, **named: P.kwargs) -> R:
        former = [(module, module.training) for module in model.modules()]
        model.eval()
        try:
            with torch.no_grad():
                return function(model, *arguments, **named)
        finally:
            for module, training in former:
                module.training = training

    return judge


@dataclass(frozen=True)
class Evaluation:
    """A bound on every sequence of a split.

    Attributes:
      bounds: nats of each sequence, in the split's order [N], float64, on the CPU.
      lengths: steps of each sequence [N].
      kind: what the bounds are to log p(x).
      kl: KL of time step t, summed over the sequences that reach it, in nats [T]; 0 without latent variables.
      variance: Monte-Carlo variance of all bounds together; None where it cannot be told.
      groups: the group of each sequence [N], see `Sequences`; None: the sequences are independent.
      observed: of how many steps each dimension was observed [N, D]; None: of all.
      ess: effective sample size after time step t, summed as the KL [T]; None where it is not followed.
    """

    bounds: Tensor
    lengths: Tensor
    kind: Kind
    kl: Tensor
    variance: float | None = None
    groups: Sequence[str] | None = None
    observed: Tensor | None = None
    ess: Tensor | None = None

    @property
    def reached(self) -> Tensor:
        """Number of sequences that have a time step t [T]."""
        return (self.lengths[:, None] > torch.arange(len(self.kl))).sum(0)

    @property
    def kl_by_step(self) -> Tensor:
        """Mean KL of time step t over the sequences that reach it, in nats [T]."""
        return self.kl / self.reached

    @property
    def ess_by_step(self) -> Tensor | None:
        """Mean effective sample size after time step t over the sequences that reach it, in particles [T]."""
        return None if self.ess is None else self.ess / self.reached

    def measurements(self, split: str, space: Space, grouping: str | None = None) -> dict[str, Measurement]:
        """The split's measurements: per sequence and step, normalized and raw, and the KL; bits where x is quantised.

        "Per step" is all nats by all steps. Where sequences differ in length, "per step by sequence" is the mean over
        sequences of each one's own nats per step, which some of the literature reports under the same name.

        Args:
          split: first part of the keys, "valid" or "test".
          space: the way from normalized to raw space.
          grouping: what the groups are, in one word.
        """
        over = self._over(grouping)
        raw = self.bounds - space.change(self.lengths, self.observed)
        measurements = self._measurements(f"{split}/log_likelihood", self.bounds, "normalized", over)
        measurements |= self._measurements(f"{split}/raw_log_likelihood", raw, "raw", over)
        num = len(self.bounds)
        kl = float(self.kl.sum()) / num
        measurements[f"{split}/kl"] = Measurement(
            kl, None, num, "nats per sequence", "normalized", "estimate", over=over
        )
        if self.ess is not None:
            mean = float(self.ess.sum()) / float(self.lengths.sum())
            measurements[f"{split}/effective_sample_size"] = Measurement(
                mean, None, num, "particles", "normalized", "estimate", over=over
            )
        if space.bits_dim is not None:
            measurements[f"{split}/bits_per_dim"] = self._bits(
                measurements[f"{split}/raw_log_likelihood_per_step"], space.bits_dim
            )
        return measurements

    def gap(self, truth: Evaluation, split: str, grouping: str | None = None) -> dict[str, Measurement]:
        """By how much the bounds stay below the exact log-likelihood of the process that made the data.

        Its mean is KL(process || model), and for a lower bound more than that by what the bound is too low. The
        standard error is that of the differences, which scatter less than either.

        Args:
          truth: exact, of the same sequences, in the same space.
          split: first part of the keys.
          grouping: what the groups are, in one word.
        """
        kind: Kind = "upper_bound" if self.kind == "lower_bound" else self.kind
        apart = replace(self, bounds=truth.bounds - self.bounds, kind=kind)
        return apart._measurements(f"{split}/gap", apart.bounds, "normalized", self._over(grouping))

    def _measurements(self, key: str, nats: Tensor, space: str, over: str) -> dict[str, Measurement]:
        num, steps = len(nats), float(self.lengths.sum())
        per_sequence, per_step = float(nats.mean()), float(nats.sum()) / steps
        # The standard error of a ratio of sums, by its linearisation (Cochran 1977, section 2.11).
        residual = (nats - per_step * self.lengths.double()) * num / steps
        error = None if self.variance is None else math.sqrt(self.variance)
        found = [
            (key, per_sequence, nats, "nats per sequence", error and error / num),
            (f"{key}_per_step", per_step, residual, "nats per step", error and error / steps),
        ]
        if bool((self.lengths != self.lengths[0]).any()):  # else it is the same as the one before
            own = nats / self.lengths.double()
            found.append((f"{key}_per_step_by_sequence", float(own.mean()), own, "nats per step", None))
        return {
            name: Measurement(value, self._standard_error(values), num, unit, space, self.kind, noise, over)
            for name, value, values, unit, noise in found
        }

    def _over(self, grouping: str | None) -> str:
        """What the standard errors are over."""
        if self.groups is None:
            return "sequences"
        number = len(set(self.groups))
        return f"{number:,} {grouping or 'group'}" + "s" * (number != 1)

    def _standard_error(self, values: Tensor) -> float | None:
        """Standard error of the mean of values [N]; a single sequence, or a single group of them, has none.

        With groups it is cluster-robust (Liang and Zeger 1986), sqrt(G / (G - 1) sum_g (sum_{n in g} r_n)^2) / N of
        the residuals r; for groups of one sequence that is the common one.
        """
        num = len(values)
        if self.groups is None:
            return float(values.std()) / math.sqrt(num) if num > 1 else None
        numbers = {name: number for number, name in enumerate(dict.fromkeys(self.groups))}
        group = torch.tensor([numbers[name] for name in self.groups])
        sums = torch.zeros(len(numbers), dtype=values.dtype).index_add_(0, group, values - values.mean())
        if len(numbers) < 2:
            return None
        return math.sqrt(len(numbers) / (len(numbers) - 1) * float(sums.square().sum())) / num

    def _bits(self, nats: Measurement, dims: int) -> Measurement:
        """Bits per dimension, lower is better, from raw-space nats per step."""
        scale = dims * math.log(2.0)
        kind: Kind = "upper_bound" if nats.kind == "lower_bound" else nats.kind
        error = nats.standard_error and nats.standard_error / scale
        noise = nats.monte_carlo_error and nats.monte_carlo_error / scale
        return Measurement(-nats.value / scale, error, nats.count, "bits per dimension", "raw", kind, noise, nats.over)


@judging
def evaluate(
    model: SequenceModel, objective: Objective, sequences: Sequences, *, batch_size: int, seed: int, step: int = 0
) -> Evaluation:
    """The plain bound of every sequence, the same for any batch size within float tolerance.

    Args:
      model: in any mode; it and the sequences are on one device.
      objective: which bound.
      sequences: one split.
      batch_size: rows at a time: sequences, each as often as the objective draws samples.
      seed: keys the noise, together with each sequence's number.
      step: passed to the objective, whose bound does not depend on it.
    """
    draws = torch.Generator(sequences.device).manual_seed(seed)
    kind, parts = objective.kind(model), InParts(model, batch_size)
    bounds = torch.zeros(len(sequences), dtype=torch.float64)
    kl = torch.zeros(int(sequences.lengths.max()), dtype=torch.float64, device=sequences.device)
    ess = torch.zeros_like(kl)
    variance: list[Tensor] = []
    followed = False
    for index in sequences.by_length(max(1, batch_size // objective.num_samples)):
        batch = sequences.batch(index, draws)
        noise = keyed_noise(seed, batch, objective.num_samples, objective.noise_dim(model))
        estimate = objective(parts, batch, step, noise)
        bounds[index] = estimate.bound.double().cpu()
        kl[: batch.steps] += estimate.kl.double().sum(0)
        if estimate.ess is not None:
            followed = True
            ess[: batch.steps] += estimate.ess.double().sum(0)
        variance += [] if estimate.variance is None else [estimate.variance.double().sum()]
    total = float(sum(variance)) if variance else None
    observed = sequences.observed_steps()
    found = Evaluation(bounds, sequences.lengths, kind, kl.cpu(), total, sequences.groups, observed)
    return replace(found, ess=ess.cpu()) if followed else found


def rows_within(model: SequenceModel, steps: int, memory: float) -> int:
    """Sequences (times samples) of so many steps that a forward pass can hold in `memory` bytes, at least 1.

    An estimate: every linear layer's output, for all steps at once, three times over for what is computed from it.
    """
    widths = [layer.out_features for layer in model.modules() if isinstance(layer, nn.Linear)]
    return max(1, int(memory / (3 * 4 * steps * sum(widths))))
