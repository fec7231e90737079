"""What a tracker does, and the one that does nothing: a run can be followed besides its own directory."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from vrnn.training.metrics import Measurement
from vrnn.training.progress import Observer

if TYPE_CHECKING:
    from experiments.tracking.tracked import TrackedRun


class NoTracker(Observer):
    """Follows nothing; also the contract of a tracker.

    Whatever a tracker raises, or does not answer, costs no more than the tracker: see `experiments.tracking.guard`.

    Attributes:
      title: what warnings call it.
      patience: seconds that `show`, `publish` and `close` may take.
    """

    title = "tracking"
    patience = 60.0

    def notice(self) -> str:
        """What a person should know before it begins; empty: nothing."""
        return ""

    def open(self, run: TrackedRun) -> None:
        """The run begins or goes on.

        Raises:
          UserError: what is asked of it can never be; the run does not begin.
        """

    def write(self, text: str) -> None:
        """A line that was printed on the screen."""

    def show(self, measurements: Mapping[str, Measurement], facts: Mapping[str, Any], files: Sequence[Path]) -> None:
        """The final measurements.

        Args:
          measurements: by name.
          facts: other numbers of the run, such as that of its parameters.
          files: pictures (png) and sounds (wav).
        """

    def keep(self, checkpoint: Path) -> None:
        """The checkpoint of the finished run, where the tracker stores such."""

    def publish(self, columns: Sequence[str], data: Sequence[Sequence[Any]], files: Sequence[Path]) -> None:
        """A report over many runs.

        Args:
          columns, data: its table, as plain values.
          files: the report itself; its pages (html) and pictures (png) are shown.
        """

    def whereabouts(self) -> str:
        """Where to look for what was followed; empty: nowhere."""
        return ""

    def close(self, exit_code: int) -> None:
        """The run has ended."""

    def abandon(self) -> None:
        """It has failed, and will be told nothing more: ends what would disturb this process or the next run."""
