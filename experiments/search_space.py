"""What a command line and a sweep's YAML make of each other: the first config, what varies, and every known job."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from experiments.names import CONF
from experiments.resume import quoted
from experiments.run_directory import config_hash


class SearchSpace(NamedTuple):
    """A multirun before anything of it is run.

    Attributes:
      cfg: of its first job, with the hydra node.
      overrides: those that bear on it: the parameters of its YAML, then the command line's, which win.
      searchpath: the override that adds a folder of configs to the suite's own, if there is one.
    """

    cfg: DictConfig
    overrides: list[Override]
    searchpath: list[str]

    @property
    def swept(self) -> list[Override]:
        return [override for override in self.overrides if override.is_sweep_override()]

    @property
    def keys(self) -> list[str]:
        """What varies."""
        return sorted(override.get_key_element() for override in self.swept)

    @property
    def shared(self) -> list[str]:
        """Overrides of all jobs alike."""
        fixed = [override for override in self.overrides if not override.is_sweep_override()]
        return [*self.searchpath, *(override.input_line for override in fixed if not is_hydras(override))]

    @property
    def sweeper(self) -> str:
        """The option of the group hydra/sweeper."""
        return self.cfg.hydra.runtime.choices["hydra/sweeper"]

    @property
    def points(self) -> list[dict[str, str]]:
        """Settings of every job of a grid, in order; of a search none is known beforehand."""
        if self.sweeper != "basic":
            return []
        jobs = BasicSweeper.split_arguments(self.overrides, None)[0]
        pairs = ([text.split("=", 1) for text in job] for job in jobs)
        return [{key: value for key, value in job if key in self.keys} for job in pairs]

    @property
    def trials(self) -> int | None:
        """Jobs of a search; None: it is a grid."""
        return None if self.sweeper == "basic" else self.cfg.hydra.sweeper.get("n_trials") or 0

    @property
    def directory(self) -> Path:
        """The same for the same config and search space, whatever the order of the words."""
        varies = {override.key_or_group for override in self.swept}
        choices = self.cfg.hydra.runtime.choices
        name = choices.get("sweep") or (None if "experiment" in varies else choices.get("experiment"))
        with open_dict(self.cfg):
            own = OmegaConf.masked_copy(self.cfg, [key for key in self.cfg if key != "hydra"])
        space = sorted(override.input_line for override in self.swept if not is_hydras(override))
        content = [config_hash(own, resolve=False), space]  # not resolved: jobs may differ in what that gives
        if self.sweeper != "basic":  # how points are chosen, but not how many: a longer search goes on with a shorter
            content += [self.sweeper, OmegaConf.to_container(self.cfg.hydra.sweeper.get("sampler") or {})]
        digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:8]
        return Path("outputs/sweeps") / f"{(name or self.cfg.hydra.job.name).replace('/', '-')}-{digest}"


def read_space(given: list[str], *, multirun: bool, config_dir: str | None = None) -> SearchSpace | None:
    """The search space of a command line; None where it is that of a single run.

    Args:
      given: its overrides.
      multirun: it asks for a multirun by a flag; otherwise the config says whether it is one.
      config_dir: a folder of configs besides the suite's own.

    Raises:
      HydraException, OmegaConfBaseException: its first job does not compose.
    """
    with initialize_config_dir(str(CONF), version_base="1.3"):
        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        typed = parser.parse_overrides(given)
        searchpath = [f"hydra.searchpath=[{quoted(f'file://{Path(config_dir).resolve()}')}]"] if config_dir else []
        cfg = compose("train", searchpath + first_job(typed), return_hydra_config=True)
        if not multirun and cfg.hydra.mode != RunMode.MULTIRUN:
            return None
        params = cfg.hydra.sweeper.get("params") or {}
        own = parser.parse_overrides([f"{key}={value}" for key, value in params.items()])
        overrides = list({override.get_key_element(): override for override in (*own, *typed)}.values())
        for override in overrides:
            # A copy that lives on: what a glob stands for is looked up in this context.
            override.config_loader = parser.config_loader
        if own:
            cfg = compose("train", searchpath + first_job(overrides), return_hydra_config=True)
        return SearchSpace(cfg, overrides, searchpath)


def first_job(overrides: Iterable[Override]) -> list[str]:
    """The overrides of the first job; of an interval its lower end."""
    found = []
    for override in overrides:
        if not override.is_sweep_override():
            found.append(override.input_line)
            continue
        value = override.value()
        first = value.start if isinstance(value, IntervalSweep) else next(iter(override.sweep_string_iterator()))
        found.append(f"{override.get_key_element()}={first}")
    return found


def is_hydras(override: Override) -> bool:
    """Whether it says how jobs are run, not what they compute."""
    return override.key_or_group.partition(".")[0].partition("/")[0] == "hydra"
