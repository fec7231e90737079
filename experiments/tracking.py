"""Trackers: where a run's metrics and figures are followed besides its own directory."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from experiments.errors import UserError
from experiments.run_directory import write_json
from vrnn.training.metrics import Figure
from vrnn.training.progress import Observer


class NoTracker(Observer):
    """Follows nothing; also the contract of a tracker."""

    def open(self, directory: Path, config: dict[str, Any], name: str, group: str, tags: Sequence[str] = ()) -> None:
        """The run begins or goes on.

        Args:
          directory: of the run.
          config: resolved.
          name: of the run, its overrides say.
          group: runs that belong together.
          tags: to filter by, besides the tracker's own.
        """

    def show(self, figures: dict[str, Figure], files: Sequence[Path]) -> None:
        """The final figures, pictures (png) and sounds (wav)."""

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


class WandbTracker(NoTracker):
    """One Weights & Biases run per job, written into the job's directory.

    Args:
      mode: offline needs neither account nor network.
      project, entity: where an upload goes; no entity means your own.
      tags: to filter by.
    """

    def __init__(self, mode: Literal["offline", "online"], project: str, entity: str | None, tags: list[str]):
        self.mode = mode
        self.project = project
        self.entity = entity
        self.tags = tags
        self.run: Any = None

    def open(self, directory: Path, config: dict[str, Any], name: str, group: str, tags: Sequence[str] = ()) -> None:
        import wandb

        identity = first_identity(directory, name, [*self.tags, *tags])
        sweep = os.environ.get("WANDB_SWEEP_ID")
        try:
            self.run = wandb.init(
                dir=directory,
                mode=self.mode,
                project=self.project,
                entity=self.entity,
                group=f"sweep-{sweep}" if sweep else group,
                config=config,
                **identity,
                resume="allow",
                reinit="finish_previous",  # or the jobs of a multirun merge into one
                settings=wandb.Settings(console="off", silent=True),
            )
        except wandb.errors.Error as error:
            raise UserError(
                f"logger.mode={self.mode}: Weights & Biases could not start ({str(error).splitlines()[0]}); "
                "run `wandb login`, or use logger=wandb (offline) or logger=none"
            ) from error
        if moved := displaced(config, dict(self.run.config)):
            self.run.config.update(moved)

    def log(self, metrics: dict[str, Any]) -> None:
        if self.run is not None:
            self.run.log(metrics, step=metrics["step"])

    def show(self, figures: dict[str, Figure], files: Sequence[Path]) -> None:
        import wandb

        media = {".png": wandb.Image, ".wav": wandb.Audio}
        # Logged first: it completes the last row, whose values (of the last validation) would take the summary's place.
        self.run.log({f"figures/{path.stem}{path.suffix}": media[path.suffix](str(path)) for path in files})
        self.run.summary.update({name: figure.value for name, figure in figures.items()})
        errors = {name: figure.standard_error for name, figure in figures.items() if figure.standard_error is not None}
        self.run.summary.update({f"{name}_standard_error": error for name, error in errors.items()})

    def publish(self, columns: Sequence[str], data: Sequence[Sequence[Any]], files: Sequence[Path]) -> None:
        import wandb

        report: dict[str, Any] = {"report/table": wandb.Table(list(columns), [list(line) for line in data])}
        media = {".png": wandb.Image, ".html": lambda path: wandb.Html(path, inject=False)}
        report |= {f"report/{path.stem}": media[path.suffix](str(path)) for path in files if path.suffix in media}
        self.run.log(report)

    def whereabouts(self) -> str:
        if self.mode == "online":
            return f"Weights & Biases, {self.run.url}"
        folder = os.path.relpath(Path(self.run.dir).parent)
        return f"Weights & Biases, offline; upload with: wandb sync {folder}"

    def close(self, exit_code: int) -> None:
        if self.run is not None:
            self.run.finish(exit_code=exit_code)
            self.run = None


def first_identity(directory: Path, name: str, tags: Sequence[str] = ()) -> dict[str, Any]:
    """The id, name and tags of a run directory's W&B run: those of its first start, over all resumes.

    A run that an agent of a W&B sweep starts has the id by which the sweep knows it.
    """
    file = directory / "wandb" / "identity.json"
    given = os.environ.get("WANDB_RUN_ID") if "WANDB_SWEEP_ID" in os.environ else None
    if given or not file.exists():
        write_json(file, {"id": given or uuid.uuid4().hex[:8], "name": name, "tags": list(tags)})
    return json.loads(file.read_text(encoding="utf-8"))


def displaced(config: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """The nodes whose place a W&B sweep has taken, as "optimizer.lr": a swept optimizer=adam is kept as the word."""
    taken = {name: node for name, node in config.items() if isinstance(node, dict) and not isinstance(kept[name], dict)}
    return {f"{name}.{key}": value for name, node in taken.items() for key, value in node.items()}
