"""Sizes that could never fit, refused before anything of them is made."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from omegaconf import DictConfig, OmegaConf

from experiments.config.build import build
from experiments.errors import UserError
from vrnn.data.splits import Splits
from vrnn.memory import free_memory, require_memory
from vrnn.models.base import SequenceModel
from vrnn.objectives.base import Objective
from vrnn.training.trainer import Trainer

OF_A_MODEL = ("latent", "net_width", "data.x_dim", "likelihood", "recurrence", "model")  # as a user would name them


def require_kind(cfg: DictConfig, node: str, part: Any, kind: type) -> None:
    """Raises UserError where a config builds something else than the part that it stands for."""
    if not isinstance(part, kind):
        raise UserError(f"{node}._target_={cfg[node]._target_}: this makes no {kind.__name__}; choose {node}=<option>")


def build_model(cfg: DictConfig) -> SequenceModel:
    """The model, unless its parameters could never fit: where they are not clearly few, their shapes are made first.

    Shapes alone are quickly made, but the first sum of them imports torch's compiler, which takes more than a second.

    Raises:
      UserError: a value is wrong, or the sizes are too large.
    """
    sizes = dict(sizes_of(cfg))
    largest = max(sizes, key=lambda name: sizes[name], default="model")
    try:
        if bytes_at_most(sizes) > free_memory():
            with torch.device("meta"):
                model = build(cfg, "model")
            require_kind(cfg, "model", model, SequenceModel)
            require_memory(8 * model.num_parameters, "weights and their gradients", sizes)
    except (OverflowError, RuntimeError, ValueError) as error:
        reason = str(error).partition("\n")[0].removeprefix(f"{largest} is too large: ")
        raise UserError(f"{largest}={sizes.get(largest)}: this is too large; {reason}") from error
    model = build(cfg, "model")
    require_kind(cfg, "model", model, SequenceModel)
    return model


def bytes_at_most(sizes: dict[str, int]) -> int:
    """Of weights and gradients: the largest layer has the product of three sizes, means and deviations of a mixture."""
    largest = max(sizes.values(), default=1)
    return 8 * (2 * largest**3 + 16 * len(sizes) * largest**2)


def sizes_of(cfg: DictConfig) -> Iterator[tuple[str, int]]:
    """All integers that a model may follow from, by the keys that a user would change."""
    for key in OF_A_MODEL:
        value = OmegaConf.select(cfg, key)
        plain = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        yield from integers(key, plain)


def integers(key: str, value: Any) -> Iterator[tuple[str, int]]:
    """Those of nested mappings; of a list the largest."""
    if isinstance(value, dict):
        for name, part in value.items():
            yield from integers(f"{key}.{name}", part)
    elif isinstance(value, list):
        yield from (
            (key, max(part for part in value)) for _ in [0] if value and all(type(part) is int for part in value)
        )
    elif type(value) is int:
        yield key, value


def require_activations(model: SequenceModel, objective: Objective, splits: Splits, trainer: Trainer) -> None:
    """Raises UserError where what one update must keep of its batch could never fit."""
    settings = trainer.settings
    if settings.checkpoint_segments is not None:
        return  # it keeps less
    lengths = splits.train.lengths
    mean = max(1, int(lengths.double().mean()))
    rows, steps = min(settings.batch_size, len(lengths)), min(mean, settings.tbptt or mean)
    samples = getattr(objective, "num_samples", 1)
    sizes = {"trainer.batch_size": settings.batch_size, "objective.num_samples": samples}
    require_room_for(
        bytes_kept(model, rows * samples * steps), "the values that one update keeps", sizes, settings.device
    )


def require_room_for(needed: int, what: str, sizes: dict[str, int], device: torch.device | None = None) -> None:
    """Raises UserError, by the key with the largest value, unless so many bytes can be had."""
    try:
        require_memory(needed, what, sizes, device)
    except ValueError as error:
        name = max(sizes, key=lambda name: sizes[name])
        raise UserError(f"{name}={sizes[name]}: {error}") from error


def bytes_kept(model: SequenceModel, steps: int) -> int:
    """Of the outputs of all linear layers over so many steps, each once."""
    return 4 * steps * sum(layer.out_features for layer in model.modules() if isinstance(layer, torch.nn.Linear))
