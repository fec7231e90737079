"""A grid: every combination of values is a job, and all are launched at once."""

from __future__ import annotations

from experiments.cli.terminal import say
from experiments.config.overrides import as_overrides
from experiments.sweep.multirun import Multirun


class GridSweep(Multirun):
    """The multirun of hydra/sweeper=grid."""

    def run(self) -> None:
        """Launches what is not done, in order."""
        left = []
        for settings, job in self.jobs():
            if job.state == "done" and self.hashes[job.run.path.name] is not None:
                if self.view != "table":
                    say(f"done already  {job.run}")
            else:
                left.append(self.overrides_of(settings))
        if left:
            self.launch(left, 0)

    def jobs_to_claim(self) -> list[list[str]]:
        shared = self.space.shared
        return [[*shared, *as_overrides(point)] for point in self.space.points]
