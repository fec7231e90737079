"""What the JSON files of runs and sweeps must be like, so that nobody's file is taken at its word.

What a file holds besides is passed on as it is: plain values, whose text `reading` has made harmless.
"""

from __future__ import annotations

import math
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field

Count = Annotated[int, Field(ge=0, lt=2**63)]
Kind = Literal["exact", "lower_bound", "upper_bound", "estimate"]
# JSON has no word for a number that is not finite.
Number = Annotated[float, BeforeValidator(lambda value: math.nan if value is None else value)]
Spread = Annotated[float | None, AfterValidator(lambda value: value if math.isfinite(value or 0.0) else None)]


class Content(BaseModel):
    model_config = ConfigDict(strict=True, extra="allow")


class Measurement(Content):
    """A figure of a result or an evaluation."""

    value: Number
    standard_error: Spread = None
    count: Count
    unit: str
    space: str
    kind: Kind
    monte_carlo_error: Spread = None


class Failure(Content):
    kind: str
    message: str


class Result(Content):
    """result.json."""

    format: int = 1
    status: Literal["done", "failed", "interrupted"]
    error: Failure | None = None
    config_hash: str | None
    identity_rule: int = 1  # of config_hash
    seed: Any = None
    step: Count
    best_step: Count | None = None
    figures: dict[str, Measurement]
    parameters: Count | None = None
    seconds: float = 0.0
    stopped: str = ""
    pruned: bool = False
    overrides: list[str] = []
    cautions: list[str] = []
    warnings: list[str] = []
    command: str = ""
    commit: str | None = None
    dirty: bool | None = None
    threads: int | None = None
    versions: dict[str, str] = {}


class Evaluation(Content):
    """A file of evaluations/."""

    format: int = 1
    checkpoint: str
    step: Count
    cautions: list[str] = []
    figures: dict[str, Measurement]
    on: dict[str, Any] | None = None
    not_finite: str | None = None


class DataFile(Content):
    """data.json; what train, valid and test hold is looked at by `vrnn.data.checks.fingerprint`."""

    format: int = 1
    settings: dict[str, Any]
    standardisation: dict[str, list[float]]
    files: dict[str, Count]
    train: dict[str, Any]
    valid: dict[str, Any]
    test: dict[str, Any]


class PlanFile(Content):
    """sweep.json."""

    format: int = 1
    command: str
    overrides: list[str]
    keys: list[str]
    points: list[dict[str, str]]
    trials: Count | None = None
    repeated: Count = 0


class Identity(Content):
    """wandb/identity.json."""

    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")]
    name: str
    tags: list[str] = []
    choices: dict[str, str] = {}


class MetricsLine(Content):
    """A line of metrics.jsonl: numbers by name, and the kind of the bound where it was validated."""

    __pydantic_extra__: dict[str, float | int | None]

    step: Count
    epoch: Count
    kind: Kind | None = None
