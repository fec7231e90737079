"""Equal numbers of parameters for models of different kinds, as the paper gave its own (section 5.3)."""

from __future__ import annotations

import functools
import math

import numpy as np
import torch
from omegaconf import DictConfig, OmegaConf

from experiments.config.build import build
from experiments.config.packages import option_files
from experiments.errors import UserError

TOLERANCE = 0.1  # the paper's own models differ by as much


def matched_width(model: str, likelihood: str | None = None, *, _root_: DictConfig) -> int:
    """The `net_width` with which this config's model has the number of parameters of a reference.

    The reference is `model` with `likelihood` under the same data, latent sizes and recurrence, its nets
    `latent.width` wide. The recurrent state has the same size in both, as in the paper; only the nets differ.

    Args:
      model: an option of conf/model/.
      likelihood: an option of conf/likelihood/; None: this config's own.
      _root_: the config.
    """
    rest = {key: _root_._get_node(key) for key in _root_ if key not in ("hydra", "net_width")}
    return _match(OmegaConf.to_yaml(OmegaConf.create(rest)), model, likelihood)


@functools.cache
def _match(rest: str, model: str, likelihood: str | None) -> int:
    """The same, from the YAML of a config without its net_width."""
    cfg = OmegaConf.create(rest)
    if not isinstance(cfg, DictConfig):
        raise TypeError(f"the config must be a mapping, got {type(cfg).__name__}")
    reference = at_width(cfg, cfg.latent.width)
    for group, option in (("model", model), ("likelihood", likelihood)):
        if option is not None:
            file = option_files(group)[option]
            reference[group] = OmegaConf.load(file)
    budget = num_parameters(reference)

    # A net's layers have width times width, width times something, or something: a polynomial of degree 2.
    # But for rounding, where weights are masked: so the widths that it is laid through are no small ones.
    widths = (16, 32, 64)
    counts = [num_parameters(at_width(cfg, width)) for width in widths]
    polynomial = np.polynomial.Polynomial.fit(widths, counts, 2).convert()
    width = max(float(root.real) for root in (polynomial - budget).roots())
    best = min((max(1, math.floor(width)), max(1, math.ceil(width))), key=lambda width: abs(polynomial(width) - budget))
    if abs(polynomial(best) - budget) > TOLERANCE * budget:
        raise UserError(
            f"no width gives this model about {budget:,} parameters, those of {model} with "
            f"{likelihood or 'this likelihood'}; nearest is {polynomial(best):,.0f} at width {best}: give net_width, "
            "or larger latent sizes"
        )
    return best


def at_width(cfg: DictConfig, width: int) -> DictConfig:
    """The config with nets of this width."""
    changed = cfg.copy()
    changed.net_width = width
    return changed


def num_parameters(cfg: DictConfig) -> int:
    """Parameters of a config's model, of which nothing but the shapes is made."""
    cfg = at_width(cfg, cfg.net_width)  # or it is asked for at every use
    with torch.device("meta"):
        return build(cfg, "model").num_parameters
