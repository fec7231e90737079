"""The variational recurrent neural network: a VAE at every step of an RNN (Chung et al. 2015, arXiv 1506.02216)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from vrnn.batch import Batch
from vrnn.distributions import DiagonalNormal, Distribution, kl_divergence
from vrnn.likelihoods.base import Likelihood, log_density
from vrnn.models.base import (
    Inference,
    SequenceModel,
    SequenceTerms,
    State,
    StepTerms,
    TimeLoop,
    read,
    state_at_lengths,
)
from vrnn.models.compiled import time_loop
from vrnn.models.fused import scan
from vrnn.models.initialisation import as_torch
from vrnn.models.recurrence import Recurrence
from vrnn.nn import JointMLP, full_precision, mlp, output_layer, positive, require_at_least


class Inputs(NamedTuple):
    """What is known of all steps before the time loop.

    Attributes:
      x: observations [B, T, D].
      posterior: part of phi_x in the posterior's first layer [B, T, first width].
      recurrence: part of phi_x in the gates of the recurrence [B, T, gates].
      observed: which values were observed [B, T, D]; None: all were.
    """

    x: Tensor
    posterior: Tensor
    recurrence: Tensor
    observed: Tensor | None = None


class Unrolled(NamedTuple):
    """What the time loop leaves behind: one step [B, ...] or all of them, time first [T, B, ...].

    Attributes:
      posterior: q(z_t | x_t, h_{t-1}).
      z: the sampled latent z_t.
      phi_z: its features.
      h: the recurrent state h_{t-1}.
    """

    posterior: DiagonalNormal
    z: Tensor
    phi_z: Tensor
    h: Tensor


class VRNN(SequenceModel):
    """Which formula of the paper each part is; h is h_{t-1} until `recurrence` has run.

      prior       p(z_t | h_{t-1}) = N(mean, diag(std^2))        eq. 5
      emission    p(x_t | phi_z(z_t), h_{t-1})                   eq. 6
      recurrence  h_t = f(phi_x(x_t), phi_z(z_t), h_{t-1})       eq. 7
      posterior   q(z_t | phi_x(x_t), h_{t-1})                   eq. 9

    With `prior="standard"` it is VRNN-I: z_t ~ N(0, I), independent of the past (section 5.1).

    In the time loop stand only posterior -> z -> phi_z -> recurrence; phi_x comes before it, and prior, emission, KL
    and log-likelihood come after it, over all steps at once. What was not observed is 0 for phi_x, and has no density.

    Args:
      x_dim: D.
      z_dim: Z.
      likelihood: maps the emission's output to p(x_t).
      recurrence: builds the recurrence from the widths of phi_x and phi_z.
      phi_x, phi_z, prior, posterior, emission: widths of the hidden layers of each net, none for a linear one
        (phi_x and phi_z: the identity). The paper's nets of depth 4 and width 500 are [500, 500, 500, 500].
      min_std: smallest standard deviation of prior and posterior, in units of z.
      sigma_bias: raw standard deviation that prior and posterior start with, the paper's code has 0.6; None: as
        `initialise` leaves it.
      initialise: sets the weights that the model starts with.
      mask_input: whether phi_x also reads which values were observed, so that it can tell a missing one from a 0.

    Raises:
      ValueError: a size below 1, min_std not positive, an unknown prior, or a likelihood of another x_dim.
    """

    def __init__(
        self,
        x_dim: int,
        z_dim: int,
        likelihood: Likelihood,
        recurrence: Callable[[int, int], Recurrence],
        phi_x: Sequence[int],
        phi_z: Sequence[int],
        prior: Sequence[int] | Literal["standard"],
        posterior: Sequence[int],
        emission: Sequence[int],
        min_std: float = 1e-4,
        sigma_bias: float | None = None,
        initialise: Callable[[nn.Module], None] = as_torch,
        mask_input: bool = False,
    ):
        super().__init__()
        require_at_least(1, x_dim=x_dim, z_dim=z_dim)
        if not min_std > 0.0:
            raise ValueError(f"min_std must be positive, got {min_std}: softplus alone can underflow to 0")
        if isinstance(prior, str) and prior != "standard":
            raise ValueError(f"prior must be a list of widths or 'standard', got {prior!r}")
        if likelihood.x_dim != x_dim:
            raise ValueError(f"the likelihood is for x_dim = {likelihood.x_dim}, the model for x_dim = {x_dim}")
        self.z_dim = z_dim
        self.min_std = min_std
        self.likelihood = likelihood
        self.mask_input = mask_input
        in_dim = 2 * x_dim if mask_input else x_dim
        phi_x_dim, phi_z_dim = [in_dim, *phi_x][-1], [z_dim, *phi_z][-1]
        self.recurrence = recurrence(phi_x_dim, phi_z_dim)
        h_dim = self.recurrence.h_dim
        self.phi_x = mlp(in_dim, phi_x)
        self.phi_z = mlp(z_dim, phi_z)
        self.prior_net = None if prior == "standard" else mlp(h_dim, prior, 2 * z_dim)
        self.posterior_net = JointMLP(phi_x_dim, h_dim, posterior, 2 * z_dim)
        self.emission_net = JointMLP(phi_z_dim, h_dim, emission, likelihood.param_dim)
        initialise(self)
        with torch.no_grad():
            if sigma_bias is not None:
                heads = [self.posterior_net.head] + ([] if self.prior_net is None else [output_layer(self.prior_net)])
                for head in heads:
                    head.bias[z_dim:] = sigma_bias
            self.emission_net.head.bias.copy_(likelihood.initial_params())

    def initial_state(self, batch_size: int) -> State:
        return self.recurrence.initial_state(batch_size)

    def prior(self, h: Tensor) -> DiagonalNormal:
        """p(z_t | h_{t-1}), from h [..., H]."""
        if self.prior_net is None:
            zeros = h.new_zeros(*h.shape[:-1], self.z_dim)
            return DiagonalNormal(zeros, torch.ones_like(zeros))
        return self._normal(self.prior_net(h))

    def emission(self, phi_z: Tensor, h: Tensor) -> Distribution:
        """p(x_t | z_t, h_{t-1}), from phi_z [..., width] and h [..., H]."""
        return self.likelihood(full_precision(self.emission_net(self.emission_net.from_a(phi_z), h)))

    def prepare(self, batch: Batch, state: State | None = None) -> Inputs:
        hoisted = self._hoist(read(batch.x, batch.observed, self.mask_input))
        return hoisted._replace(x=batch.x, observed=batch.observed)

    def step(self, inputs: Inputs, state: State, noise: Tensor) -> tuple[StepTerms, State]:
        unrolled, state = self._advance(inputs, state, noise)
        return StepTerms(*self._terms(inputs.x, unrolled, inputs.observed)), state

    def forward(self, batch: Batch, noise: Tensor, state: State | None = None) -> tuple[SequenceTerms, State]:
        unrolled, state = self._unroll(batch, noise, state)
        observed = None if batch.observed is None else batch.observed.transpose(0, 1)
        terms = self._terms(batch.x.transpose(0, 1), unrolled, observed)
        return SequenceTerms(*(term.transpose(0, 1) for term in terms)), state

    @torch.no_grad()
    def sample(self, num: int, steps: int, generator: torch.Generator, prefix: Batch | None = None) -> Tensor:
        state = self.initial_state(num)
        if prefix is not None:
            self.require_prefix(num, prefix)
            shape = (num, prefix.steps, self.z_dim)
            noise = torch.randn(shape, generator=generator, device=state.h.device, dtype=state.h.dtype)
            _, state = self._unroll(prefix, noise, state)
        drawn = []
        for _ in range(steps):
            phi_z = self.phi_z(self.prior(state.h).sample(generator))
            drawn.append(self.emission(phi_z, state.h).sample(generator))
            state = self.recurrence(
                self.recurrence.from_x(self.phi_x(read(drawn[-1], None, self.mask_input))), phi_z, state
            )
        return torch.stack(drawn, 1)  # [num, steps, D]

    def reconstruct(self, batch: Batch, noise: Tensor) -> Distribution:
        unrolled, _ = self._unroll(batch, noise, None)
        return self.emission(unrolled.phi_z.transpose(0, 1), unrolled.h.transpose(0, 1))

    def infer(self, batch: Batch, noise: Tensor) -> Inference:
        (posterior, *rest), _ = self._unroll(batch, noise, None)
        z, phi_z, h = (field.transpose(0, 1) for field in rest)
        posterior = DiagonalNormal(*(field.transpose(0, 1) for field in posterior))
        return Inference(posterior, self.prior(h), z, self.emission(phi_z, h))

    def time_loop(self, products: torch.dtype | None = None) -> TimeLoop:
        return time_loop(self.loop, self.recurrence.fused, self.recurrence.from_h.weight, products)

    def _hoist(self, x: Tensor) -> Inputs:
        """What does not depend on the past, from what phi_x reads."""
        phi_x = self.phi_x(x)
        return Inputs(x, self.posterior_net.from_a(phi_x), self.recurrence.from_x(phi_x))

    def _normal(self, params: Tensor) -> DiagonalNormal:
        mean, raw = full_precision(params).chunk(2, -1)
        return DiagonalNormal(mean, positive(raw, self.min_std))

    def _advance(self, inputs: Inputs, state: State, noise: Tensor) -> tuple[Unrolled, State]:
        """The part of one step that the next one needs: posterior -> z -> phi_z -> recurrence."""
        posterior = self._normal(self.posterior_net(inputs.posterior, state.h))
        z = posterior.rsample(noise)
        phi_z = self.phi_z(z)
        return Unrolled(posterior, z, phi_z, state.h), self.recurrence(inputs.recurrence, phi_z, state)

    def _unroll(self, batch: Batch, noise: Tensor, state: State | None) -> tuple[Unrolled, State]:
        """The time loop over all steps, time first, and the state of each sequence after its own last step."""
        x = read(batch.x, batch.observed, self.mask_input)
        x, noise = x.transpose(0, 1).contiguous(), noise.transpose(0, 1).contiguous()
        state = self.initial_state(batch.size) if state is None else state
        readable = self.recurrence.fused is None or torch.compiler.is_compiling()
        loop = self._loop if readable else self._fused_loop
        whole, before, last = loop(x, noise, state)
        return whole, state_at_lengths(before, last, batch.lengths)

    def _fused_loop(self, x: Tensor, noise: Tensor, state: State) -> tuple[Unrolled, State, State]:
        """What `_loop` returns, by a function of its own; see `vrnn.models.fused`."""
        found = scan(
            self.posterior_net, self.phi_z, self.recurrence, self.phi_x(x), noise, state, self.min_std, self.loop
        )
        before, last = type(state)(*found.before), type(state)(*found.last)
        return Unrolled(self._normal(found.params), found.z, found.phi_z, before.h), before, last

    def _loop(self, x: Tensor, noise: Tensor, state: State) -> tuple[Unrolled, State, State]:
        """The specification of the time loop: all steps, the states before them, and the state after the last."""
        unrolled, states = [], []
        for *fields, step_noise in zip(*self._hoist(x)[:3], noise, strict=True):
            states.append(state)
            step, state = self._advance(Inputs(*fields), state, step_noise)
            unrolled.append(step)
        posteriors, z, phi_z, _ = zip(*unrolled, strict=True)
        posterior = DiagonalNormal(*(torch.stack(field) for field in zip(*posteriors, strict=True)))
        before = type(state)(*(torch.stack(field) for field in zip(*states, strict=True)))
        return Unrolled(posterior, torch.stack(z), torch.stack(phi_z), before.h), before, state

    def _terms(self, x: Tensor, unrolled: Unrolled, observed: Tensor | None = None) -> tuple[Tensor, Tensor, Tensor]:
        """log_px, kl and log_ratio, of one step [B] or of all [B, T]."""
        posterior, z, phi_z, h = unrolled
        prior = self.prior(h)
        log_ratio = prior.log_prob(z) - posterior.log_prob(z)
        log_px = log_density(self.emission(phi_z, h), x, observed)
        return log_px, kl_divergence(posterior, prior), log_ratio
