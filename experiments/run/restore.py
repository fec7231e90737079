"""A run's model and data as they were, for what looks at them afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, get_args, get_type_hints

import torch
from omegaconf import DictConfig, OmegaConf

from experiments.config.build import find_target
from experiments.config.sizes import build_model
from experiments.config.untrusted import withdraw_consent
from experiments.errors import UserError
from experiments.run.data import DataSettings, Other, Settled, look_at
from experiments.run.directory import RunDirectory
from experiments.run.parts import build_data
from experiments.text import plain
from vrnn.data.splits import Sequences, Splits, Standardisation
from vrnn.models.base import SequenceModel
from vrnn.training import checkpoint
from vrnn.training.device import find_device


class Trained(NamedTuple):
    """A run's model with the weights of a checkpoint.

    Attributes:
      cfg: the run's config, without the consents that were withdrawn.
      model: ready to be evaluated, on its device.
      step: updates after which the checkpoint was written.
      standardisation: of the data that it was trained on; None: an earlier version wrote the checkpoint.
      notes: a sentence for each consent that was withdrawn.
    """

    cfg: DictConfig
    model: SequenceModel
    step: int
    standardisation: Standardisation | None
    notes: list[str]


class Request(NamedTuple):
    """What a run is to be looked at with.

    Attributes:
      split: of the data, "train", "valid" or "test".
      checkpoint: "best" or "last".
      device: to hold the model.
      root: of other data; None: the run's own.
      consent: keys of the run's config that weaken safety and are taken nevertheless.
    """

    split: str
    checkpoint: str
    device: str
    root: str | None
    consent: Sequence[str]


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


def restore(run: RunDirectory, request: Request, whole: bool = False) -> Restored:
    """Builds a run's data and model from its own config, and loads a checkpoint into the model.

    Args:
      run: its directory.
      request: what to look at.
      whole: whether other data are not divided, where the dataset can leave them whole: each split is all of them.

    Raises:
      UserError: something is missing or does not fit; the message says what.
    """
    trained = restore_model(run, request.checkpoint, request.device, request.consent)
    settled = restore_data(run, trained, request.root, whole)
    sequences = getattr(settled.splits, request.split).to(find_device(request.device))
    torch.manual_seed(trained.cfg.seed)
    notes = [*trained.notes, *settled.notes]
    return Restored(trained.cfg, settled.splits, sequences, trained.model, trained.step, notes, settled.other)


def restore_model(run: RunDirectory, which: str, device: str, consent: Sequence[str] = ()) -> Trained:
    """Builds a run's model from its own config, and loads a checkpoint into it.

    Args:
      run: its directory.
      which: the checkpoint, "best" or "last".
      device: to hold the model.
      consent: keys of the run's config that weaken safety and are taken nevertheless.

    Raises:
      UserError: something is missing or does not fit; the message says what.
    """
    cfg = run.read_config()
    # The logger is not built, so its consents do not matter.
    withdrawn = [key for key in withdraw_consent(cfg, consent) if not key.startswith("logger.")]
    notes = [f"{key} weakens safety, so it has its default; consent=[{key}] takes the run's value" for key in withdrawn]
    try:
        place = find_device(device)
    except ValueError as error:
        raise UserError(f"device={device}: {error}") from error
    try:
        file = run.checkpoints / f"{which}.pt"
        content = checkpoint.load(file, place)
        standardisation = checkpoint.standardisation(file, content)
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
    return Trained(cfg, model.to(place).eval(), step, standardisation, notes)


def restore_data(run: RunDirectory, trained: Trained, root: str | None = None, whole: bool = False) -> Settled:
    """Makes the data of a run's own config, standardised as its model was trained, or those of another folder.

    Args:
      run: its directory.
      trained: its model; `data.root` of its config becomes `root`.
      root: the folder of other data; None: the run's own.
      whole: see `restore`.

    Raises:
      UserError: they cannot be made, or are others than the run's and no `root` was given.
    """
    cfg = trained.cfg
    run_root = cfg.data.get("root")
    if root is not None:
        OmegaConf.update(cfg, "data.root", root, force_add=True)
    try:
        data = build_data(undivided(cfg) if whole and root is not None else cfg, trained.model.likelihood)
    except UserError as error:
        message = str(error).replace("data.root=", "root=")  # what it is called beside a run
        raise UserError("; ".join([message, *trained.notes])) from error
    return look_at(run, DataSettings.of(cfg), data, trained.standardisation, root, run_root)


def undivided(cfg: DictConfig) -> DictConfig:
    """A config whose dataset divides nothing, where it can: its `split` may be "none", and there are no windows."""
    hints = get_type_hints(find_target("data", cfg.data._target_))
    if "none" not in get_args(hints.get("split")):
        return cfg
    cfg = cfg.copy()
    cfg.data.update(split="none", window=None, stride=None)
    return cfg
