"""The recurrent neural network without latent variables: the paper's baselines RNN-Gauss and RNN-GMM."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn

from vrnn.batch import Batch
from vrnn.distributions import Distribution
from vrnn.likelihoods.base import Likelihood, log_density
from vrnn.models.base import SequenceModel, SequenceTerms, State, StepTerms, read, state_at_lengths
from vrnn.models.initialisation import as_torch
from vrnn.models.recurrence import Recurrence
from vrnn.nn import full_precision, mlp, output_layer, require_at_least


class Inputs(NamedTuple):
    """What is known of all steps before the time loop.

    Attributes:
      x: observations [B, T, D].
      recurrence: part of phi_x in the gates of the recurrence [B, T, gates].
      observed: which values were observed [B, T, D]; None: all were.
    """

    x: Tensor
    recurrence: Tensor
    observed: Tensor | None = None


class RNN(SequenceModel):
    """p(x) = prod_t p(x_t | h_{t-1}), an exact likelihood (Chung et al. 2015, section 2.1).

      emission    p(x_t | h_{t-1})              eq. 2
      recurrence  h_t = f(phi_x(x_t), h_{t-1})  eq. 1, with the features that the VRNN has as well

    It has no latent variables: z_dim is 0, its noise is [B, T, 0], and its KL and log_ratio are 0.

    Args:
      x_dim: D.
      likelihood: maps the emission's output to p(x_t).
      recurrence: builds the recurrence from the widths of phi_x and phi_z, the latter 0 here.
      phi_x, emission: widths of the hidden layers of each net, none for a linear one (phi_x: the identity).
      initialise: sets the weights that the model starts with.
      mask_input: whether phi_x also reads which values were observed, so that it can tell a missing one from a 0.

    Raises:
      ValueError: a size below 1, or a likelihood of another x_dim.
    """

    z_dim = 0

    def __init__(
        self,
        x_dim: int,
        likelihood: Likelihood,
        recurrence: Callable[[int, int], Recurrence],
        phi_x: Sequence[int],
        emission: Sequence[int],
        initialise: Callable[[nn.Module], None] = as_torch,
        mask_input: bool = False,
    ):
        super().__init__()
        require_at_least(1, x_dim=x_dim)
        if likelihood.x_dim != x_dim:
            raise ValueError(f"the likelihood is for x_dim = {likelihood.x_dim}, the model for x_dim = {x_dim}")
        self.likelihood = likelihood
        self.mask_input = mask_input
        in_dim = 2 * x_dim if mask_input else x_dim
        self.recurrence = recurrence([in_dim, *phi_x][-1], 0)
        self.phi_x = mlp(in_dim, phi_x)
        self.emission_net = mlp(self.recurrence.h_dim, emission, likelihood.param_dim)
        initialise(self)
        with torch.no_grad():
            output_layer(self.emission_net).bias.copy_(likelihood.initial_params())

    def initial_state(self, batch_size: int) -> State:
        return self.recurrence.initial_state(batch_size)

    def emission(self, h: Tensor) -> Distribution:
        """p(x_t | h_{t-1}), from h [..., H]."""
        return self.likelihood(full_precision(self.emission_net(h)))

    def prepare(self, batch: Batch, state: State | None = None) -> Inputs:
        phi_x = self.phi_x(read(batch.x, batch.observed, self.mask_input))
        return Inputs(batch.x, self.recurrence.from_x(phi_x), batch.observed)

    def step(self, inputs: Inputs, state: State, noise: Tensor) -> tuple[StepTerms, State]:
        log_px = log_density(self.emission(state.h), inputs.x, inputs.observed)  # [B]
        zeros = torch.zeros_like(log_px)
        return StepTerms(log_px, zeros, zeros), self.recurrence(inputs.recurrence, None, state)

    def forward(self, batch: Batch, noise: Tensor, state: State | None = None) -> tuple[SequenceTerms, State]:
        h, state = self._unroll(batch, state)
        log_px = log_density(self.emission(h), batch.x, batch.observed)  # [B, T]
        zeros = torch.zeros_like(log_px)
        return SequenceTerms(log_px, zeros, zeros), state

    @torch.no_grad()
    def sample(self, num: int, steps: int, generator: torch.Generator, prefix: Batch | None = None) -> Tensor:
        state = self.initial_state(num)
        if prefix is not None:
            self.require_prefix(num, prefix)
            _, state = self._unroll(prefix, state)
        drawn = []
        for _ in range(steps):
            drawn.append(self.emission(state.h).sample(generator))
            state = self.recurrence(
                self.recurrence.from_x(self.phi_x(read(drawn[-1], None, self.mask_input))), None, state
            )
        return torch.stack(drawn, 1)  # [num, steps, D]

    def reconstruct(self, batch: Batch, noise: Tensor) -> Distribution:
        """p(x_t | h_{t-1}): without latent variables, a prediction from the steps before."""
        return self.emission(self._unroll(batch, None)[0])

    def _unroll(self, batch: Batch, state: State | None) -> tuple[Tensor, State]:
        """h_{t-1} of all steps [B, T, H], and the state of each sequence after its own last step."""
        state = self.initial_state(batch.size) if state is None else state
        states = []
        for hoisted in self.prepare(batch).recurrence.unbind(1):
            states.append(state)
            state = self.recurrence(hoisted, None, state)
        before = type(state)(*(torch.stack(field) for field in zip(*states, strict=True)))
        return before.h.transpose(0, 1), state_at_lengths(before, state, batch.lengths)
