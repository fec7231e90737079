"""What a job knows of its start: read from Hydra once, when the job begins."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from experiments.config.overrides import literal


@dataclass(frozen=True)
class JobContext:
    """One job of an app, as Hydra started it.

    Attributes:
      app: the app's name, such as "train".
      overrides: of the command line, as they were typed: references in them are not resolved.
      choices: the chosen option of each config group; None where the group is left out.
      number: of the job in its multirun; 0 for a single run.
      directory: Hydra's output directory of the job.
      multirun: the directory of the multirun that the job belongs to; None for a single run.
      subdir: hydra.sweep.subdir as it stands in the config, which names the jobs of a multirun.
      sweeper: the config of the sweeper that has launched the job; of a single run it has launched nothing.
      record: the folder in `directory` in which Hydra keeps a record of the start; None: it keeps none.
    """

    app: str
    overrides: tuple[str, ...]
    choices: Mapping[str, str | None]
    number: int
    directory: Path
    multirun: Path | None
    subdir: str
    sweeper: DictConfig
    record: str | None

    @classmethod
    def current(cls) -> JobContext:
        """The job that Hydra has started in this process."""
        hydra = HydraConfig.get()
        several = hydra.mode == RunMode.MULTIRUN
        return cls(
            app=hydra.job.name,
            overrides=tuple(literal(hydra.overrides.task)),
            choices=dict(hydra.runtime.choices),
            number=hydra.job.num if several else 0,
            directory=Path(hydra.runtime.output_dir),
            multirun=Path(hydra.runtime.cwd, hydra.sweep.dir) if several else None,
            subdir=str(literal(hydra.sweep)["subdir"]),
            sweeper=hydra.sweeper,
            record=hydra.output_subdir,
        )
