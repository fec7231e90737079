"""Trackers: where a run's metrics and figures are followed besides its own directory."""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from experiments.disk.files import write_json
from experiments.disk.reading import read_json
from experiments.disk.schemas import Identity
from experiments.errors import UserError
from experiments.tracking.environment import MAX_NAME, Name, cut, encodable, find_mode, refused_variable, valid_tags
from experiments.warn import reason, warn
from vrnn.data.marks import CONSENT
from vrnn.training.metrics import Measurement
from vrnn.training.progress import Observer


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

    def open(self, directory: Path, config: dict[str, Any], name: str, group: str, tags: Sequence[str] = ()) -> None:
        """The run begins or goes on.

        Args:
          directory: of the run.
          config: resolved.
          name: of the run, its overrides say.
          group: runs that belong together.
          tags: to filter by, besides the tracker's own.

        Raises:
          UserError: what is asked of it can never be; the run does not begin.
        """

    def show(self, measurements: dict[str, Measurement], files: Sequence[Path]) -> None:
        """The final measurements, pictures (png) and sounds (wav)."""

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


class WandbTracker(NoTracker):
    """One Weights & Biases run per job, written into the job's directory.

    Args:
      mode: offline needs neither account nor network.
      project, entity: where an upload goes; no entity means your own.
      tags: to filter by.
    """

    title = "Weights & Biases"

    def __init__(
        self,
        mode: Annotated[Literal["offline", "online"], CONSENT] = "offline",
        project: str = "vrnn",
        entity: str | None = None,
        tags: list[str] | None = None,
    ):
        self.mode, self._notice = find_mode(mode)
        self.project = project
        self.entity = entity
        self.tags = tags or []
        self.run: Any = None
        if self.mode in ("online", "shared"):
            self.patience = 300.0  # for what is left to upload

    def notice(self) -> str:
        return self._notice

    def open(self, directory: Path, config: dict[str, Any], name: str, group: str, tags: Sequence[str] = ()) -> None:
        if self.mode == "disabled":
            return
        import wandb

        identity = first_identity(directory, name, [*self.tags, *tags])
        sweep = os.environ.get("WANDB_SWEEP_ID")
        config = encodable(config)
        about = {
            "dir": directory,
            "project": self.project,
            "entity": self.entity,
            "group": cut(encodable(f"sweep-{sweep}" if sweep else group), MAX_NAME),
            "config": config,
            "id": identity["id"],
            "name": cut(encodable(identity["name"]), MAX_NAME),
            "tags": valid_tags(map(encodable, identity["tags"])),
        }
        try:
            self.run = start(about, self.mode)
        except wandb.errors.CommError as error:
            if self.mode == "offline":
                raise
            wandb.teardown()  # or the id counts as taken by the attempt
            self.mode = "offline"
            self.run = start(about, self.mode)
            warn(f"{self.title}: {reason(error)}; this run is logged offline instead; {self.whereabouts()}")
        if moved := displaced(config, dict(self.run.config)):
            self.run.config.update(moved)

    def log(self, metrics: dict[str, Any]) -> None:
        if self.run is not None:
            self.run.log(metrics, step=metrics["step"])

    def show(self, measurements: dict[str, Measurement], files: Sequence[Path]) -> None:
        if self.run is None:
            return
        import wandb

        media = {".png": wandb.Image, ".wav": wandb.Audio}
        # Logged first: it completes the last row, whose values (of the last validation) would take the summary's place.
        shown = [path for path in files if path.suffix in media]  # W&B has no player for MIDI
        self.run.log({f"figures/{path.stem}{path.suffix}": media[path.suffix](str(path)) for path in shown})
        self.run.summary.update({name: measurement.value for name, measurement in measurements.items()})
        errors = {
            name: measurement.standard_error
            for name, measurement in measurements.items()
            if measurement.standard_error is not None
        }
        self.run.summary.update({f"{name}_standard_error": error for name, error in errors.items()})

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


def start(about: dict[str, Any], mode: Name) -> Any:
    """A W&B run.

    Args:
      about: arguments of wandb.init.
      mode: offline, online or shared.

    Raises:
      UserError: W&B refuses a value, or has no key.
      CommError: it cannot be reached.
    """
    import pydantic
    import wandb

    try:
        return wandb.init(
            **about,
            mode=mode,
            resume="allow",
            reinit="finish_previous",  # or the jobs of a multirun merge into one
            settings=wandb.Settings(console="off", silent=True),
        )
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"{refused_variable(str(first['loc'][0]))}: Weights & Biases could not start ({first['msg']}); "
            "correct or unset it, or use logger=none"
        ) from error
    except wandb.errors.Error as error:
        if type(error) is wandb.errors.CommError:
            raise
        why = str(error).strip().splitlines()[0]
        for word, place in (("project", f"logger.project={about['project']}"), ("Run ID", refused_variable("run_id"))):
            if word in why:
                raise UserError(f"{place}: Weights & Biases refuses it ({why})") from error
        raise UserError(
            f"logger.mode={mode}: Weights & Biases could not start ({why}); "
            "run `wandb login`, or use logger=wandb (offline) or logger=none"
        ) from error


def first_identity(directory: Path, name: str, tags: Sequence[str] = ()) -> dict[str, Any]:
    """The id, name and tags of a run directory's W&B run: those of its first start, over all resumes.

    A run that an agent of a W&B sweep starts has the id by which the sweep knows it.
    """
    file = directory / "wandb" / "identity.json"
    given = os.environ.get("WANDB_RUN_ID") if "WANDB_SWEEP_ID" in os.environ else None
    if given or not file.exists():
        write_json(file, {"id": given or uuid.uuid4().hex[:8], "name": name, "tags": list(tags)})
    return read_json(file, Identity)


def displaced(config: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """The nodes whose place a W&B sweep has taken, as "optimizer.lr": a swept optimizer=adam is kept as the word."""
    taken = {name: node for name, node in config.items() if isinstance(node, dict) and not isinstance(kept[name], dict)}
    return {f"{name}.{key}": value for name, node in taken.items() for key, value in node.items()}
