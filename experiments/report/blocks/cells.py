"""The cells of a report: a measurement over the runs of one model, its sign, its seeds, its commit."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from experiments.report.blocks.tables import Cell, number
from vrnn.training.metrics import MARKS

if TYPE_CHECKING:
    from vrnn.objectives.base import Kind

NONE = Cell("–")
FLIPPED: dict[Kind, Kind] = {"lower_bound": "upper_bound", "upper_bound": "lower_bound"}


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
    kind: Kind
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


class Sign(NamedTuple):
    """How log-likelihoods are printed: as they are (>=), or their negatives (<=), as the field does for images."""

    negate: bool

    @property
    def title(self) -> str:
        return "negative log-likelihood" if self.negate else "log-likelihood"

    def value(self, value: float) -> float:
        return -value if self.negate else value

    def mark(self, kind: Kind) -> str:
        return MARKS[FLIPPED.get(kind, kind) if self.negate else kind].strip()


def commit(result: dict[str, object]) -> str:
    """What made a result, short."""
    if not result.get("commit"):
        return "–"
    return str(result["commit"])[:10] + (" + uncommitted changes" if result.get("dirty") else "")


def seeds_cell(counted: int, jobs: int, remark: str = "") -> Cell:
    """How many seeds count."""
    return Cell(f"{counted} of {jobs}" if counted < jobs else str(jobs), remark=remark)


def mean_cell(mean: Mean | None, digits: int, sign: Sign, *, strong: bool = False, dagger: bool = False) -> Cell:
    """A figure over seeds.

    Args:
      mean: the figure; None: there is none.
      digits: after the point.
      sign: how it is printed.
      strong: in bold.
      dagger: mark an error that is not over seeds.
    """
    if mean is None:
        return NONE
    remark = "†" if dagger and mean.over == "sequences" and mean.error is not None else ""
    return number(sign.value(mean.value), digits, mean.error, mark=sign.mark(mean.kind), strong=strong, remark=remark)
