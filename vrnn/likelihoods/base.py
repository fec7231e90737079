"""The contract of a likelihood."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from vrnn.distributions import Distribution


class Likelihood(ABC):
    """A map from the emission's output [..., P] to a distribution of x_t [..., D].

    It has no weights, but for those in which each value of a step sees the ones before it: these are modules.

    Attributes:
      x_dim: D.
      param_dim: P, the width of the emission's last layer.
      label: what the likelihood is called in a table.
      reference: what `fit` fits, where that is less than the likelihood can be.
      discrete: whether log_prob is the log of a probability, which no change of unit moves, and not of a density.
      takes_missing: whether its distribution has log_prob(x, observed), the marginal of the observed dimensions.
    """

    label: str
    reference: str
    discrete: bool = False
    takes_missing: bool = False
    x_dim: int
    param_dim: int

    @abstractmethod
    def __call__(self, params: Tensor) -> Distribution:
        """Parameters [..., P] -> distribution of x [..., D]."""

    @abstractmethod
    def initial_params(self) -> Tensor:
        """The bias that the emission's last layer starts with [P]."""

    @abstractmethod
    def fit(self, x: Tensor) -> Tensor:
        """Parameters [P] of the same distribution at every step, fitted to x [N, D]: the independent reference.

        NaN in x stands for a value that was not observed, where the likelihood `takes_missing`.
        """

    def dims_of_params(self) -> Sequence[int] | None:
        """The one dimension of x, 0 to D - 1, that each of the P parameters bears on; None: dimensions share some.

        Where it is told, log p(x) is a sum over dimensions, each with parameters of its own.
        """
        return None

    @property
    def plain(self) -> Likelihood:
        """The likelihood of a step's values without weights: itself, or the one that conditionals are built of."""
        return self

    def caution(self, x: Tensor) -> str | None:
        """A sentence that must stand beside every figure of this likelihood on x [N, D]; None: nothing to say."""
        return None

    @abstractmethod
    def check(self, x: Tensor) -> None:
        """Raises ValueError if x [N, D] is nothing this likelihood can model."""

    def require_missing(self) -> None:
        """Raises ValueError unless it can model steps of which some dimensions were not observed."""
        if not self.takes_missing:
            raise ValueError(
                f"a {self.label} has no density of some dimensions of a step alone, and values are missing; choose "
                "likelihood=gaussian or likelihood=gmm"
            )


def log_density(distribution: Any, x: Tensor, observed: Tensor | None) -> Tensor:
    """log p of the observed dimensions of x [..., D] -> [...] in nats; observed [..., D], None: all."""
    return distribution.log_prob(x) if observed is None else distribution.log_prob(x, observed)


def moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each dimension [D] of x [N, D], over what is not NaN."""
    missing = x.isnan()
    if not bool(missing.any()):
        return x.mean(0), x.std(0, correction=0)
    count = (~missing).sum(0).clamp_min(1)
    mean = torch.where(missing, 0.0, x).sum(0) / count
    return mean, (torch.where(missing, 0.0, x - mean).square().sum(0) / count).sqrt()
