"""The bound of a particle filter (Maddison et al. 2017, "Filtering Variational Objectives", arXiv 1705.09279)."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, Literal, NamedTuple

import torch
from torch import Tensor
from torch.utils._pytree import tree_map

from vrnn.batch import Batch
from vrnn.models.base import Forward, SequenceModel, State
from vrnn.nn import require_at_least
from vrnn.objectives.base import Estimate, Kind, Objective, totals
from vrnn.resampling import Resample, multinomial, systematic

RESAMPLING: dict[str, Resample] = {"multinomial": multinomial, "systematic": systematic}


class Particles(NamedTuple):
    """K particles of each sequence.

    Attributes:
      state: the model's state of each, particle k of sequence b in row b K + k [B * K, ...].
      log_weights: log W, normalised over the particles of a sequence [B, K].
    """

    state: State
    log_weights: Tensor


class Step(NamedTuple):
    """What one step of the filter says.

    Attributes:
      increment: log p_hat(x_t | x_<t) = log sum_k W_{t-1}^k alpha_t^k [B], the mean of the incremental weights alpha_t.
      kl: mean over the particles of KL(q(z_t) || p(z_t)) [B].
      ess: effective sample size 1 / sum_k (W_t^k)^2 [B], in 1..K (Kong, Liu and Wong 1994), after x_t was weighted.
    """

    increment: Tensor
    kl: Tensor
    ess: Tensor


class FIVO(Objective):
    """log p_hat(x) = sum_t log sum_k W_{t-1}^k alpha_t^k of a particle filter (Maddison et al. 2017, algorithm 1).

    alpha_t^k = p(x_t | z_t^k) p(z_t^k | past) / q(z_t^k | x_t, past) with z_t^k from q. Where the effective sample size
    has fallen below `ess_threshold` K, particles are resampled before the next step: those of small weight end, those
    of large weight go on more than once, and all have the weight 1/K. p_hat is unbiased, so the expectation of its log
    is a lower bound, whose gap grows with T, and not with the exponential of T as that of IWAE. With one particle, and
    where nothing is ever resampled, it is IWAE. For a model without latent variables it is exact.

    The noise has a column more than z: Phi of it is the uniform number that resampling needs.

    Departures from the paper: the weights are kept as logarithms, and a sequence that has ended keeps its particles.

    Args:
      num_samples: K, the particles.
      resampling: how ancestors are drawn, see `vrnn.resampling`.
      ess_threshold: share of K below which particles are resampled; 0: never, 1: at every step.
      resampling_gradient: adds the score-function term of the ancestors to the gradient (eq. 8 there), whose variance
        is large; without it the gradient is biased, and in the paper trains better. Each draw is credited with the
        increments after it alone, since none before depends on it.

    Raises:
      ValueError: num_samples below 1, an unknown resampling, a threshold outside 0..1, or the gradient of systematic
        resampling, whose draws have no probability of their own.
    """

    name = "fivo"

    def __init__(
        self,
        num_samples: int,
        resampling: Literal["multinomial", "systematic"] = "systematic",
        ess_threshold: float = 0.5,
        resampling_gradient: bool = False,
    ):
        require_at_least(1, num_samples=num_samples)
        if resampling not in RESAMPLING:
            raise ValueError(f"resampling must be {' or '.join(RESAMPLING)}, got {resampling!r}")
        if not 0.0 <= ess_threshold <= 1.0:
            raise ValueError(f"ess_threshold must lie between 0 (never) and 1 (at every step), got {ess_threshold}")
        if resampling_gradient and resampling != "multinomial":
            raise ValueError("resampling_gradient needs resampling=multinomial: only there is each ancestor a draw")
        self.num_samples = num_samples
        self.ancestors = RESAMPLING[resampling]
        self.ess_threshold = ess_threshold
        self.resampling_gradient = resampling_gradient

    def __call__(self, model: Forward, batch: Batch, step: int, noise: Tensor, state: tuple | None = None) -> Estimate:
        samples, real = self.num_samples, batch.mask.unbind(1)
        uniforms = torch.special.ndtr(noise[..., -1]).unflatten(0, (-1, samples)).unbind(2)  # T of [B, K]
        found: list[Step] = []
        drawn: list[Tensor] = []
        particles = self.start(model, batch) if state is None else Particles(*state)
        inputs = model.prepare(batch, tree_map(lambda field: field[::samples], particles.state))  # what all share
        each = zip(by_step(inputs, samples), noise[..., :-1].unbind(1), uniforms, real, strict=True)
        for own, eps, uniform, on in each:
            particles, log_ancestors = self.resampled(particles, uniform, on)
            particles, told = self.advanced(model, particles, own, eps, on)
            found.append(told)
            drawn.append(log_ancestors)
        increment, kl, ess = (torch.stack(field, 1) for field in zip(*found, strict=True))  # [B, T] each
        bound = increment.sum(1)
        kl, ess = (torch.where(batch.mask, field.detach(), 0.0) for field in (kl, ess))
        sums = totals(bound.detach(), kl.sum(1), batch)
        gained = bound
        if self.resampling_gradient:
            later = increment.detach().flip(1).cumsum(1).flip(1)  # from this step on
            gained = bound + (torch.stack(drawn, 1) * later).sum(1)
        return Estimate(-gained.sum() / sums["steps"], bound.detach(), sums, particles, kl, ess=ess)

    def start(self, model: Forward, batch: Batch) -> Particles:
        """All particles of each sequence in the initial state, with equal weights."""
        equal = batch.x.new_full((batch.size, self.num_samples), -math.log(self.num_samples))
        return Particles(model.initial_state(batch.size * self.num_samples), equal)

    def resampled(self, particles: Particles, uniforms: Tensor, on: Tensor) -> tuple[Particles, Tensor]:
        """The particles before a step, and the log probability of those that were drawn [B].

        Args:
          particles: after the step before.
          uniforms: in [0, 1] [B, K].
          on: whether the sequence has this step [B].
        """
        state, log_weights = particles
        nothing = torch.zeros_like(log_weights[:, 0])
        if self.num_samples == 1 or self.ess_threshold == 0.0:
            return particles, nothing
        wanted = on & (effective_sample_size(log_weights) < self.ess_threshold * self.num_samples)  # [B]
        stay = torch.arange(self.num_samples, device=on.device).expand_as(log_weights)
        drawn = torch.where(wanted[:, None], self.ancestors(log_weights.detach().exp(), uniforms), stay)  # [B, K]
        rows = (drawn + self.num_samples * torch.arange(len(on), device=on.device)[:, None]).flatten()
        log_ancestors = torch.where(wanted, log_weights.gather(1, drawn).sum(1), nothing)
        equal = log_weights.new_full((), -math.log(self.num_samples))
        weights = torch.where(wanted[:, None], equal, log_weights)
        return Particles(tree_map(lambda field: field[rows], state), weights), log_ancestors

    def advanced(
        self, model: Forward, particles: Particles, inputs: Any, eps: Tensor, on: Tensor
    ) -> tuple[Particles, Step]:
        """One step of all particles, weighted by what they say of x_t.

        Args:
          model: whose step it is.
          particles: before it.
          inputs: of this step, each sequence's as often as it has particles [B * K, ...].
          eps: noise of z_t [B * K, Z].
          on: whether the sequence has this step [B]; where not, its weights stay.
        """
        terms, state = model.step(inputs, particles.state, eps)
        log_alpha = (terms.log_px + terms.log_ratio).view_as(particles.log_weights)
        joint = particles.log_weights + torch.where(on[:, None], log_alpha, 0.0)  # [B, K]
        increment = torch.where(on, joint.logsumexp(1), 0.0)
        log_weights = joint - increment[:, None]
        kl = terms.kl.view_as(log_weights).mean(1)
        return Particles(state, log_weights), Step(increment, kl, effective_sample_size(log_weights))

    def noise_dim(self, model: SequenceModel) -> int:
        return model.z_dim + 1

    def weights(self, step: int) -> tuple[()]:
        return ()

    def kind(self, model: SequenceModel) -> Kind:
        return "estimate" if model.z_dim else "exact"


def by_step(inputs: Any, samples: int) -> Iterator[Any]:
    """The prepared inputs of each step, those of each sequence as often as it has particles [B * K, ...].

    All steps are taken apart at once, so that the backward pass puts them together once.
    """
    steps = (itertools.repeat(None) if field is None else field.unbind(1) for field in inputs)
    for fields in zip(*steps, strict=False):
        parts: list[Any] = [None if field is None else field.repeat_interleave(samples, 0) for field in fields]
        yield type(inputs)(*parts)


def effective_sample_size(log_weights: Tensor) -> Tensor:
    """1 / sum_k W_k^2 [B], in 1..K, from normalised log weights [B, K]; it carries no gradient."""
    return (-(2.0 * log_weights.detach()).logsumexp(1)).exp()
