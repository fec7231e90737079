"""Published numbers, which stand beside ours only where data and preprocessing are the same."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel, ConfigDict

from experiments.config.identity import ADDED

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
      steps: that a value is of, where a run's sequences are longer; None: a value is of one sequence, as a run's.
      requires: keys of a run's config and the values that make it comparable; data._target_ says which data.
      caveat: what still differs, or is not known; None: nothing.
      rows: label of a model: its numbers.
    """

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
    source: str
    unit: str
    steps: int | None = None
    requires: dict[str, Any]
    caveat: str | None = None
    rows: dict[str, list[Value]]

    def differences(self, config: DictConfig) -> list[str]:
        """What keeps a run's numbers from standing beside these; empty: nothing."""
        values = {key: OmegaConf.select(config, key, default=ADDED.get(key)) for key in self.requires}
        return [f"{key}={values[key]}, not {value}" for key, value in self.requires.items() if values[key] != value]

    @property
    def has_unverified(self) -> bool:
        """Whether some of them are quoted from memory."""
        return not all(value.verified for values in self.rows.values() for value in values)


def find_published(config: DictConfig) -> Published | None:
    """The numbers published on a run's dataset, comparable or not; None where the suite knows none."""
    target = OmegaConf.select(config, "data._target_")
    return next((known for known in literature().values() if known.requires["data._target_"] == target), None)


@cache
def literature() -> dict[str, Published]:
    """All published numbers, by the name of their file."""
    files = sorted(LITERATURE.glob("*.yaml"))
    return {file.stem: Published.model_validate(OmegaConf.to_container(OmegaConf.load(file))) for file in files}
