"""The contract of a sequence model, and what it returns."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, Literal, NamedTuple, Protocol, TypeVar

import torch
from torch import Tensor, nn

from vrnn.batch import Batch
from vrnn.distributions import DiagonalNormal, Distribution
from vrnn.likelihoods.base import Likelihood
from vrnn.nn import JointMLP, MaskedLinear, output_layer

State = Any  # of a model before a step: a NamedTuple of tensors [B, ...], of the type that the model chooses
Fields = TypeVar("Fields", bound=tuple)
Loop = Literal["auto", "torch", "compiled"]  # which code runs a time loop; auto: the compiled one where it can


class TimeLoop(NamedTuple):
    """How a model's time loop runs.

    Attributes:
      name: what of.
      reason: why it is not compiled, in half a sentence; empty: it is, or the model has no compiled one.
    """

    name: Literal["compiled", "torch"]
    reason: str = ""


class StepTerms(NamedTuple):
    """The terms of one step, unmasked, in nats.

    Attributes:
      log_px: log p(x_t | z_t, h_{t-1}) [B].
      kl: KL(q(z_t | x_t, h_{t-1}) || p(z_t | h_{t-1})), analytic [B].
      log_ratio: log p(z_t | h_{t-1}) - log q(z_t | x_t, h_{t-1}) at the sampled z_t [B]; its mean is -kl.
    """

    log_px: Tensor
    kl: Tensor
    log_ratio: Tensor


class SequenceTerms(NamedTuple):
    """The terms of all steps, unmasked, in nats: StepTerms with a time axis, each [B, T]."""

    log_px: Tensor
    kl: Tensor
    log_ratio: Tensor


class Inference(NamedTuple):
    """What the posterior finds in a batch, all [B, T, ...], with the z_t of every step drawn from it.

    Attributes:
      posterior: q(z_t | x, z_<t).
      prior: p(z_t | x_<t, z_<t).
      z: the sampled latents [B, T, Z].
      emission: p(x_t | z_t, past).
    """

    posterior: DiagonalNormal
    prior: DiagonalNormal
    z: Tensor
    emission: Distribution


def at(fields: Fields, t: int) -> Fields:
    """Step t of a NamedTuple of tensors [B, T, ...] (or None): the same NamedTuple of tensors [B, ...]."""
    parts: list[Any] = [None if field is None else field[:, t] for field in fields]
    return type(fields)(*parts)


def read(x: Tensor, observed: Tensor | None, mask_input: bool) -> Tensor:
    """What phi_x reads: x [..., D], or with the mask [..., 2 D]: after x, 1 where a value was observed."""
    if not mask_input:
        return x
    return torch.cat([x, torch.ones_like(x) if observed is None else observed.to(x)], -1)


def state_at_lengths(before: Fields, last: Fields, lengths: Tensor) -> Fields:
    """The state of each sequence after its own last step.

    The padding stands at the end and no step sees a later one, so nothing has to be held back in the time loop.

    Args:
      before: the states before each step, a NamedTuple of [T, B, ...], time first.
      last: the state after step T, the same NamedTuple of [B, ...].
      lengths: steps of each sequence [B], in 0..T; after 0 steps it is the state before the first.
    """
    rows = torch.arange(len(lengths), device=lengths.device)

    def pick(fields: Tensor, end: Tensor) -> Tensor:
        steps = fields.shape[0]
        inside = fields[lengths.clamp(max=steps - 1), rows]  # [B, ...]
        return torch.where((lengths < steps).view(-1, *[1] * (end.dim() - 1)), inside, end)

    return type(last)(*map(pick, before, last))


class Forward(Protocol):
    """What an objective asks of a model, or of one that computes it by parts; see `SequenceModel`."""

    def __call__(self, batch: Batch, noise: Tensor, state: State | None = None, /) -> tuple[SequenceTerms, State]:
        """The terms of all steps, and the state of each sequence after its own last step."""

    def initial_state(self, batch_size: int, /) -> State:
        """The state before the first step."""

    def prepare(self, batch: Batch, state: State | None = None, /) -> Any:
        """What `step` needs of all steps."""

    def step(self, inputs: Any, state: State, noise: Tensor, /) -> tuple[StepTerms, State]:
        """One step alone."""


class SequenceModel(nn.Module, ABC):
    """A model of sequences x [B, T, D]. Noise is always an argument, never drawn inside.

    Attributes:
      z_dim: Z, the size of the noise of one step; 0 for a model without latent variables.
      loop: which code is to run its time loop, for models that have a compiled one.
      likelihood: maps the emission's output to p(x_t).
      looks_ahead: whether the posterior of a step reads later steps of its batch (smoothing). Where sequences are cut
        in time it then reads no further than its chunk: what comes of it is a bound still, if a looser one.
    """

    z_dim: int
    loop: Loop = "auto"
    looks_ahead: bool = False
    likelihood: Likelihood

    @abstractmethod
    def initial_state(self, batch_size: int) -> State:
        """The state before the first step, a NamedTuple of tensors [B, ...]."""

    @abstractmethod
    def prepare(self, batch: Batch, state: State | None = None) -> Any:
        """Everything that needs no latent variable, for all steps at once: a NamedTuple of tensors [B, T, ...].

        Args:
          batch: B sequences of up to T steps; a posterior that looks ahead sees as far as they reach.
          state: before their first step, as `forward` takes it; read of it is only what no latent variable enters, so
            that for samples of the same sequence it is the same.
        """

    @abstractmethod
    def step(self, inputs: Any, state: State, noise: Tensor) -> tuple[StepTerms, State]:
        """One step, the specification of `forward`.

        Args:
          inputs: of this step, as prepared [B, ...].
          state: before it.
          noise: standard normal noise [B, Z].

        Returns:
          The step's terms, and the state after it.
        """

    @abstractmethod
    def forward(self, batch: Batch, noise: Tensor, state: State | None = None) -> tuple[SequenceTerms, State]:
        """All steps, fast: equals replaying `step`.

        Args:
          batch: B sequences of up to T steps.
          noise: standard normal noise [B, T, Z].
          state: what a former chunk returned, to go on from; None: the initial state.

        Returns:
          The terms of all steps, and the state of each sequence after its own last step.
        """

    @abstractmethod
    def sample(self, num: int, steps: int, generator: torch.Generator, prefix: Batch | None = None) -> Tensor:
        """Draws x [num, steps, D] from the prior, every step from what was drawn before (never from means).

        Args:
          num: sequences to draw.
          steps: steps to draw.
          generator: all randomness, on the model's device.
          prefix: `num` sequences to continue, each from its own end; None: from the initial state.

        Raises:
          ValueError: the prefix holds another number of sequences.
        """

    @abstractmethod
    def reconstruct(self, batch: Batch, noise: Tensor) -> Distribution:
        """p(x_t | z_t, h_{t-1}) of all steps with z_t from the posterior; its mean is [B, T, D]."""

    def encode(self, batch: Batch, noise: Tensor) -> DiagonalNormal:
        """q(z_t | x_t, h_{t-1}) of all steps, with the z_t of earlier steps drawn from it; its mean is [B, T, Z].

        Args:
          batch: B sequences of up to T steps.
          noise: standard normal noise [B, T, Z]; zeros: each z_t is the posterior's mean.

        Raises:
          TypeError: the model has no latent variables.
        """
        return self.infer(batch, noise).posterior

    def infer(self, batch: Batch, noise: Tensor) -> Inference:
        """Posterior, prior, latents and emission of all steps; arguments and errors are those of `encode`."""
        raise TypeError(f"{type(self).__name__} has no latent variables that sequences could be encoded in")

    @torch.no_grad()
    def set_emission_bias(self, params: Tensor) -> None:
        """Sets the bias of the emission's last layer, so that at first it gives these parameters at every step.

        Args:
          params: of the likelihood [P], such as its fit to the training data.
        """
        net = self.get_submodule("emission_net")
        if isinstance(net, JointMLP):
            net.head.bias.copy_(params)
        elif isinstance(net, nn.Sequential):
            output_layer(net).bias.copy_(params)
        else:
            raise TypeError(f"{type(self).__name__} must say where the last bias of its emission is")

    def time_loop(self, products: torch.dtype | None = None) -> TimeLoop:
        """How its time loop runs.

        Args:
          products: the type of the matrix products' operands; None: that of the weights.
        """
        return TimeLoop("torch")

    @staticmethod
    def require_prefix(num: int, prefix: Batch) -> None:
        """Raises ValueError unless the prefix holds `num` sequences."""
        if prefix.size != num:
            raise ValueError(f"prefix must hold num = {num} sequences, got {prefix.size}")

    @property
    def num_parameters(self) -> int:
        """Trained numbers; the weights that a masked layer never uses are none."""
        masked = sum(module.num_masked for module in self.modules() if isinstance(module, MaskedLinear))
        return sum(parameter.numel() for parameter in self.parameters() if parameter.requires_grad) - masked
