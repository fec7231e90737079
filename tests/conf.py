"""What the tests of conf/ look at: the options of a group, a file's own content, and what Hydra composes."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from omegaconf import DictConfig, OmegaConf, open_dict

from experiments.cli.context import JobContext
from experiments.config.paths import CONF
from experiments.config.resolvers import register_resolvers


def options(group: str) -> list[str]:
    """All choices of a group, nested ones as `folder/name`."""
    return sorted(str(path.relative_to(CONF / group).with_suffix("")) for path in (CONF / group).rglob("*.yaml"))


def raw(group: str, option: str) -> dict[str, Any]:
    """A file's own content."""
    return OmegaConf.to_container(OmegaConf.load(CONF / group / f"{option}.yaml"))


def overridden(group: str, option: str) -> dict[str, str]:
    """The `override /group: option` lines of a file, and of the options of its own group that it builds on."""
    found: dict[str, str] = {}
    for entry in raw(group, option).get("defaults", ()):
        if isinstance(entry, dict):
            found |= {key.split("@")[0].removeprefix("override /"): value for key, value in entry.items()}
        elif entry != "_self_":
            found |= overridden(group, entry)
    return found


@contextmanager
def hydra_ready() -> Iterator[None]:
    """Hydra composes from conf/ inside; where a test has it do so already, that stays."""
    register_resolvers()
    if GlobalHydra.instance().is_initialized():
        yield
    else:
        with initialize_config_dir(str(CONF), version_base="1.3"):
            yield


@functools.cache  # many tests begin with the same
def whole(app: str, overrides: tuple[str, ...]) -> DictConfig:
    """What Hydra composes, with its own node; only to be looked at."""
    return compose(app, list(overrides), return_hydra_config=True)


def composed(*overrides: str, app: str = "train") -> DictConfig:
    """A config of one's own."""
    cfg = whole(app, overrides)
    with open_dict(cfg):
        return OmegaConf.masked_copy(cfg, [key for key in cfg if key != "hydra"])


def chosen(*overrides: str) -> dict[str, str]:
    """The option of every group."""
    return dict(whole("train", overrides).hydra.runtime.choices)


def context(app: str = "train", *overrides: str) -> JobContext:
    """The start of a single run, as Hydra would tell it."""
    return JobContext(app, overrides, {}, 0, Path("outputs"), None, "", OmegaConf.create(), None)
