"""A figure over the runs of one model, and what its error is over."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal


@dataclass(frozen=True)
class Mean:
    """A figure over the seeds of a row.

    Attributes:
      value: mean over seeds.
      error: its standard error; None where it was not computed.
      over: what the error is over: seeds, or the test sequences where there is one seed only.
      groups: the groups that these sequences come in, such as "6 speakers"; None: the sequences are independent.
      kind, unit, space: as of the runs' own figures.
    """

    value: float
    error: float | None
    over: Literal["seeds", "sequences"]
    kind: str
    unit: str
    space: str
    groups: str | None = None

    def times(self, factor: float, unit: str) -> Mean:
        """The same figure over `factor` times as much, in the unit of that."""
        error = None if self.error is None else self.error * factor
        return replace(self, value=self.value * factor, error=error, unit=unit)


def spread(figure: dict[str, Any]) -> str | None:
    """The groups of sequences that a figure's error is over; None: the sequences themselves, as in older results."""
    over = figure.get("over")
    return over if isinstance(over, str) and re.fullmatch(r"[\d,]{1,12} [a-z]{1,20}", over) else None
