"""Likelihoods and models as conf/ has them, small and in float64: what the laws run over, whatever is added."""

from __future__ import annotations

import copy
import functools

import torch
from hydra.utils import get_class
from omegaconf import DictConfig, OmegaConf, open_dict

from experiments.config.build import build
from tests.conf import composed, hydra_ready, options, raw
from vrnn.likelihoods.base import Likelihood
from vrnn.models.base import SequenceModel

SIZES = ("data.x_dim=3", "latent.z_dim=2", "latent.h_dim=7", "net_width=16", "+data.quantize=21")


@functools.cache
def _composed(group: str, option: str) -> DictConfig:
    with hydra_ready():
        return composed(f"{group}={option}", *SIZES)


def _config(model: str, recurrence: str, likelihood: str) -> DictConfig:
    """The config of a combination; its parts are composed one by one, since there are fewer of them."""
    cfg = _composed("model", model).copy()
    cfg.recurrence = OmegaConf.to_container(_composed("recurrence", recurrence).recurrence)
    cfg.likelihood = OmegaConf.to_container(_composed("likelihood", likelihood).likelihood)
    return cfg


def build_model(model: str, recurrence: str = "gru", likelihood: str = "gaussian", changes: str = "") -> SequenceModel:
    """A model of D = 3, Z = 2 and H = 7 from options of conf/, its weights those of seed 0, in float64.

    Args:
      model, recurrence, likelihood: options.
      changes: further keys and values, "model.smoothing=false recurrence.num_layers=2", and emission=<option>.
    """
    return copy.deepcopy(_built(model, recurrence, likelihood, changes))


@functools.cache
def _built(model: str, recurrence: str, likelihood: str, changes: str) -> SequenceModel:
    cfg = _config(model, recurrence, likelihood)
    for change in changes.split():
        key, _, value = change.partition("=")
        if key == "emission":
            inside = _composed(key, value)
            with open_dict(cfg):
                cfg.emission = OmegaConf.to_container(inside.emission)
            cfg.model.likelihood = OmegaConf.to_container(inside.model, resolve=False)["likelihood"]
            continue
        OmegaConf.update(cfg, key, OmegaConf.create(f"value: {value}").value)
    torch.manual_seed(0)
    return build(cfg, "model").double()


def build_likelihood(option: str) -> Likelihood:
    """A likelihood of D = 3 from an option of conf/."""
    return build(_config("rnn", "gru", option), "likelihood")


def factorising() -> list[str]:
    """The likelihoods whose values are independent in a step, told by their classes, since nothing is built yet."""
    classes = {option: get_class(raw("likelihood", option)["_target_"]) for option in options("likelihood")}
    return [option for option, kind in classes.items() if kind.dims_of_params is not Likelihood.dims_of_params]


def inside_emissions() -> list[str]:
    """The changes that choose an emission in which a value depends on others of its step."""
    return [f"emission={option}" for option in options("emission") if option != "factorised"]
