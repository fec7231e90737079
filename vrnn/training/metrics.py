"""Measurements that say what they are, and the file that training writes its metrics to."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vrnn.objectives.base import Kind  # it needs torch, and what only reads metrics does not

MARKS: dict[Kind, str] = {"exact": "", "lower_bound": "≥ ", "upper_bound": "≤ ", "estimate": "~ "}


@dataclass(frozen=True)
class Measurement:
    """One number with everything needed to read it.

    Attributes:
      value: the number.
      standard_error: of the value, over what `over` says; None where it was not computed, or cannot be from one.
      count: sequences that it is over.
      unit: for instance "nats per sequence".
      space: "normalized" (of standardised data) or "raw".
      kind: exact, lower_bound, upper_bound or estimate.
      monte_carlo_error: standard error of the value over the noise drawn; None where it cannot be told.
      over: "sequences" where they are independent, else their groups, for instance "6 speakers".
    """

    value: float
    standard_error: float | None
    count: int
    unit: str
    space: str
    kind: Kind
    monte_carlo_error: float | None = None
    over: str = "sequences"

    def __str__(self) -> str:
        error = "" if self.standard_error is None else f" ± {self.standard_error:.2f}"
        over = f" (± over {self.over})" if error and self.over != "sequences" else ""
        return f"{MARKS[self.kind]}{self.value:.2f}{error} {self.unit}{over}"

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


class MetricsFile:
    """One JSON object a line, flushed as it goes.

    Args:
      path: the file; it is made at the first line.
    """

    def __init__(self, path: Path):
        self.path = path

    def write(self, metrics: dict[str, Any]) -> None:
        """Appends one line and flushes it to the operating system.

        Raises:
          OSError: it names the file.
        """
        try:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(metrics) + "\n")
        except OSError as error:
            error.filename = error.filename or str(self.path)  # a full disk tells no name
            raise

    def read(self) -> Iterator[dict[str, Any]]:
        """All whole lines; a last one that a kill cut short is left out."""
        if not self.path.exists():
            return
        for line in self.path.read_text(encoding="utf-8").splitlines(keepends=True):
            if line.endswith("\n"):
                yield json.loads(line)

    def cut(self, step: int) -> None:
        """Drops every line later than `step`: what a run that goes on from that step will write again."""
        kept = [json.dumps(metrics) + "\n" for metrics in self.read() if metrics["step"] <= step]
        temporary = self.path.with_suffix(".tmp")
        temporary.write_text("".join(kept), encoding="utf-8")
        temporary.replace(self.path)
