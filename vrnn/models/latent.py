"""What models with latent variables share whose time loop draws z and nothing more: SRNN, STORN, DKF.

A model says how a step is drawn from its posterior (`advance`), what its prior and its emission are, and how a step is
drawn from the prior (`draw`); terms, bounds, samples and reconstructions follow.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from vrnn.batch import Batch
from vrnn.distributions import DiagonalNormal, Distribution, kl_divergence
from vrnn.likelihoods.base import Likelihood, log_density
from vrnn.models.base import Inference, SequenceModel, SequenceTerms, State, StepTerms, at, read, state_at_lengths
from vrnn.models.recurrence import Recurrence
from vrnn.nn import full_precision, mlp, positive, require_at_least


class Drawn(NamedTuple):
    """What the posterior leaves behind: of one step [B, ...] or of all [B, T, ...].

    Attributes:
      loc, scale: of the posterior [..., Z].
      z: the sampled latents [..., Z].
      context: what else the model's prior or emission needs of the step [..., width].
    """

    loc: Tensor
    scale: Tensor
    z: Tensor
    context: Tensor

    @property
    def posterior(self) -> DiagonalNormal:
        return DiagonalNormal(self.loc, self.scale)


class LatentModel(SequenceModel):
    """The parts that follow from `advance`, `prior_of`, `emission_of` and `draw`.

    Args:
      x_dim: D.
      z_dim: Z.
      likelihood: maps the emission's output to p(x_t).
      phi_x: widths of the hidden layers of the features of x; none: the identity.
      min_std: smallest standard deviation of prior and posterior, in units of z.
      mask_input: whether phi_x also reads which values were observed, so that it can tell a missing one from a 0.

    Attributes:
      in_dim: width of what phi_x reads.
      phi_x_dim: width of the features.
      forcing: the auxiliary cost, see `Forcing`; None: there is none.

    Raises:
      ValueError: a size below 1, min_std not positive, or a likelihood of another x_dim.
    """

    forcing: Forcing | None

    def __init__(
        self, x_dim: int, z_dim: int, likelihood: Likelihood, phi_x: Sequence[int], min_std: float, mask_input: bool
    ):
        super().__init__()
        require_at_least(1, x_dim=x_dim, z_dim=z_dim)
        if not min_std > 0.0:
            raise ValueError(f"min_std must be positive, got {min_std}: softplus alone can underflow to 0")
        if likelihood.x_dim != x_dim:
            raise ValueError(f"the likelihood is for x_dim = {likelihood.x_dim}, the model for x_dim = {x_dim}")
        self.z_dim = z_dim
        self.min_std = min_std
        self.likelihood = likelihood
        self.mask_input = mask_input
        self.in_dim = 2 * x_dim if mask_input else x_dim
        self.phi_x = mlp(self.in_dim, phi_x)
        self.phi_x_dim = [self.in_dim, *phi_x][-1]

    def read(self, batch: Batch) -> Tensor:
        """What phi_x reads of a batch [B, T, in_dim]."""
        return read(batch.x, batch.observed, self.mask_input)

    @abstractmethod
    def advance(self, inputs: Any, state: State, noise: Tensor) -> tuple[Drawn, State]:
        """One step of the posterior: inputs and state [B, ...], noise [B, Z] -> what it leaves, and the next state."""

    @abstractmethod
    def prior_of(self, inputs: Any, drawn: Drawn) -> DiagonalNormal:
        """p(z_t | past) of one step [B, Z] or of all [B, T, Z]."""

    @abstractmethod
    def emission_of(self, inputs: Any, drawn: Drawn) -> Distribution:
        """p(x_t | z_t, past) of one step [B, D] or of all [B, T, D]."""

    @abstractmethod
    def draw(self, state: State, generator: torch.Generator) -> tuple[Tensor, State]:
        """One step of the prior: state [B, ...] -> x [B, D], and the next state as far as further draws need it."""

    def unroll(self, inputs: Any, state: State, noise: Tensor, lengths: Tensor) -> tuple[Drawn, State]:
        """`advance` over all steps [B, T, ...], and the state of each sequence after its own last step."""
        drawn, states = [], []
        for t, eps in enumerate(noise.unbind(1)):
            states.append(state)
            one, state = self.advance(at(inputs, t), state, eps)
            drawn.append(one)
        before = type(state)(*(torch.stack(field) for field in zip(*states, strict=True)))
        found = Drawn(*(torch.stack(field, 1) for field in zip(*drawn, strict=True)))
        return found, state_at_lengths(before, state, lengths)

    def step(self, inputs: Any, state: State, noise: Tensor) -> tuple[StepTerms, State]:
        drawn, state = self.advance(inputs, state, noise)
        return StepTerms(*self._terms(inputs, drawn)), state

    def forward(self, batch: Batch, noise: Tensor, state: State | None = None) -> tuple[SequenceTerms, State]:
        inputs, drawn, state = self._infer(batch, noise, state)
        return SequenceTerms(*self._terms(inputs, drawn)), state

    @torch.no_grad()
    def sample(self, num: int, steps: int, generator: torch.Generator, prefix: Batch | None = None) -> Tensor:
        state = self.initial_state(num)
        if prefix is not None:
            self.require_prefix(num, prefix)
            shape = (num, prefix.steps, self.z_dim)
            like: Tensor = state[0]
            noise = torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)
            _, _, state = self._infer(prefix, noise, state)
        drawn = []
        for _ in range(steps):
            x, state = self.draw(state, generator)
            drawn.append(x)
        return torch.stack(drawn, 1)  # [num, steps, D]

    def reconstruct(self, batch: Batch, noise: Tensor) -> Distribution:
        inputs, drawn, _ = self._infer(batch, noise, None)
        return self.emission_of(inputs, drawn)

    def infer(self, batch: Batch, noise: Tensor) -> Inference:
        inputs, drawn, _ = self._infer(batch, noise, None)
        return Inference(drawn.posterior, self.prior_of(inputs, drawn), drawn.z, self.emission_of(inputs, drawn))

    def normal(self, params: Tensor) -> DiagonalNormal:
        """From mean and raw standard deviation [..., 2 Z]."""
        mean, raw = full_precision(params).chunk(2, -1)
        return DiagonalNormal(mean, positive(raw, self.min_std))

    def start_at(self, heads: Iterable[nn.Linear], sigma_bias: float | None, emission: nn.Linear) -> None:
        """Sets the raw standard deviations of heads of 2 Z, unless None, and the likelihood's initial parameters."""
        with torch.no_grad():
            if sigma_bias is not None:
                for head in heads:
                    head.bias[self.z_dim :] = sigma_bias
            emission.bias.copy_(self.likelihood.initial_params())

    def _infer(self, batch: Batch, noise: Tensor, state: State | None) -> tuple[Any, Drawn, State]:
        state = self.initial_state(batch.size) if state is None else state
        inputs = self.prepare(batch, state)
        return inputs, *self.unroll(inputs, state, noise, batch.lengths)

    def _terms(self, inputs: Any, drawn: Drawn) -> tuple[Tensor, Tensor, Tensor]:
        """log_px, kl and log_ratio, of one step [B] or of all [B, T]."""
        prior, posterior = self.prior_of(inputs, drawn), drawn.posterior
        log_px = log_density(self.emission_of(inputs, drawn), inputs.x, inputs.observed)
        if self.forcing is not None and torch.is_grad_enabled():
            log_px = self.forcing(log_px, drawn.z, inputs.later)
        log_ratio = prior.log_prob(drawn.z) - posterior.log_prob(drawn.z)
        return log_px, kl_divergence(posterior, prior), log_ratio


