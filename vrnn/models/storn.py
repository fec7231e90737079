"""The stochastic recurrent network: an RNN with independent noise for a second input (Bayer and Osendorfer 2014)."""

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
from vrnn.nn import full_precision, mlp, output_layer


class STORNState(NamedTuple):
    """After step t - 1.

    Attributes:
      h: fields of the generating recurrence, packed [B, F, H].
      r: fields of the recognising recurrence, packed [B, F, H].
      x: what phi_x reads of x_{t-1} [B, D], with `mask_input` [B, 2 D].
    """

    h: Tensor
    r: Tensor
    x: Tensor


class Inputs(NamedTuple):
    """What needs no latent variable.

    Attributes:
      x: observations [B, T, D].
      phi_x: features of x_{t-1} [B, T, width].
      params: mean and raw standard deviation of the posterior [B, T, 2 Z].
      after: fields of the recognising recurrence, packed, after x_t [B, T, F, H].
      later: b_t, the state of the RNN that runs backwards in time [B, T, H]; [B, T, 0] where there is none.
      read: what phi_x reads of x_t [B, T, D], with `mask_input` [B, T, 2 D].
      observed: which values were observed [B, T, D]; None: all were.
    """

    x: Tensor
    phi_x: Tensor
    params: Tensor
    after: Tensor
    later: Tensor
    read: Tensor
    observed: Tensor | None = None


