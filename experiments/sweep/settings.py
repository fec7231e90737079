"""What the config says of all jobs of a multirun together."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf

from experiments.cli.processes import jobs_at_once
from experiments.config.build import require_integer
from experiments.errors import UserError


@dataclass(frozen=True)
class MultirunSettings:
    """The keys below `multirun.`.

    Attributes:
      max_parallel: jobs at a time; None: as many as cores or GPUs.
      retry_failed: a job that has failed is run again.
      fail_fast: the first failure stops all jobs.
      replace_resumed: a job that resume= has taken further is made anew.
      stop_below: the rule that ends a job early, see `stopping`; None: none.
      view: how the multirun is followed; None: no sweeper of the suite has launched the job.
    """

    max_parallel: int | None
    retry_failed: bool
    fail_fast: bool
    replace_resumed: bool
    stop_below: Any
    view: Literal["table", "lines"] | None

    @classmethod
    def of(cls, cfg: DictConfig) -> MultirunSettings:
        """Those of a config; None for what is missing or leads nowhere, which `complete` tells."""
        names = [field.name for field in fields(cls)]
        return cls(*(OmegaConf.select(cfg, f"multirun.{name}", throw_on_resolution_failure=False) for name in names))

    def parallel(self, device: str) -> int:
        """Jobs at a time on this machine.

        Raises:
          UserError: max_parallel is not a positive integer, or there is no such device.
        """
        if self.max_parallel is not None:
            require_integer("multirun.max_parallel", self.max_parallel, 1)
            return self.max_parallel
        try:
            return jobs_at_once(device)
        except ValueError as error:
            raise UserError(f"trainer.device={device}: {error}") from error
