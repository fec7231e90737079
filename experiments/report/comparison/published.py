"""What bounds are read against: fitted references, and published numbers where data and preprocessing are the same."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any, Literal

from omegaconf import DictConfig, OmegaConf
from pydantic import BaseModel, ConfigDict

from experiments.config.identity import ADDED
from experiments.report.blocks.tables import EMPTY, Cell, Column, Filled, number
from experiments.report.columns import Sign
from experiments.report.rows import Mean, Row

# Not in conf/, where every folder is a group that builds an object: these are facts, and no run depends on them.
LITERATURE = Path(__file__).parent / "literature"


class Value(BaseModel):
    """One published log-likelihood; higher is better, whatever sign the paper prints.

    Attributes:
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


def find_published(config: DictConfig) -> Published | None:
    """The numbers published on a run's dataset, comparable or not; None where the suite knows none."""
    target = OmegaConf.select(config, "data._target_")
    return next((known for known in literature().values() if known.requires["data._target_"] == target), None)


@cache
def literature() -> dict[str, Published]:
    """All published numbers, by the name of their file."""
    files = sorted(LITERATURE.glob("*.yaml"))
    return {file.stem: Published.model_validate(OmegaConf.to_container(OmegaConf.load(file))) for file in files}


def published_cell(values: Sequence[Value], sign: Sign, *, estimate: bool) -> Cell:
    """The number of one kind, if there is one."""
    for value in values:
        if (value.kind == "estimate") == estimate:
            digits = 0 if float(value.value).is_integer() else 2
            remark = "" if value.verified else "unverified"
            return number(sign.value(value.value), digits, mark=sign.mark(value.kind), remark=remark)
    return EMPTY


def published_columns(
    ours: Sequence[Sequence[Value]], foreign: Sequence[Sequence[Value]], unit: str, sign: Sign
) -> list[Filled]:
    """Published numbers of our models; of others the estimates alone, for their bounds stand among ours."""
    bounds = [published_cell(values, sign, estimate=False) for values in ours]
    estimates = [published_cell(values, sign, estimate=True) for values in (*ours, *foreign)]
    titles = {"published": bounds, "published estimate": estimates}
    return [(Column(title, unit, minor=True), cells) for title, cells in titles.items()]


def references_of(rows: Sequence[Row]) -> dict[str, dict[str, Mean]]:
    """What a bound is read against, by name: the figures of the first counted run that has them."""
    references: dict[str, dict[str, Mean]] = {}
    for key, figure in (item for row in rows for job in row.counted for item in job.result["figures"].items()):
        kind, _, rest = key.partition("/")
        reference, _, name = rest.rpartition("/")
        if kind == "reference" and name.startswith("log_likelihood"):
            references.setdefault(reference, {}).setdefault(name, Mean.of_seeds([figure]))
    return references
