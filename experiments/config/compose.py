"""Composing a config of an app outside of Hydra's own start."""

from __future__ import annotations

from collections.abc import Sequence

from hydra import compose
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf import DictConfig, open_dict
from omegaconf.errors import OmegaConfBaseException

from experiments.config.explain import explain_composition
from experiments.errors import UserError


def settled(cfg: DictConfig) -> DictConfig:
    """The config with its net_width computed, once instead of at every use.

    Raises:
      UserError: it cannot be computed.
    """
    try:
        if "net_width" in cfg:
            cfg.net_width = cfg.net_width
    except OmegaConfBaseException as error:
        message = str(error).splitlines()[0].removeprefix("UserError raised while resolving interpolation: ")
        raise UserError(f"net_width: {message}") from error
    return cfg


def compose_job(overrides: Sequence[str]) -> DictConfig:
    """The config that a job of experiments.train has under these overrides.

    Raises:
      UserError: they do not compose, or net_width cannot be computed.
    """
    return job_config(compose_train(overrides))


def job_config(composed: DictConfig) -> DictConfig:
    """What a job gets of a composed config: without the hydra node, its net_width computed. Changes it in place."""
    with open_dict(composed):
        composed.pop("hydra")
        return settled(composed)


def compose_train(overrides: Sequence[str]) -> DictConfig:
    """The config of experiments.train under these overrides, with its hydra node.

    Raises:
      UserError: they do not compose; Hydra's own message says why.
    """
    try:
        OverridesParser.create().parse_overrides(list(overrides))
        return compose("train", list(overrides), return_hydra_config=True)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise UserError(explain_composition(error, overrides, "train") or str(error)) from error
