"""A linear-Gaussian state-space model with proposals in closed form, to hold bounds against the truth."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal, kl_divergence

from vrnn.batch import Batch
from vrnn.data.lgssm import LinearGaussian
from vrnn.data.splits import Sequences
from vrnn.data.standardisation import Standardisation
from vrnn.models.base import SequenceModel, SequenceTerms, StepTerms, at


class Latent(NamedTuple):
    """z: z_{t-1} [B, Z]; began: whether there is one, 0 before the first step and 1 after it [B]."""

    z: Tensor
    began: Tensor


class Inputs(NamedTuple):
    """x [B, T, D]; precision [B, T, Z, Z] and shift [B, T, Z] of p(x_{t:T} | z_t), as a function of z_t."""

    x: Tensor
    precision: Tensor
    shift: Tensor


class ClosedForm(SequenceModel):
    """The process itself as a model, whose posterior of z_t is one of three.

    prior      q = p(z_t | z_{t-1}), of a bootstrap filter
    optimal    q = p(z_t | z_{t-1}, x_t), for which alpha_t does not depend on z_t (Doucet et al. 2000, proposition 2)
    posterior  q = p(z_t | z_{t-1}, x_{t:T}), under which every path has the weight p(x)

    Args:
      process: the matrices.
      proposal: one of these.
      widened: factor on the standard deviations of q.
    """

    likelihood: Any = None

    def __init__(self, process: LinearGaussian, proposal: str, widened: float = 1.0):
        super().__init__()
        self.process = LinearGaussian(*map(torch.from_numpy, process))
        self.proposal = proposal
        self.widened = widened
        self.z_dim = len(process.transition)

    def initial_state(self, batch_size: int) -> Latent:
        return Latent(torch.zeros(batch_size, self.z_dim).double(), torch.zeros(batch_size).double())

    def prepare(self, batch: Batch, state: Latent | None = None) -> Inputs:
        """The backward information filter: p(x_{t:T} | z_t) is exp(-1/2 z' precision z + shift' z) but for a factor."""
        process, identity = self.process, torch.eye(self.z_dim).double()
        seen = process.emission.T @ torch.linalg.inv(process.emission_cov)  # [Z, D]
        precision = torch.zeros(batch.size, self.z_dim, self.z_dim).double()
        shift = torch.zeros(batch.size, self.z_dim).double()
        found = []
        for t in reversed(range(batch.steps)):
            if self.proposal == "posterior":  # through the transition to z_t, from p(x_{t+1:T} | z_{t+1})
                back = process.transition.T @ torch.linalg.inv(identity + precision @ process.transition_cov)
                shift = torch.einsum("bij,bj->bi", back, shift)
                precision = back @ precision @ process.transition
            elif self.proposal == "optimal":
                precision, shift = torch.zeros_like(precision), torch.zeros_like(shift)
            if self.proposal != "prior":
                real = batch.mask[:, t].double()
                precision = precision + real[:, None, None] * (seen @ process.emission)
                shift = shift + real[:, None] * (batch.x[:, t] @ seen.T)
            found.append((precision, shift))
        return Inputs(batch.x, *(torch.stack(field, 1) for field in zip(*reversed(found), strict=True)))

    def step(self, inputs: Inputs, state: Latent, noise: Tensor) -> tuple[StepTerms, Latent]:
        process, began = self.process, state.began[:, None, None]
        cov = began * process.transition_cov + (1.0 - began) * process.initial_cov
        prior = MultivariateNormal(state.z @ process.transition.T, cov, validate_args=False)
        precision = torch.linalg.inv(cov) + inputs.precision
        shift = torch.linalg.solve(cov, prior.mean) + inputs.shift
        q_cov = self.widened**2 * torch.linalg.inv(precision)
        q = MultivariateNormal(torch.linalg.solve(precision, shift), 0.5 * (q_cov + q_cov.mT), validate_args=False)
        z = q.mean + torch.einsum("bij,bj->bi", q.scale_tril, noise)
        seen = MultivariateNormal(z @ process.emission.T, process.emission_cov, validate_args=False)
        terms = StepTerms(seen.log_prob(inputs.x), kl_divergence(q, prior), prior.log_prob(z) - q.log_prob(z))
        return terms, Latent(z, torch.ones_like(state.began))

    def forward(self, batch: Batch, noise: Tensor, state: Latent | None = None) -> tuple[SequenceTerms, Latent]:
        inputs, state, found = self.prepare(batch), state or self.initial_state(batch.size), []
        for t in range(batch.steps):
            terms, state = self.step(at(inputs, t), state, noise[:, t])
            found.append(terms)
        return SequenceTerms(*(torch.stack(field, 1) for field in zip(*found, strict=True))), state

    def sample(self, *_: Any) -> Tensor:
        raise NotImplementedError

    reconstruct: Callable[..., Any] = sample


def turning(fading: float = 0.9, noise: float = 0.4) -> LinearGaussian:
    """A damped rotation of z in two dimensions, of which three are seen, with correlated noise everywhere."""
    a = fading * np.array([[0.8, 0.6], [-0.6, 0.8]])
    q = np.array([[0.5, 0.1], [0.1, 0.3]])
    c = np.array([[1.0, 0.2], [-0.4, 0.9], [0.3, 0.3]])
    r = noise * np.array([[1.0, 0.3, 0.0], [0.3, 0.8, 0.1], [0.0, 0.1, 0.6]])
    return LinearGaussian(a, q, c, r, np.array([[1.0, -0.2], [-0.2, 0.7]]))


def observe(process: LinearGaussian, num: int, steps: int, seed: int = 0) -> Tensor:
    """x [num, steps, D] of the process, in float64."""
    return torch.from_numpy(process.sample(num, steps, np.random.default_rng(seed)))


def truth(process: LinearGaussian, x: Tensor) -> Tensor:
    """log p(x) [N] of x [N, T, D]."""
    return process.truth(Sequences.of_equal_length(x), Standardisation.identity(x.shape[2]))
