"""What distinguishes configs: their settings, and where these differ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from experiments.config.build import find_target
from experiments.config.identity import ADDED, idle_keys, root_is_identity
from experiments.config.keys import NOT_IDENTITY, is_below
from experiments.config.overrides import nodes


def settings(config: DictConfig) -> dict[str, str]:
    """A config as one typed it: every value by its key, without the seed and what does not bear on the numbers.

    What the model got from other groups (its likelihood, its recurrence) stands there and is not repeated.
    """
    plain = OmegaConf.to_container(config, resolve=True)
    flat = {key: "null" if value is None else str(value) for key, value in nodes(plain) if not is_branch(value)}
    names = [f"{part}.{name}." for part in ("model", "emission") for name in map(str, config)]
    groups = (*names, "model.initialise.")  # the group initialisation
    others = (name for name in NOT_IDENTITY if name != "data.root")  # other recordings may lie elsewhere
    skipped = ("seed", *idle_keys(config), *others)
    return {key: value for key, value in flat.items() if not key.startswith(groups) and not is_below(key, skipped)}


def is_branch(value: Any) -> bool:
    """Whether keys lie below a value."""
    return isinstance(value, dict) and bool(value)


def differing(found: Sequence[dict[str, str]]) -> dict[str, list[str]]:
    """Keys of several settings, each with its values, where these differ; "–" where there is no such key."""
    keys = dict.fromkeys(key for values in found for key in values)
    older = {key: "null" if value is None else str(value) for key, value in ADDED.items()}
    columns = {key: [values.get(key, older.get(key, "–")) for values in found] for key in keys}
    return {key: values for key, values in columns.items() if len(set(values)) > 1}


def measures(configs: Sequence[DictConfig]) -> set[bool]:
    """What likelihoods are of: True, probabilities of quantised values; False, densities."""
    targets = {target for config in configs if (target := OmegaConf.select(config, "likelihood._target_"))}
    likelihoods: list[Any] = [find_target("likelihood", target) for target in targets]
    return {likelihood.discrete for likelihood in likelihoods}


def data_settings(config: DictConfig) -> dict[str, str]:
    """The settings that say which data these are: where a corpus of a known name lies is none of them."""
    found = {key: value for key, value in settings(config).items() if key.startswith("data.")}
    if not root_is_identity(config):
        found.pop("data.root", None)
    return found