class Forcing(nn.Module):
    """The auxiliary cost of Z-forcing, - weight log p(b_t | z_t) per step (Goyal et al. 2017, arXiv 1711.05411).

    z_t is to tell the state b_t of the RNN that runs backwards in time: p(b_t | z_t) is a diagonal normal whose mean
    and standard deviation are a net's. No gradient flows into b_t, as in the authors' code. What is added to log_px is
    the cost less its own value, so that its gradient is trained on by every objective and no bound has it in it.

    Args:
      z_dim: Z.
      h_dim: H, the size of b_t.
      widths: of the net's hidden layers.
      weight: of the cost, in nats per nat; it must be positive.
      min_std: smallest standard deviation, in units of b.

    Raises:
      ValueError: weight not positive.
    """

    def __init__(self, z_dim: int, h_dim: int, widths: Iterable[int], weight: float, min_std: float = 1e-2):
        super().__init__()
        if not weight > 0.0:
            raise ValueError(f"auxiliary must be at least 0, got {weight}")
        self.net = mlp(z_dim, [*widths], 2 * h_dim)
        self.weight = weight
        self.min_std = min_std

    @classmethod
    def of(cls, weight: float, looks_ahead: bool, z_dim: int, h_dim: int, widths: Iterable[int]) -> Forcing | None:
        """With this weight, or none where it is 0.

        Raises:
          ValueError: the weight is negative, or the posterior does not look ahead.
        """
        if weight == 0.0:
            return None
        if not looks_ahead:
            raise ValueError(f"auxiliary must be 0 where no RNN runs backwards in time, got {weight}")
        return cls(z_dim, h_dim, widths, weight)

    def forward(self, log_px: Tensor, z: Tensor, later: Tensor) -> Tensor:
        """log_px [...], z [..., Z], b [..., H] -> log_px, with the gradient of the cost."""
        mean, raw = full_precision(self.net(z)).chunk(2, -1)
        cost = self.weight * DiagonalNormal(mean, positive(raw, self.min_std)).log_prob(later.detach())
        return log_px + (cost - cost.detach())


def backwards(recurrence: Recurrence, phi_x: Tensor, beside: Tensor | None, lengths: Tensor) -> Tensor:
    """An RNN from each sequence's own last step to its first: h after steps T, ..., t [B, T, H].

    Args:
      recurrence: run from its initial state.
      phi_x: its input [B, T, width].
      beside: its second input [B, T, width]; None: there is none.
      lengths: steps of each sequence [B]; what is returned for later steps says nothing.
    """
    size, steps = phi_x.shape[:2]
    t = torch.arange(steps, device=phi_x.device)
    last = lengths[:, None] - 1
    order = torch.where(t <= last, last - t, t)  # [B, T], its own inverse

    def reversed_(values: Tensor) -> Tensor:
        return values.take_along_dim(order[..., None], 1)

    second = None if beside is None else reversed_(beside)
    return reversed_(recurrence.outputs(reversed_(phi_x), second, recurrence.initial_state(size)))


Recurrences = Callable[[int, int], Recurrence]  # builds one from the widths of its two inputs
