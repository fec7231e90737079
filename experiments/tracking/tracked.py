"""What a tracker is told of a run as it begins: its name, its command, and its config as people filter by it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf

LEFT_OUT = ("hydra", "multirun", "resume", "run_from")  # nodes that say nothing of what a run computes


@dataclass(frozen=True)
class TrackedRun:
    """A run, as a tracker shows it.

    Attributes:
      directory: of the run.
      name: short: what varies, or what it trains on what.
      config: plain values by which runs can be filtered.
      group: runs that belong together.
      job_type: what the process does.
      command: that was typed.
      tags: to filter by, besides the tracker's own.
      choices: the option of each config group, by which runs can be filtered as well.
    """

    directory: Path
    name: str
    config: Mapping[str, Any]
    group: str
    job_type: Literal["train", "sweep report", "comparison"]
    command: str
    tags: Sequence[str] = ()
    choices: Mapping[str, str] = field(default_factory=dict)


def readable_config(cfg: DictConfig) -> dict[str, Any]:
    """The config without class paths, empty values and what belongs to all jobs together."""
    plain: Any = OmegaConf.to_container(cfg, resolve=True)
    kept: dict[str, Any] = without_fillers({key: value for key, value in plain.items() if key not in LEFT_OUT})
    return kept


def without_fillers(value: Any) -> Any:
    """A value of a config without nulls, empty nodes and keys of the form _target_ in the nodes below it."""
    if isinstance(value, list):
        return [without_fillers(content) for content in value]
    if not isinstance(value, dict):
        return value
    kept = {key: without_fillers(content) for key, content in value.items() if not str(key).startswith("_")}
    return {key: content for key, content in kept.items() if content is not None and content != {}}
