"""Sweeps up to their first job, in this process: what Hydra's start makes of a command line."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from hydra import compose, initialize_config_dir
from hydra.core.config_loader import ConfigLoader
from hydra.core.global_hydra import GlobalHydra
from hydra.core.plugins import Plugins
from hydra.types import HydraContext, RunMode
from omegaconf import DictConfig

from experiments.cli.app import AppTask, fail
from experiments.config.paths import CONF
from experiments.sweep.multirun import Multirun
from experiments.sweep.space import SearchSpace, read_space


def composed_run(*words: str) -> DictConfig:
    """The config of a single run, with its hydra node."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", list(words), return_hydra_config=True)


@contextmanager
def hydra(words: Sequence[str]) -> Iterator[tuple[DictConfig, ConfigLoader]]:
    """The config for the sweeper, and the loader of configs."""
    with initialize_config_dir(str(CONF), version_base="1.3"):
        main = GlobalHydra.instance().hydra
        config = main.compose_config("train", [*words, "hydra.mode=MULTIRUN"], run_mode=RunMode.MULTIRUN)
        yield config, main.config_loader


def space(*words: str) -> SearchSpace:
    """The search space of these overrides."""
    with hydra(words) as (config, loader):
        return read_space(config, loader, is_grid=config.hydra.sweeper._target_.endswith(".GridSweeper"))


def prepare(*words: str) -> Multirun:
    """The multirun of these overrides, refused or with its lock taken."""
    with hydra(words) as (config, loader):
        task = AppTask("train", lambda cfg, context: 0, fail, completed=False)
        task.words = ["--multirun", *words]
        context = HydraContext(config_loader=loader, callbacks=None)
        sweeper = Plugins.instance().instantiate_sweeper(config=config, hydra_context=context, task_function=task)
        return sweeper.work
