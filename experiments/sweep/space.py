"""What a command line and a sweep's YAML make of each other: the first config, what varies, and every known job."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra import compose, initialize_config_dir
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf, open_dict

from experiments.config.identity import directory_hash
from experiments.config.keys import OF_ALL_JOBS
from experiments.config.overrides import quoted
from experiments.config.paths import CONF
from experiments.errors import UserError

PARAMS = "hydra.sweeper.params."


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
    def is_grid(self) -> bool:
        """Whether every job is known beforehand."""
        return self.cfg.hydra.sweeper._target_.endswith(".BasicSweeper")

    @property
    def points(self) -> list[dict[str, str]]:
        """Settings of every job of a grid, in order and once; of a search none is known beforehand."""
        if not self.is_grid:
            return []
        jobs = BasicSweeper.split_arguments(self.overrides, None)[0]
        pairs = ([text.split("=", 1) for text in job] for job in jobs)
        found = [{key: value for key, value in job if key in self.keys} for job in pairs]
        return list({json.dumps(point, sort_keys=True): point for point in found}.values())

    @property
    def trials(self) -> int | None:
        """Trials of a search; None: it is a grid."""
        return None if self.is_grid else self.cfg.hydra.sweeper.get("n_trials") or 0

    @property
    def first_job(self) -> list[str]:
        """The overrides of one job: of a grid the first by name, of a search that with the first value of each key."""
        if not self.is_grid:
            return first_values(self.overrides)
        fixed = [override.input_line for override in self.overrides if not override.is_sweep_override()]
        first = min(self.points, key=lambda point: json.dumps(point, sort_keys=True))
        return [*fixed, *(f"{key}={value}" for key, value in first.items())]

    @property
    def directory(self) -> Path:
        """The same for the same config and search space, whatever the order of words, and of the values of a grid."""
        varies = {override.key_or_group for override in self.swept}
        choices = self.cfg.hydra.runtime.choices
        name = choices.get("sweep") or (None if "experiment" in varies else choices.get("experiment"))
        with open_dict(self.cfg):
            own = OmegaConf.masked_copy(self.cfg, [key for key in self.cfg if key != "hydra"])
        content: list[Any] = [directory_hash(own, resolve=False)]  # not resolved: jobs may differ in what that gives
        if self.is_grid:
            content.append(sorted(json.dumps(point, sort_keys=True) for point in self.points))
        else:  # how points are chosen, but not how many: a longer search goes on with a shorter
            sweeper = self.cfg.hydra.sweeper
            content.append(sorted(override.input_line for override in self.swept))
            content += [sweeper._target_, OmegaConf.to_container(sweeper.get("sampler") or {})]
        digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:8]
        return Path("outputs/sweeps") / f"{(name or self.cfg.hydra.job.name).replace('/', '-')}-{digest}"


def read_space(given: list[str], *, multirun: bool, config_dir: str | None = None) -> SearchSpace | DictConfig:
    """The search space of a command line; where it is that of a single run, the config, with its hydra node.

    Args:
      given: its overrides.
      multirun: it asks for a multirun by a flag; otherwise the config says whether it is one.
      config_dir: a folder of configs besides the suite's own.

    Raises:
      HydraException, OmegaConfBaseException: its first job does not compose.
      UserError: it composes, but is no search space.
    """
    with initialize_config_dir(str(CONF), version_base="1.3"):
        parser = OverridesParser.create(config_loader=GlobalHydra.instance().config_loader())
        typed = parser.parse_overrides(given)
        refuse_words(typed)
        searchpath = [f"hydra.searchpath=[{quoted(f'file://{Path(config_dir).resolve()}')}]"] if config_dir else []
        cfg = compose("train", searchpath + first_values(typed), return_hydra_config=True)
        if not multirun and cfg.hydra.mode != RunMode.MULTIRUN:
            return cfg
        if cfg.resume is not None:
            raise UserError(f"resume={cfg.resume}: one run goes on at a time, and this is a multirun; leave one out")
        params = cfg.hydra.sweeper.get("params") or {}
        own = parser.parse_overrides([f"{key}={value}" for key, value in params.items()])
        refuse_what_cannot_vary(own, typed)
        overrides = list({bare(override): override for override in (*own, *typed)}.values())
        for override in overrides:
            # A copy that lives on: what a glob stands for is looked up in this context.
            override.config_loader = parser.config_loader
        found = SearchSpace(cfg, overrides, searchpath)
        return found._replace(cfg=compose("train", searchpath + found.first_job, return_hydra_config=True))


def refuse_words(typed: Iterable[Override]) -> None:
    """Raises UserError where several sweeps are asked for, or a sweep's parameters are not typed like others."""
    for override in typed:
        key, _, values = override.input_line.partition("=")
        if override.key_or_group == "sweep" and override.is_sweep_override():
            raise UserError(f"{override.input_line}: expected one sweep; start one after the other")
        if key.startswith(PARAMS):
            raise UserError(f"{override.input_line}: write {key.removeprefix(PARAMS)}={values}")


def refuse_what_cannot_vary(own: Sequence[Override], typed: Sequence[Override]) -> None:
    """Raises UserError where a key would not be what the jobs are named by.

    Args:
      own: the parameters of the sweep's YAML.
      typed: the command line's overrides.
    """
    for override in (*own, *typed):
        if override.is_sweep_override() and (is_hydras(override) or override.key_or_group in OF_ALL_JOBS):
            raise UserError(f"{override.input_line}: it is of all jobs together, so it has one value")
    names: dict[str, str] = {}
    for override in (*own, *typed):
        name = names.setdefault(bare(override), override.get_key_element())
        if name != override.get_key_element():
            raise UserError(f"{override.input_line}: {name} is given as well, or varied by the sweep; write {name}=...")


def first_values(overrides: Iterable[Override]) -> list[str]:
    """The overrides, each with its first value; of an interval its lower end.

    Raises:
      UserError: a glob matches nothing.
    """
    found = []
    for override in overrides:
        if not override.is_sweep_override():
            found.append(override.input_line)
            continue
        value = override.value()
        first = value.start if isinstance(value, IntervalSweep) else next(iter(override.sweep_string_iterator()), None)
        if first is None:
            raise UserError(f"{override.input_line}: nothing matches it; expected a pattern of options that there are")
        found.append(f"{override.get_key_element()}={first}")
    return found


def bare(override: Override) -> str:
    """The key without the mark that adds or removes it."""
    return override.get_key_element().lstrip("+~")


def is_hydras(override: Override) -> bool:
    """Whether it says how jobs are run, not what they compute."""
    return override.key_or_group.partition(".")[0].partition("/")[0] == "hydra"
