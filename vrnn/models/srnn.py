"""The stochastic recurrent neural network: a state-space model on top of an RNN (Fraccaro et al. 2016)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vrnn.batch import Batch
from vrnn.distributions import DiagonalNormal, Distribution
from vrnn.likelihoods.base import Likelihood
from vrnn.models.base import State, read
from vrnn.models.initialisation import as_torch
from vrnn.models.latent import Drawn, Forcing, LatentModel, Recurrences, backwards
from vrnn.nn import JointMLP, full_precision, mlp


class SRNNState(NamedTuple):
    """h: fields of the recurrence, packed, after x_{t-1} [B, F, H]; z: z_{t-1} [B, Z]."""

    h: Tensor
    z: Tensor


class Inputs(NamedTuple):
    """What needs no latent variable.

    Attributes:
      x: observations [B, T, D].
      h: h_{t-1} [B, T, H].
      after: fields of the recurrence, packed, after x_t [B, T, F, H].
      prior: part of h in the prior's first layer [B, T, first width].
      posterior: part of a in the posterior's first layer [B, T, first width].
      later: a [B, T, width].
      observed: which values were observed [B, T, D]; None: all were.
    """

    x: Tensor
    h: Tensor
    after: Tensor
    prior: Tensor
    posterior: Tensor
    later: Tensor
    observed: Tensor | None = None


class SRNN(LatentModel):
    """The latent variables are a Markov chain given an RNN over x, and z never enters that RNN (arXiv 1605.07571).

    The paper's d_t, which has read u_t = x_{t-1}, is h_{t-1} here.

        generative                             inference
        x_{t-1} --> h_{t-1} --> h_t            h_{t-1}, x_t --> a_t <-- a_{t+1}   (smoothing)
                      |   \\                    h_{t-1}, x_t --> a_t               (filtering)
                      v    v
        z_{t-1} -->  z_t   |                             a_t
                      |    |                              |
                      v    v                              v
                       x_t                     z_{t-1} --> z_t

      recurrence  h_t = f(phi_x(x_t), h_{t-1})                      section 3, "generative model"
      prior       p(z_t | z_{t-1}, h_{t-1}) = N(mean, diag(std^2))
      emission    p(x_t | z_t, h_{t-1})
      smoothing   a_t = g(a_{t+1}, [h_{t-1}; phi_x(x_t)])           section 3.2, "inference network"
      filtering   a_t = net([h_{t-1}; phi_x(x_t)])
      posterior   q(z_t | z_{t-1}, a_t) = N(mean, diag(std^2))
      residual    its mean is the prior's plus a net's of z_{t-1} and a_t (section 3.2, Algorithm 1, Res_q)

    z_0 and h_0 are 0. The smoothing posterior reads each sequence to its own end. Where sequences are cut into chunks
    in time, h and z go on, but a_t reads no further than its chunk: each chunk has a bound of its own, given the z that
    the chunk before it drew, and their sum is a lower bound on log p(x), looser than that of whole sequences.

    Args:
      x_dim: D.
      z_dim: Z.
      likelihood: maps the emission's output to p(x_t).
      recurrence: builds f from the width of phi_x, and g from the widths of phi_x and h.
      phi_x, prior, posterior, emission: widths of the hidden layers of each net, none for a linear one (phi_x: the
        identity).
      encoder: widths of the net that a_t is in the filtering posterior; at least one.
      smoothing: whether the posterior reads x_t, ..., x_T, or x_t alone beside the past.
      residual: whether the posterior's mean is relative to the prior's.
      auxiliary: weight of the auxiliary cost of Z-forcing, see `Forcing`; 0: none.
      min_std: smallest standard deviation of prior and posterior, in units of z.
      sigma_bias: raw standard deviation that prior and posterior start with; None: as `initialise` leaves it.
      initialise: sets the weights that the model starts with.
      mask_input: whether phi_x also reads which values were observed, so that it can tell a missing one from a 0.

    Raises:
      ValueError: a size below 1, min_std not positive, a likelihood of another x_dim, no encoder, or an auxiliary cost
        without smoothing.
    """

    def __init__(
        self,
        x_dim: int,
        z_dim: int,
        likelihood: Likelihood,
        recurrence: Recurrences,
        phi_x: Sequence[int],
        prior: Sequence[int],
        posterior: Sequence[int],
        emission: Sequence[int],
        encoder: Sequence[int],
        smoothing: bool = True,
        residual: bool = True,
        auxiliary: float = 0.0,
        min_std: float = 1e-4,
        sigma_bias: float | None = None,
        initialise: Callable[[nn.Module], None] = as_torch,
        mask_input: bool = False,
    ):
        super().__init__(x_dim, z_dim, likelihood, phi_x, min_std, mask_input)
        if not encoder:
            raise ValueError("encoder must have at least one width, got none")
        self.looks_ahead = smoothing
        self.residual = residual
        self.recurrence = recurrence(self.phi_x_dim, 0)
        h_dim = self.recurrence.h_dim
        self.backward_rnn = recurrence(self.phi_x_dim, h_dim) if smoothing else None
        self.encoder = None if smoothing else mlp(self.phi_x_dim + h_dim, encoder)
        a_dim = h_dim if smoothing else encoder[-1]
        self.prior_net = JointMLP(h_dim, z_dim, prior, 2 * z_dim)
        self.posterior_net = JointMLP(a_dim, z_dim, posterior, 2 * z_dim)
        self.emission_net = JointMLP(h_dim, z_dim, emission, likelihood.param_dim)
        self.forcing = Forcing.of(auxiliary, smoothing, z_dim, a_dim, emission)
        initialise(self)
        self.start_at([self.prior_net.head, self.posterior_net.head], sigma_bias, self.emission_net.head)

    def initial_state(self, batch_size: int) -> State:
        h = self.recurrence.packed(self.recurrence.initial_state(batch_size))
        return SRNNState(h, h.new_zeros(batch_size, self.z_dim))

    def prepare(self, batch: Batch, state: State | None = None) -> Inputs:
        state = self.initial_state(batch.size) if state is None else state
        phi_x = self.phi_x(self.read(batch))
        states = self.recurrence.unroll(phi_x, None, self.recurrence.unpacked(state.h))
        h, after = states.h[:, :-1], self.recurrence.packed(states)[:, 1:]
        if self.backward_rnn is not None:
            later = backwards(self.backward_rnn, phi_x, h, batch.lengths)
        elif self.encoder is not None:
            later = self.encoder(torch.cat([phi_x, h], -1))
        prior, posterior = self.prior_net.from_a(h), self.posterior_net.from_a(later)
        return Inputs(batch.x, h, after, prior, posterior, later, batch.observed)

    def advance(self, inputs: Inputs, state: SRNNState, noise: Tensor) -> tuple[Drawn, SRNNState]:
        prior = self.normal(self.prior_net(inputs.prior, state.z))
        posterior = self.normal(self.posterior_net(inputs.posterior, state.z))
        if self.residual:
            posterior = posterior._replace(loc=prior.loc + posterior.loc)
        z = posterior.rsample(noise)
        return Drawn(*posterior, z, torch.cat(prior, -1)), SRNNState(inputs.after, z)

    def prior_of(self, inputs: Inputs, drawn: Drawn) -> DiagonalNormal:
        return DiagonalNormal(*drawn.context.chunk(2, -1))

    def emission_of(self, inputs: Inputs, drawn: Drawn) -> Distribution:
        return self._emission(inputs.h, drawn.z)

    def draw(self, state: SRNNState, generator: torch.Generator) -> tuple[Tensor, SRNNState]:
        before = self.recurrence.unpacked(state.h)
        z = self.normal(self.prior_net(self.prior_net.from_a(before.h), state.z)).sample(generator)
        x = self._emission(before.h, z).sample(generator)
        after = self.recurrence(self.recurrence.from_x(self.phi_x(read(x, None, self.mask_input))), None, before)
        return x, SRNNState(self.recurrence.packed(after), z)

    def _emission(self, h: Tensor, z: Tensor) -> Distribution:
        """p(x_t | z_t, h_{t-1}), from h [..., H] and z [..., Z]."""
        return self.likelihood(full_precision(self.emission_net(self.emission_net.from_a(h), z)))
