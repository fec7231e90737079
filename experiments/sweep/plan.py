"""What a multirun consists of: kept in its directory, so that anyone can see how far it is."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple

from omegaconf import DictConfig

from experiments.config.compose import compose_job
from experiments.config.identity import config_hash
from experiments.config.overrides import as_overrides
from experiments.config.slugs import job_slug
from experiments.config.untrusted import check_overrides, command_to_show
from experiments.disk.files import write_json
from experiments.disk.ownership import MARK, PLAN, read_mark
from experiments.disk.reading import read_json
from experiments.disk.schemas import PlanFile
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.run.state import Job, read_job
from experiments.text import plain


class SweepJob(NamedTuple):
    """A job of a multirun.

    Attributes:
      settings: what the multirun varies, each key with this job's value, as one would type them.
      job: its directory, and how it stands.
    """

    settings: dict[str, str]
    job: Job

    @property
    def words(self) -> str:
        return " ".join(as_overrides(self.settings))


@dataclass(frozen=True)
class SweepPlan:
    """A multirun as its command describes it.

    Attributes:
      directory: where its jobs lie.
      command: starts it, and goes on with it.
      overrides: that all its jobs have.
      keys: that it varies.
      points: settings of every job that is known beforehand: all those of a grid, none of a search.
      trials: of a search, over all its starts; None: it is a grid.
      repeated: those of them whose point had been tried before, so that there is no new job.
      is_read: whether it comes from sweep.json, which anybody may have written, and not from today's command line.
    """

    directory: Path
    command: str
    overrides: list[str]
    keys: list[str]
    points: list[dict[str, str]]
    trials: int | None
    repeated: int = 0
    is_read: bool = False

    @property
    def total(self) -> int:
        """Jobs, those that are not known yet included."""
        return len(self.points) if self.trials is None else self.trials - self.repeated

    @property
    def started(self) -> float:
        """When its last start began or ended, in seconds since 1970."""
        return (self.directory / PLAN).stat().st_mtime

    def write(self) -> None:
        """Writes sweep.json."""
        content = {key: value for key, value in asdict(self).items() if key not in ("directory", "is_read")}
        write_json(self.directory / PLAN, {"format": 1, **content})

    @classmethod
    def read(cls, directory: Path) -> SweepPlan:
        """The plan of a directory.

        Raises:
          UserError: it holds none.
        """
        file = directory / PLAN
        if not file.is_file():
            wanted = "expected one that a multirun made, outputs/sweeps/<name>-<hash>"
            raise UserError(f"{directory}: this is not the directory of a sweep (it has no sweep.json); {wanted}")
        content = read_json(file, PlanFile)
        return cls(
            directory, **{name: content[name] for name in PlanFile.model_fields if name != "format"}, is_read=True
        )

    def jobs(
        self, hashes: Mapping[str, str | None] | None = None, known: dict[str, tuple[int, SweepJob]] | None = None
    ) -> list[SweepJob]:
        """Every job that is known, as it stands: of a search, those that were begun.

        Args:
          hashes: `config_hash` that each should have been made with, by its directory's name; None: whatever it was.
          known: done jobs of a former look, by that name, each with the time of its result; new ones are added.
        """
        points = self.points if self.trials is None else self._begun()
        hashes, known = hashes or {}, {} if known is None else known
        jobs = []
        for settings in points:
            run = RunDirectory(self.directory / self.name(settings))
            changed = run.result_file.stat().st_mtime_ns if run.result_file.is_file() else 0
            if known.get(run.path.name, (0, None))[0] == changed != 0:
                jobs.append(known[run.path.name][1])
                continue
            jobs.append(SweepJob(settings, read_job(run, hashes.get(run.path.name))))
            if jobs[-1].job.state == "done":
                known[run.path.name] = changed, jobs[-1]
        return jobs

    def hashes(self, jobs: list[SweepJob]) -> dict[str, str]:
        """What `config_hash` of each job is today; one that does not compose any more has none that could be equal.

        Hydra must have been started.
        """
        identities = {}
        for settings, job in jobs:
            try:
                identities[job.run.path.name] = config_hash(self.compose(settings))
            except UserError:
                identities[job.run.path.name] = "does not compose"
        return identities

    def compose(self, settings: dict[str, str]) -> DictConfig:
        """The config of a job, as it is today. Hydra must have been started.

        Raises:
          UserError: it does not compose, or was read and does more than choose the suite's own options and values.
        """
        self.require_plain(settings)
        return compose_job([*as_overrides(settings), *self.overrides])

    def require_plain(self, settings: dict[str, str] | None = None) -> None:
        """Raises UserError where overrides that were read must not be composed, see `untrusted.check_overrides`."""
        if self.is_read:
            check_overrides([*as_overrides(settings or {}), *self.overrides], plain(str(self.directory / PLAN)))

    @property
    def command_to_show(self) -> str:
        """The command, as it may be shown to be typed again."""
        return command_to_show(self.command, self.directory / PLAN) if self.is_read else self.command

    def name(self, settings: Mapping[str, Any]) -> str:
        """The directory of a job."""
        return job_slug(as_overrides(settings))

    def _begun(self) -> list[dict[str, str]]:
        """Settings of the jobs that have a directory, in the order in which they were begun."""
        folders = {file.parent for name in (MARK, "overrides.yaml") for file in self.directory.glob(f"*/{name}")}
        begun = []
        for folder in sorted(folders, key=lambda folder: folder.stat().st_ctime_ns):
            typed = begun_with(folder)
            settings = {key: typed[key] for key in self.keys if key in typed}
            if self.name(settings) == folder.name:
                begun.append(settings)
        return begun


def begun_with(job: Path) -> dict[str, str]:
    """The overrides that a job was begun with, by key; of one without a mark, those that it has now."""
    for file in (job / MARK, job / "overrides.yaml"):
        if file.is_file() and (overrides := overrides_in(file, file.stat().st_mtime_ns)):
            return overrides
    return {}


@functools.cache  # a monitor asks every second
def overrides_in(file: Path, changed: int) -> dict[str, str]:
    """The overrides in a job's mark or in its overrides.yaml, by key; `changed` is when it was written."""
    is_mark = file.name == MARK
    overrides = read_mark(file.parent).get("overrides") if is_mark else RunDirectory(file.parent).read_overrides()
    texts = overrides if isinstance(overrides, Sequence) else []
    return dict(str(text).split("=", 1) for text in texts if "=" in str(text))