class STORN(LatentModel):
    """An RNN that reads independent standard normal noise beside its last output (arXiv 1411.7610).

        generative                           inference
        x_{t-1}   z_t                        x_t
             \\     |                          |
              v    v                          v
        h_{t-1} --> h_t                      r_{t-1} --> r_t    (and b_t <-- b_{t+1} with smoothing)
                    |                                     |
                    v                                     v
                   x_t                                   z_t

      prior        p(z_t) = N(0, I)                                section 3.1, the generating model
      recurrence   h_t = f(phi_x(x_{t-1}), phi_z(z_t), h_{t-1})
      emission     p(x_t | h_t)
      recognition  r_t = g(phi_x(x_t), r_{t-1})                    section 3.2, the recognition model
      posterior    q(z_t | x_1, ..., x_t) = N(mean, diag(std^2)) from r_t

    h_t has read z_t, so that the recurrence runs before the emission, unlike the VRNN's. The posterior of a step does
    not depend on the z of others: z, and with it h, are known of all steps without a loop. x_0, h_0 and r_0 are 0.

    With smoothing it reads [r_t; b_t], b_t = g'(phi_x(x_t), b_{t+1}) from each sequence's own end: the bidirectional
    variant. Where sequences are cut into chunks in time, h, r and x go on, but b_t reads no further than its chunk; the
    sum of the chunks' bounds is a lower bound on log p(x), looser than that of whole sequences.

    Args:
      x_dim: D.
      z_dim: Z.
      likelihood: maps the emission's output to p(x_t).
      recurrence: builds f from the widths of phi_x and phi_z, and g and g' from that of phi_x and 0.
      phi_x, phi_z, posterior, emission: widths of the hidden layers of each net, none for a linear one (phi_x and
        phi_z: the identity).
      smoothing: whether the posterior reads later steps as well.
      auxiliary: weight of the auxiliary cost of Z-forcing, see `Forcing`; 0: none.
      min_std: smallest standard deviation of the posterior, in units of z.
      sigma_bias: raw standard deviation that the posterior starts with; None: as `initialise` leaves it.
      initialise: sets the weights that the model starts with.
      mask_input: whether phi_x also reads which values were observed, so that it can tell a missing one from a 0.

    Raises:
      ValueError: a size below 1, min_std not positive, a likelihood of another x_dim, or an auxiliary cost without
        smoothing.
    """

    def __init__(
        self,
        x_dim: int,
        z_dim: int,
        likelihood: Likelihood,
        recurrence: Recurrences,
        phi_x: Sequence[int],
        phi_z: Sequence[int],
        posterior: Sequence[int],
        emission: Sequence[int],
        smoothing: bool = False,
        auxiliary: float = 0.0,
        min_std: float = 1e-4,
        sigma_bias: float | None = None,
        initialise: Callable[[nn.Module], None] = as_torch,
        mask_input: bool = False,
    ):
        super().__init__(x_dim, z_dim, likelihood, phi_x, min_std, mask_input)
        self.looks_ahead = smoothing
        self.phi_z = mlp(z_dim, phi_z)
        self.recurrence = recurrence(self.phi_x_dim, [z_dim, *phi_z][-1])
        self.recognition = recurrence(self.phi_x_dim, 0)
        self.backward_rnn = recurrence(self.phi_x_dim, 0) if smoothing else None
        h_dim = self.recurrence.h_dim
        self.posterior_net = mlp(2 * h_dim if smoothing else h_dim, posterior, 2 * z_dim)
        self.emission_net = mlp(h_dim, emission, likelihood.param_dim)
        self.forcing = Forcing.of(auxiliary, smoothing, z_dim, h_dim, emission)
        initialise(self)
        self.start_at([output_layer(self.posterior_net)], sigma_bias, output_layer(self.emission_net))

    def initial_state(self, batch_size: int) -> State:
        h = self.recurrence.packed(self.recurrence.initial_state(batch_size))
        return STORNState(h, h, h.new_zeros(batch_size, self.in_dim))

    def prepare(self, batch: Batch, state: State | None = None) -> Inputs:
        state = self.initial_state(batch.size) if state is None else state
        x = self.read(batch)
        phi_x = self.phi_x(torch.cat([state.x[:, None], x], 1))  # of x_0, ..., x_T
        states = self.recognition.unroll(phi_x[:, 1:], None, self.recognition.unpacked(state.r))
        known, later = states.h[:, 1:], batch.x[..., :0]
        if self.backward_rnn is not None:
            later = backwards(self.backward_rnn, phi_x[:, 1:], None, batch.lengths)
            known = torch.cat([known, later], -1)
        after = self.recognition.packed(states)[:, 1:]
        return Inputs(batch.x, phi_x[:, :-1], self.posterior_net(known), after, later, x, batch.observed)

    def advance(self, inputs: Inputs, state: STORNState, noise: Tensor) -> tuple[Drawn, STORNState]:
        posterior = self.normal(inputs.params)
        z = posterior.rsample(noise)
        h = self._next(inputs.phi_x, z, state.h)
        return Drawn(*posterior, z, h.h), STORNState(self.recurrence.packed(h), inputs.after, inputs.read)

    def unroll(self, inputs: Inputs, state: STORNState, noise: Tensor, lengths: Tensor) -> tuple[Drawn, STORNState]:
        posterior = self.normal(inputs.params)
        z = posterior.rsample(noise)
        states = self.recurrence.unroll(inputs.phi_x, self.phi_z(z), self.recurrence.unpacked(state.h))
        rows = torch.arange(len(lengths), device=lengths.device)
        r = torch.cat([state.r[:, None], inputs.after], 1)
        x = torch.cat([state.x[:, None], inputs.read], 1)
        end = STORNState(self.recurrence.packed(states)[rows, lengths], r[rows, lengths], x[rows, lengths])
        return Drawn(*posterior, z, states.h[:, 1:]), end

    def prior_of(self, inputs: Inputs, drawn: Drawn) -> DiagonalNormal:
        return DiagonalNormal(torch.zeros_like(drawn.loc), torch.ones_like(drawn.scale))

    def emission_of(self, inputs: Inputs, drawn: Drawn) -> Distribution:
        return self._emission(drawn.context)

    def draw(self, state: STORNState, generator: torch.Generator) -> tuple[Tensor, STORNState]:
        like = state.x
        z = torch.randn(len(like), self.z_dim, generator=generator, device=like.device, dtype=like.dtype)
        h = self._next(self.phi_x(state.x), z, state.h)
        x = self._emission(h.h).sample(generator)
        return x, STORNState(self.recurrence.packed(h), state.r, read(x, None, self.mask_input))

    def _next(self, phi_x: Tensor, z: Tensor, h: Tensor) -> State:
        """The recurrence's state after z_t, from features of x_{t-1} and its state before, packed."""
        return self.recurrence(self.recurrence.from_x(phi_x), self.phi_z(z), self.recurrence.unpacked(h))

    def _emission(self, h: Tensor) -> Distribution:
        """p(x_t | h_t), from h [..., H]."""
        return self.likelihood(full_precision(self.emission_net(h)))
