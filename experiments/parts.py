"""Everything a run is made of, built from its config; what is wrong in it is answered before the slow parts begin."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf

from experiments.build import build, check, require_integer
from experiments.errors import UserError
from experiments.tracking import NoTracker
from vrnn.data.splits import Splits
from vrnn.likelihoods.base import Likelihood
from vrnn.models.base import SequenceModel
from vrnn.objectives.base import Objective
from vrnn.training.schedules import Schedule
from vrnn.training.trainer import Trainer

CHECKED = (
    "data",
    "likelihood",
    "recurrence",
    "initialisation",
    "model",
    "objective",
    "optimizer",
    "schedule",
    "trainer",
    "figures",
    "logger",
)


class Parts(NamedTuple):
    """The objects of a run, ready to be put together.

    Attributes:
      trainer, objective, schedule, tracker, model, splits: see their classes.
      optimizer: builds the optimizer from parameters.
      figure: how these data are drawn, see `vrnn.figures`.
    """

    trainer: Trainer
    objective: Objective
    schedule: Schedule
    optimizer: Callable[..., torch.optim.Optimizer]
    tracker: NoTracker
    figure: Any
    model: SequenceModel
    splits: Splits


def cautions(splits: Splits, likelihood: Likelihood) -> list[str]:
    """Sentences that must stand beside every figure of this likelihood on these data."""
    return [sentence for sentence in (splits.caution, likelihood.caution(splits.train.values)) if sentence]


def build_splits(cfg: DictConfig) -> Splits:
    """The data; the last ones made in this process are kept, since the jobs of a multirun often share theirs."""
    text = OmegaConf.to_yaml(cfg.data, resolve=True)
    if text not in _made:
        _made.clear()
        _made[text] = build(cfg, "data")
    return _made[text]


_made: dict[str, Splits] = {}


def build_parts(cfg: DictConfig) -> Parts:
    """Checks every value, then builds; the model's initial weights are those of cfg.seed.

    Raises:
      UserError: the first value that is wrong, or data and a likelihood that do not go together.
    """
    require_integer("seed", cfg.seed, 0)
    for name, size in cfg.latent.items():
        require_integer(f"latent.{name}", size, 1)
    for node in CHECKED:
        check(cfg, node)
    trainer, objective, schedule = build(cfg, "trainer"), build(cfg, "objective"), build(cfg, "schedule")
    tracker, figure, optimizer = build(cfg, "logger"), build(cfg, "figures"), build(cfg, "optimizer")
    try:
        optimizer([torch.zeros(1, requires_grad=True)])
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"optimizer: {error}") from error
    torch.manual_seed(cfg.seed)
    model = build(cfg, "model")
    splits = build_splits(cfg)
    try:
        for values in splits.train.values.split(65_536):  # they may lie in a file that is larger than memory
            model.likelihood.check(values)
    except ValueError as error:
        raise UserError(f"these data and this likelihood do not go together: {error}") from error
    return Parts(trainer, objective, schedule, optimizer, tracker, figure, model, splits)
