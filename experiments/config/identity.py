"""What tells whether two configs compute the same: which keys bear on the numbers, and a hash of these."""

from __future__ import annotations

import functools
import hashlib
import json
from typing import get_type_hints

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.config.build import find_target
from experiments.config.keys import COUNTED_AT_FIRST, NOT_IDENTITY
from experiments.errors import UserError
from vrnn.data.marks import Corpus

RULE = 2  # of `config_hash`; what was recorded without a number is of the first
# Keys that were added later, each with the value at which a run computes what runs did before there was the key.
ADDED = {
    "emission_bias": "initial",
    "trainer.precision": "fp32",
    "recurrence.num_layers": 1,
    "model.recurrence.num_layers": 1,
    "data.verify": True,
    "data.valid_fraction": None,
    "data.on_bad": "error",
    "data.assignment": "order",
    "model.mask_input": False,
}
# Keys that were added later, each with another key and its values beside which it changes nothing.
IDLE = {
    "data.assignment": {"data.variant": ("simplified",), "data.split": ("folders", "lists")},
}


def config_hash(cfg: DictConfig, *, resolve: bool = True, rule: int = RULE) -> str:
    """Identifies what a run computes: a hash of its config, without logger, device and paths.

    Args:
      cfg: the config.
      resolve: follow interpolations; False: take them as they stand.
      rule: 1, which counts `COUNTED_AT_FIRST` as well, or 2.

    Raises:
      UserError: an interpolation leads nowhere, such as a variable of the environment that is not set.
    """
    try:
        plain = DictConfig(OmegaConf.to_container(cfg, resolve=resolve))
    except OmegaConfBaseException as error:
        raise UserError(f"{error.full_key}: {str(error).splitlines()[0]}") from error
    found = functools.partial(OmegaConf.select, plain, throw_on_resolution_failure=False)  # some may not be resolved
    if found("multirun.stop_below") is None:
        plain.pop("multirun", None)
    added = [key for key, value in ADDED.items() if found(key) == value]
    added += idle_keys(plain)
    for key in (*added, *NOT_IDENTITY):
        if (key == "data.root" and root_is_identity(cfg)) or (rule == 1 and key in COUNTED_AT_FIRST):
            continue
        parent, _, name = key.rpartition(".")
        node = found(parent) if parent else plain
        if node is not None and name in list(node):
            del node[name]  # pop would resolve it
    text = json.dumps(OmegaConf.to_container(plain), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def directory_hash(cfg: DictConfig, *, resolve: bool = True) -> str:
    """Names the directory of jobs with this config: by the first rule, so that directories are found for ever."""
    return config_hash(cfg, resolve=resolve, rule=1)


def idle_keys(cfg: DictConfig) -> list[str]:
    """The keys of `IDLE` that change nothing beside the values of other keys of this config."""
    return [
        key
        for key, others in IDLE.items()
        if any(
            OmegaConf.select(cfg, other, throw_on_resolution_failure=False) in values
            for other, values in others.items()
        )
    ]


def root_is_identity(cfg: DictConfig) -> bool:
    """Whether another `data.root` means other data, as for any folder of recordings."""
    target = OmegaConf.select(cfg, "data._target_")
    return target is not None and get_type_hints(find_target("data", target), include_extras=True).get("root") == Corpus
