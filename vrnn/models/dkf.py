"""The deep Kalman filter or deep Markov model: a nonlinear state-space model (Krishnan et al. 2015 and 2017)."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor, nn

from vrnn.batch import Batch
from vrnn.distributions import DiagonalNormal, Distribution
from vrnn.likelihoods.base import Likelihood
from vrnn.models.base import State
from vrnn.models.initialisation import as_torch
from vrnn.models.latent import Drawn, Forcing, LatentModel, Recurrences, backwards
from vrnn.nn import full_precision, inverse_positive, mlp, output_layer


class DKFState(NamedTuple):
    """After step t - 1.

    Attributes:
      z: z_{t-1} [B, Z].
      left: fields of the forward RNN, packed [B, F, H], F = 0 without one.
      begun: 1, and before the first step 0 [B, 1].
    """

    z: Tensor
    left: Tensor
    begun: Tensor


class Inputs(NamedTuple):
    """What needs no latent variable.

    Attributes:
      x: observations [B, T, D].
      h: sum of the states of the inference network's RNNs [B, T, H].
      after: fields of the forward RNN, packed, after x_t [B, T, F, H], F = 0 without one.
      later: the backward RNN's state b_t [B, T, H]; [B, T, 0] where there is none.
      observed: which values were observed [B, T, D]; None: all were.
    """

    x: Tensor
    h: Tensor
    after: Tensor
    later: Tensor
    observed: Tensor | None = None


class GatedTransition(nn.Module):
    """p(z_t | z_{t-1}), nonlinear as far as its gate is open (arXiv 1609.09869, "gated transition function").

      gate      g = sigmoid(net(z_{t-1}))
      proposed  h = net(z_{t-1})
      mean      (1 - g) (W z_{t-1} + b) + g h    W starts at the identity, b at 0
      raw std   W' relu(h) + b'

    Args:
      z_dim: Z.
      widths: of the hidden layers of both nets.
    """

    def __init__(self, z_dim: int, widths: Sequence[int]):
        super().__init__()
        self.gate = mlp(z_dim, widths, z_dim)
        self.proposed = mlp(z_dim, widths, z_dim)
        self.linear = nn.Linear(z_dim, z_dim)
        self.raw_std = nn.Linear(z_dim, z_dim)

    def forward(self, z: Tensor) -> Tensor:
        """z_{t-1} [..., Z] -> mean and raw standard deviation of z_t [..., 2 Z]."""
        proposed = self.proposed(z)
        mean = torch.lerp(self.linear(z), proposed, self.gate(z).sigmoid())
        return torch.cat([mean, self.raw_std(proposed.relu())], -1)

    @torch.no_grad()
    def start_at(self, sigma_bias: float | None) -> None:
        """The linear part at the identity, and the raw standard deviation at this bias, unless None."""
        nn.init.eye_(self.linear.weight)
        nn.init.zeros_(self.linear.bias)
        if sigma_bias is not None:
            self.raw_std.bias.fill_(sigma_bias)


class DKF(LatentModel):
    """Latent variables that are a Markov chain, each observation read off its own (arXiv 1511.05121, 1609.09869).

        generative                inference
        z_{t-1} --> z_t           l_{t-1} --> l_t  (left)      b_t <-- b_{t+1}  (right)
                     |                         |                |
                     v                          \\              /
                    x_t                           v            v
                                         z_{t-1} -->    z_t         (z_{t-1} only if structured)

      prior       p(z_t | z_{t-1}) = N(mean, diag(std^2)), see `GatedTransition`; p(z_1) has a mean and a std of its own
      emission    p(x_t | z_t)
      left        l_t = f(phi_x(x_t), l_{t-1})
      right       b_t = g(phi_x(x_t), b_{t+1}), from each sequence's own end
      combiner    c_t = (tanh(W z_{t-1} + b) + sum of l_t and b_t) / number of terms    1609.09869, section 4
      posterior   q(z_t | z_{t-1}, x) = N(mean, diag(std^2)), linear in c_t

    `direction` and `structured` span the inference networks of 1609.09869, Table 1: right and structured is DKS, which
    has what the exact posterior p(z_t | z_{t-1}, x_t, ..., x_T) depends on; left and structured ST-L, both ST-LR; not
    structured (mean field) are MF-L, MF-R and MF-LR, whose c_t has no term of z_{t-1}, and which need no time loop.
    Where c_1 reads z_0 it reads 0. Nothing of x_t reaches a later step but through z.

    Where sequences are cut into chunks in time, z and l go on, but b_t reads no further than its chunk: the sum of the
    chunks' bounds is a lower bound on log p(x), looser than that of whole sequences.

    Args:
      x_dim: D.
      z_dim: Z.
      likelihood: maps the emission's output to p(x_t).
      recurrence: builds f and g from the width of phi_x and 0.
      phi_x, transition, emission: widths of the hidden layers of each net, none for a linear one (phi_x: the identity).
      direction: what the posterior reads of x: left, the past and x_t; right, x_t and later steps; or both.
      structured: whether it reads z_{t-1}.
      auxiliary: weight of the auxiliary cost of Z-forcing, see `Forcing`; 0: none.
      min_std: smallest standard deviation of prior and posterior, in units of z.
      sigma_bias: raw standard deviation that prior and posterior start with; None: as `initialise` leaves it.
      initialise: sets the weights that the model starts with, before the transition's linear part.
      mask_input: whether phi_x also reads which values were observed, so that it can tell a missing one from a 0.

    Raises:
      ValueError: a size below 1, min_std not positive, a likelihood of another x_dim, an unknown direction, or an
        auxiliary cost without a backward RNN.
    """

    def __init__(
        self,
        x_dim: int,
        z_dim: int,
        likelihood: Likelihood,
        recurrence: Recurrences,
        phi_x: Sequence[int],
        transition: Sequence[int],
        emission: Sequence[int],
        direction: Literal["left", "right", "both"] = "right",
        structured: bool = True,
        auxiliary: float = 0.0,
        min_std: float = 1e-4,
        sigma_bias: float | None = None,
        initialise: Callable[[nn.Module], None] = as_torch,
        mask_input: bool = False,
    ):
        super().__init__(x_dim, z_dim, likelihood, phi_x, min_std, mask_input)
        if direction not in ("left", "right", "both"):
            raise ValueError(f"direction must be left, right or both, got {direction!r}")
        self.looks_ahead = direction != "left"
        self.forward_rnn = None if direction == "right" else recurrence(self.phi_x_dim, 0)
        self.backward_rnn = None if direction == "left" else recurrence(self.phi_x_dim, 0)
        rnns = [rnn for rnn in (self.forward_rnn, self.backward_rnn) if rnn is not None]
        h_dim = rnns[0].h_dim
        self.combiner = nn.Linear(z_dim, h_dim) if structured else None
        self.num_terms = len(rnns) + structured
        self.posterior_net = nn.Linear(h_dim, 2 * z_dim)
        self.transition = GatedTransition(z_dim, transition)
        self.first = nn.Parameter(torch.zeros(2 * z_dim))  # mean and raw standard deviation of z_1
        self.emission_net = mlp(z_dim, emission, likelihood.param_dim)
        self.forcing = Forcing.of(auxiliary, self.looks_ahead, z_dim, h_dim, emission)
        initialise(self)
        self.transition.start_at(sigma_bias)
        with torch.no_grad():
            self.first[z_dim:] = inverse_positive(torch.ones(z_dim), min_std)
        self.start_at([self.posterior_net], sigma_bias, output_layer(self.emission_net))

    def initial_state(self, batch_size: int) -> State:
        z = self.first.new_zeros(batch_size, self.z_dim)
        left = z.new_zeros(batch_size, 0, self.posterior_net.in_features)
        if self.forward_rnn is not None:
            left = self.forward_rnn.packed(self.forward_rnn.initial_state(batch_size))
        return DKFState(z, left, z[:, :1])

    def prepare(self, batch: Batch, state: State | None = None) -> Inputs:
        state = self.initial_state(batch.size) if state is None else state
        phi_x = self.phi_x(self.read(batch))
        known, later = [], batch.x[..., :0]
        after = state.left[:, None].expand(-1, batch.steps, -1, -1)
        if self.forward_rnn is not None:
            states = self.forward_rnn.unroll(phi_x, None, self.forward_rnn.unpacked(state.left))
            known, after = [states.h[:, 1:]], self.forward_rnn.packed(states)[:, 1:]
        if self.backward_rnn is not None:
            later = backwards(self.backward_rnn, phi_x, None, batch.lengths)
            known.append(later)
        return Inputs(batch.x, sum(known[1:], start=known[0]), after, later, batch.observed)

    def posterior(self, h: Tensor, z: Tensor) -> DiagonalNormal:
        """q(z_t | z_{t-1}, x), from the sum of the RNNs' states [..., H] and z_{t-1} [..., Z]."""
        combined = h if self.combiner is None else h + self.combiner(z).tanh()
        return self.normal(self.posterior_net(combined / self.num_terms))

    def advance(self, inputs: Inputs, state: DKFState, noise: Tensor) -> tuple[Drawn, DKFState]:
        posterior = self.posterior(inputs.h, state.z)
        z = posterior.rsample(noise)
        context = torch.cat([state.z, state.begun], -1)
        return Drawn(*posterior, z, context), DKFState(z, inputs.after, torch.ones_like(state.begun))

    def unroll(self, inputs: Inputs, state: DKFState, noise: Tensor, lengths: Tensor) -> tuple[Drawn, DKFState]:
        if self.combiner is not None:
            return super().unroll(inputs, state, noise, lengths)
        posterior = self.posterior(inputs.h, state.z)
        z = posterior.rsample(noise)
        before = torch.cat([state.z, state.begun], -1)[:, None]
        every = torch.cat([before, torch.cat([z, torch.ones_like(z[..., :1])], -1)], 1)  # of steps 0 to T
        left = torch.cat([state.left[:, None], inputs.after], 1)
        rows = torch.arange(len(lengths), device=lengths.device)
        last, begun = every[rows, lengths].split([self.z_dim, 1], -1)
        return Drawn(*posterior, z, every[:, :-1]), DKFState(last, left[rows, lengths], begun)

    def prior_of(self, inputs: Inputs, drawn: Drawn) -> DiagonalNormal:
        return self._prior(*drawn.context.split([self.z_dim, 1], -1))

    def emission_of(self, inputs: Inputs, drawn: Drawn) -> Distribution:
        return self._emission(drawn.z)

    def draw(self, state: DKFState, generator: torch.Generator) -> tuple[Tensor, DKFState]:
        z = self._prior(state.z, state.begun).sample(generator)
        return self._emission(z).sample(generator), state._replace(z=z, begun=torch.ones_like(state.begun))

    def _prior(self, z: Tensor, begun: Tensor) -> DiagonalNormal:
        """p(z_t | z_{t-1}), from z_{t-1} [..., Z] and whether there is one [..., 1]."""
        return self.normal(torch.where(begun > 0.0, self.transition(z), self.first))

    def _emission(self, z: Tensor) -> Distribution:
        """p(x_t | z_t), from z [..., Z]."""
        return self.likelihood(full_precision(self.emission_net(z)))
