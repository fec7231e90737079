"""The space that a figure is in: of standardised data, or raw."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from vrnn.data.splits import Splits
from vrnn.likelihoods.base import Likelihood


class Space(NamedTuple):
    """The way from normalized to raw space.

    Attributes:
      log_det: nats per step between them, log p(raw) = log p(x) - log_det; 0 for a discrete likelihood, whose
        probabilities no change of unit moves.
      bits_dim: D, where raw values are quantised in unit steps and so have a cost in bits per dimension; else None.
      log_std: the part of each dimension in log_det [D]; None: it is 0.
    """

    log_det: float = 0.0
    bits_dim: int | None = None
    log_std: Tensor | None = None

    def change(self, lengths: Tensor, observed: Tensor | None) -> Tensor:
        """Nats that sequences lose on the way to raw space [N]; of a value that was not observed there are none."""
        if observed is None or self.log_std is None:
            return self.log_det * lengths.double()
        return observed.double() @ self.log_std

    @classmethod
    def of(cls, likelihood: Likelihood, splits: Splits) -> Space:
        # A density has bits only over values that were dequantised, so that next to none of them comes twice.
        first = splits.train.values[:10_000, 0]
        honest = likelihood.discrete or len(first.unique()) > 0.9 * len(first)
        quantised = splits.levels is not None and honest
        log_det, log_std = 0.0, None
        if not likelihood.discrete:
            log_det, log_std = splits.standardisation.log_det, splits.standardisation.std.double().log()
        return cls(log_det, splits.x_dim if quantised else None, log_std)
