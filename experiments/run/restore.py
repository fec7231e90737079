"""A finished run's model and data, for the apps that look at it."""

from __future__ import annotations

from typing import NamedTuple

import torch
from omegaconf import DictConfig, OmegaConf

from experiments.config.sizes import build_model
from experiments.config.untrusted import withdraw_consent
from experiments.errors import UserError
from experiments.run.data import Other, look_at
from experiments.run.directory import RunDirectory
from experiments.run.parts import build_data
from experiments.text import plain
from vrnn.data.splits import Sequences, Splits
from vrnn.models.base import SequenceModel
from vrnn.training import checkpoint
from vrnn.training.device import find_device


class Restored(NamedTuple):
    """A run as it was: its config, its data, and its model with the weights of a checkpoint, on `device`.

    The data are standardised as those of its training. `other` says what they are where they are not its own, and
    `notes` what a person should know of them.
    """

    cfg: DictConfig
    splits: Splits
    sequences: Sequences
    model: SequenceModel
    step: int
    notes: list[str]
    other: Other | None


def restore(run: RunDirectory, asked: DictConfig) -> Restored:
    """Builds a run's data and model from its own config, and loads a checkpoint into the model.

    Args:
      run: its directory.
      asked: an app's config, with split, checkpoint, device, root (of other data) and consent (keys of the run's config
        that weaken safety and are taken nevertheless).

    Raises:
      UserError: something is missing or does not fit; the message says what.
    """
    split, which, root = asked.split, asked.checkpoint, asked.root
    cfg = run.read_config()
    withdrawn = [
        key for key in withdraw_consent(cfg, asked.consent) if not key.startswith("logger.")
    ]  # it is not built
    notes = [f"{key} weakens safety, so it has its default; consent=[{key}] takes the run's value" for key in withdrawn]
    own_root = cfg.data.get("root")
    if root is not None:
        OmegaConf.update(cfg, "data.root", root, force_add=True)
    try:
        place = find_device(asked.device)
    except ValueError as error:
        raise UserError(f"device={asked.device}: {error}") from error
    try:
        file = run.checkpoints / f"{which}.pt"
        content = checkpoint.load(file, place)
        trained = checkpoint.standardisation(file, content)
    except checkpoint.CheckpointError as error:
        raise UserError(str(error)) from error
    model = build_model(cfg)
    try:
        model.load_state_dict(content["model"])
        step = int(content["step"] if which == "best" else content["progress"]["step"])
    except (KeyError, TypeError, ValueError, AttributeError, RuntimeError) as error:
        reason = plain(" ".join(str(error).split()))[:300]
        raise UserError(
            f"{run.checkpoints / which}.pt does not fit the model of {run.config_file} ({reason})"
        ) from error
    try:
        data = build_data(cfg, model.likelihood)
    except UserError as error:
        if withdrawn:
            raise UserError(f"{error}; {'; '.join(notes)}") from error
        raise
    splits, more, other = look_at(run, cfg, data, trained, root, own_root)
    notes += more
    torch.manual_seed(cfg.seed)
    return Restored(cfg, splits, getattr(splits, split).to(place), model.to(place).eval(), step, notes, other)
