"""Published numbers, which stand beside ours only where data and preprocessing are the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel, ConfigDict

# Not in conf/, where every folder is a group that builds an object: these are facts, and no run depends on them.
LITERATURE = Path(__file__).parent / "literature"


class Value(BaseModel):
    """One published number.

    Attributes:
      value: log-likelihood; higher is better, whatever sign the paper prints.
      kind: what it is to log p(x).
      verified: read in a paper; False: quoted from memory, and printed with the word "unverified".
      source: who published it, where it is not the file's own source.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    value: float | int
    kind: Literal["exact", "lower_bound", "estimate"]
    verified: bool
    source: str | None = None


class Published(BaseModel):
    """The published numbers on one dataset.

    Attributes:
      source: of all rows that name none.
      unit: of all values.
      requires: keys of a run's config and the values that make it comparable.
      rows: label of a model: its numbers.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    source: str
    unit: str
    requires: dict[str, Any]
    rows: dict[str, list[Value]]

    def differences(self, config: DictConfig) -> list[str]:
        """What keeps a run's numbers from standing beside these; empty: nothing."""
        found = {key: OmegaConf.select(config, key) for key in self.requires}
        return [f"{key}={found[key]}, not {value}" for key, value in self.requires.items() if found[key] != value]


def read_published(dataset: str) -> Published | None:
    """The numbers published on a dataset.

    Args:
      dataset: an option of the group `data`.

    Returns:
      The numbers; None where the suite knows none.
    """
    file = LITERATURE / f"{dataset}.yaml"
    return Published(**OmegaConf.to_container(OmegaConf.load(file))) if file.is_file() else None
