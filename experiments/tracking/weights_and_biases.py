"""Weights & Biases: one run per job, written into the job's directory, offline or live."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from experiments.tracking.environment import find_mode
from experiments.tracking.tracked import TrackedRun
from experiments.tracking.trackers import NoTracker
from experiments.tracking.wandb_runs import arguments, define_metrics, displaced, first_identity, start
from experiments.warn import reason, warn
from vrnn.data.marks import CONSENT
from vrnn.training.metrics import Measurement


class WandbTracker(NoTracker):
    """One Weights & Biases run per job, written into the job's directory.

    Args:
      mode: offline needs neither account nor network.
      project, entity: where an upload goes; no entity means your own.
      tags: to filter by.
      checkpoint: store the best checkpoint of a finished run as an artifact.
    """

    title = "Weights & Biases"

    def __init__(
        self,
        mode: Annotated[Literal["offline", "online"], CONSENT] = "offline",
        project: str = "vrnn",
        entity: str | None = None,
        tags: list[str] | None = None,
        checkpoint: bool = False,
    ):
        self.mode, self._notice = find_mode(mode)
        self.project = project
        self.entity = entity
        self.tags = tags or []
        self.checkpoint = checkpoint
        self.run: Any = None
        if self.mode in ("online", "shared"):
            self.patience = 300.0  # for what is left to upload

    def notice(self) -> str:
        return self._notice

    def open(self, run: TrackedRun) -> None:
        if self.mode == "disabled":
            return
        import wandb

        about = arguments(run, first_identity(run, self.tags)) | {"project": self.project, "entity": self.entity}
        try:
            self.run = start(about, self.mode)
        except wandb.errors.CommError as error:
            if self.mode == "offline":
                raise
            wandb.teardown()  # or the id counts as taken by the attempt
            self.mode = "offline"
            self.run = start(about, self.mode)
            warn(f"{self.title}: {reason(error)}; this run is logged offline instead; {self.whereabouts()}")
        define_metrics(self.run)
        if moved := displaced(about["config"], dict(self.run.config)):
            self.run.config.update(moved)

    def log(self, metrics: dict[str, Any]) -> None:
        if self.run is not None:
            self.run.log(metrics, step=metrics["step"])

    def write(self, text: str) -> None:
        if self.run is not None:
            self.run.write_logs(text)

    def show(self, measurements: Mapping[str, Measurement], facts: Mapping[str, Any], files: Sequence[Path]) -> None:
        if self.run is None:
            return
        import wandb

        media = {".png": wandb.Image, ".wav": wandb.Audio}
        # Logged first: it completes the last row, whose values (of the last validation) would take the summary's place.
        shown = [path for path in files if path.suffix in media]  # W&B has no player for MIDI
        if shown:
            self.run.log({f"figures/{path.stem}{path.suffix}": media[path.suffix](str(path)) for path in shown})
        self.run.summary.update({name: measurement.value for name, measurement in measurements.items()} | dict(facts))
        errors = {
            name: measurement.standard_error
            for name, measurement in measurements.items()
            if measurement.standard_error is not None
        }
        self.run.summary.update({f"{name}_standard_error": error for name, error in errors.items()})

    def keep(self, checkpoint: Path) -> None:
        if self.run is not None and self.checkpoint:
            self.run.log_model(str(checkpoint), name=f"{self.run.id}-{checkpoint.stem}")

    def publish(self, columns: Sequence[str], data: Sequence[Sequence[Any]], files: Sequence[Path]) -> None:
        if self.run is None:
            return
        import wandb

        report: dict[str, Any] = {"report/table": wandb.Table(list(columns), [list(line) for line in data])}
        media: dict[str, Callable[[str], Any]] = {
            ".png": wandb.Image,
            ".html": lambda path: wandb.Html(path, inject=False),
        }
        report |= {f"report/{path.stem}": media[path.suffix](str(path)) for path in files if path.suffix in media}
        self.run.log(report)

    def whereabouts(self) -> str:
        if self.run is None:
            return ""
        if self.mode != "offline":
            return f"Weights & Biases, {self.run.url}"
        folder = os.path.relpath(Path(self.run.dir).parent)
        return f"Weights & Biases, offline; upload with: wandb sync {folder}"

    def close(self, exit_code: int) -> None:
        if self.run is not None:
            self.run.finish(exit_code=exit_code)
            self.run = None

    def abandon(self) -> None:
        import wandb

        self.run = None
        wandb.teardown()  # the next run gets a service of its own, and none is waited for when this process ends
