"""The contract of a likelihood."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

from torch import Tensor

from vrnn.distributions import Distribution


class Likelihood(ABC):
    """A map from the emission's output [..., P] to a distribution of x_t [..., D]; it has no weights.

    Attributes:
      x_dim: D.
      param_dim: P, the width of the emission's last layer.
      label: what the likelihood is called in a table.
      reference: what `fit` fits, where that is less than the likelihood can be.
      discrete: whether log_prob is the log of a probability, which no change of unit moves, and not of a density.
    """

    label: ClassVar[str]
    reference: ClassVar[str]
    discrete: ClassVar[bool] = False
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
        """Parameters [P] of the same distribution at every step, fitted to x [N, D]: the independent reference."""

    def caution(self, x: Tensor) -> str | None:
        """A sentence that must stand beside every figure of this likelihood on x [N, D]; None: nothing to say."""
        return None

    @abstractmethod
    def check(self, x: Tensor) -> None:
        """Raises ValueError if x [N, D] is nothing this likelihood can model."""
