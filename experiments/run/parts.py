"""Everything a run is made of, built from its config; what is wrong in it is answered before the slow parts begin."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf

from experiments.cli.arguments import options
from experiments.config.build import build, check, require_integer
from experiments.config.keys import PARTS
from experiments.config.sizes import build_model, require_activations, require_kind
from experiments.errors import UserError
from experiments.tracking.guard import GuardedTracker, build_tracker
from vrnn.data.checks.fingerprint import Fingerprint
from vrnn.data.checks.inspection import NotFinite, inspect
from vrnn.data.splits import Splits
from vrnn.likelihoods.base import Likelihood
from vrnn.models.base import SequenceModel
from vrnn.objectives.base import Objective
from vrnn.training.adam import make_optimizer
from vrnn.training.schedules import Schedule
from vrnn.training.trainer import Trainer


class InspectedData(NamedTuple):
    """Data that have been looked through.

    Attributes:
      splits: the data.
      fingerprint: what they are recognised by.
    """

    splits: Splits
    fingerprint: Fingerprint


class Parts(NamedTuple):
    """The objects of a run, ready to be put together.

    Attributes:
      trainer, objective, schedule, tracker, model, data: see their classes.
      optimizer: builds the optimizer from parameters.
      figure: how these data are drawn, see `vrnn.figures`.
    """

    trainer: Trainer
    objective: Objective
    schedule: Schedule
    optimizer: Callable[..., torch.optim.Optimizer]
    tracker: GuardedTracker
    figure: Any
    model: SequenceModel
    data: InspectedData

    @property
    def splits(self) -> Splits:
        return self.data.splits


def cautions(splits: Splits, likelihood: Likelihood) -> list[str]:
    """Sentences that must stand beside every figure of this likelihood on these data."""
    found = [splits.caution]
    whole = splits.train.whole_rows(10_000)  # what is stored for a missing value is no value
    found += [likelihood.caution(whole)] if len(whole) else []
    return [sentence for sentence in found if sentence]


def build_data(cfg: DictConfig, likelihood: Likelihood) -> InspectedData:
    """The data, all of whose values are finite and something that the likelihood can model.

    The last ones made in this process are kept, since the jobs of a multirun often share theirs.

    Raises:
      UserError: they cannot be made, or a value is none; the message names the split and, where one is, the sequence.
    """
    likelihood = likelihood.plain
    text = OmegaConf.to_yaml(cfg.data, resolve=True)
    identity = f"{type(likelihood).__qualname__} {sorted(vars(likelihood).items())}"
    if text not in _made:
        _made.clear()
        _made[text] = (build(cfg, "data"), {})
    splits, found = _made[text]
    if identity not in found:

        def check(name: str, values: torch.Tensor) -> None:
            try:
                if getattr(splits, name).observed is not None:
                    likelihood.require_missing()
                likelihood.check(values)
            except ValueError as error:
                raise UserError(f"these data and this likelihood do not go together: {error} ({name})") from error

        try:
            found[identity] = inspect(splits, check, identity)
        except NotFinite as error:
            raise UserError(f"data: {error}; correct what it was read from, or take it away") from error
    return InspectedData(splits, found[identity])


_made: dict[str, tuple[Splits, dict[str, Fingerprint]]] = {}


def build_parts(cfg: DictConfig) -> Parts:
    """Checks every value, then builds; the model's initial weights are those of cfg.seed.

    Raises:
      UserError: the first value that is wrong, or data and a likelihood that do not go together.
    """
    require_parts(cfg)
    trainer, objective, schedule = build(cfg, "trainer"), build(cfg, "objective"), build(cfg, "schedule")
    tracker, figure, optimizer = build_tracker(cfg), build(cfg, "figures"), build(cfg, "optimizer")
    try:
        make_optimizer(optimizer, [torch.zeros(1, requires_grad=True)])
    except (ValueError, TypeError, RuntimeError) as error:
        raise UserError(f"optimizer: {error}") from error
    torch.manual_seed(cfg.seed)
    model = build_model(cfg)
    for node, part, kind in (("trainer", trainer, Trainer), ("objective", objective, Objective)):
        require_kind(cfg, node, part, kind)
    if isinstance(schedule, partial) or not callable(schedule):
        raise UserError(
            f"schedule._target_={cfg.schedule._target_}: this is no schedule; schedule=<option> chooses one"
        )
    if not isinstance(optimizer, partial):
        raise UserError("optimizer._partial_: it must be true, since the parameters come later; leave it out")
    if model.looks_ahead and trainer.settings.checkpoint_segments is not None:
        raise UserError(
            f"trainer.checkpoint_segments={trainer.settings.checkpoint_segments}: expected null, since the model's "
            "posterior looks ahead, and would see no further than a segment"
        )
    data = build_data(cfg, model.likelihood)
    if cfg.get("emission_bias") == "train":
        model.set_emission_bias(model.likelihood.fit(data.splits.train.known))
    require_activations(model, objective, data.splits, trainer)
    return Parts(trainer, objective, schedule, optimizer, tracker, figure, model, data)


def require_parts(cfg: DictConfig) -> None:
    """Raises UserError where a part of a run is missing, or a value of one does not fit."""
    require_integer("seed", cfg.seed, 0)
    for name, size in cfg.latent.items():
        require_integer(f"latent.{name}", size, 1)
    for node in PARTS:
        if not OmegaConf.is_dict(cfg.get(node)) or "_target_" not in cfg[node]:
            raise UserError(missing_part(cfg, node))
        check(cfg, node)


def missing_part(cfg: DictConfig, node: str) -> str:
    """What to say where a part of a run was taken away, or is not one."""
    word = f"{node}={cfg[node]}" if node in cfg else f"~{node}"
    word = f"~{node}._target_" if OmegaConf.is_dict(cfg.get(node)) else word
    return f"{word}: a run needs one; leave this out, or choose one with {node}=<option> ({', '.join(options(node))})"
