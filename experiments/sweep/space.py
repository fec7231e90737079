"""The search space of a multirun: what its overrides and the sweeper's params and points vary, and every known job."""

from __future__ import annotations

import hashlib
import itertools
import json
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import IntervalSweep, Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf, open_dict
from omegaconf.errors import OmegaConfBaseException

from experiments.cli.arguments import MAX_JOBS
from experiments.config.explain import explain_composition
from experiments.config.identity import directory_hash
from experiments.config.keys import OF_ALL_JOBS
from experiments.config.overrides import as_overrides, literal
from experiments.errors import UserError

# In the name of a search's directory since the first of them.
FORMER_SWEEPER = "hydra_plugins.hydra_optuna_sweeper.optuna_sweeper.OptunaSweeper"


NO_PRUNER = "optuna.pruners.NopPruner"
# Arguments that the suite's samplers had, in their order: directories are named by them, though Optuna drops some.
FORMER_ARGUMENTS: dict[str, dict[str, Any]] = {
    "optuna.samplers.TPESampler": {
        "_target_": None,
        "seed": None,
        "consider_prior": True,
        "prior_weight": 1.0,
        "consider_magic_clip": True,
        "consider_endpoints": False,
        "n_startup_trials": 10,
        "n_ei_candidates": 24,
        "multivariate": False,
        "warn_independent_sampling": True,
    },
    "optuna.samplers.CmaEsSampler": {
        "_target_": None,
        "seed": None,
        "x0": None,
        "sigma0": None,
        "independent_sampler": None,
        "warn_independent_sampling": True,
        "consider_pruned_trials": False,
        "restart_strategy": None,
        "inc_popsize": 2,
    },
}


class SearchSpace(NamedTuple):
    """A multirun before anything of it is run.

    Attributes:
      overrides: the params of the sweeper, then the command line's, which win.
      together: the sweeper's points: settings that a job has together.
      is_grid: every job is known beforehand.
    """

    overrides: list[Override]
    together: list[dict[str, str]]
    is_grid: bool

    @property
    def swept(self) -> list[Override]:
        return [override for override in self.overrides if override.is_sweep_override()]

    @property
    def keys(self) -> list[str]:
        """What varies."""
        return sorted({override.get_key_element() for override in self.swept} | set().union(*self.together))

    @property
    def shared(self) -> list[str]:
        """Overrides of all jobs alike."""
        return [str(override.input_line) for override in self.overrides if not override.is_sweep_override()]

    @property
    def points(self) -> list[dict[str, str]]:
        """Settings of every job of a grid, in order and once; of a search none is known beforehand."""
        if not self.is_grid:
            return []
        keys = [override.get_key_element() for override in self.swept]
        values = [list(override.sweep_string_iterator()) for override in self.swept]
        size = math.prod(map(len, values)) * max(1, len(self.together))
        if size > MAX_JOBS:
            raise UserError(
                f"hydra.sweeper: a multirun of {size:,} jobs; at most {MAX_JOBS:,} are, so give fewer values"
            )
        combinations = [
            together | dict(zip(keys, combination, strict=True))
            for together in self.together or [{}]
            for combination in itertools.product(*values)
        ]
        return list({json.dumps(point, sort_keys=True): point for point in combinations}.values())

    @property
    def first_job(self) -> list[str]:
        """The overrides of one job: of a grid the first by name, of a search that with the first value of each key."""
        if not self.is_grid:
            return first_values(self.overrides)
        first = min(self.points, key=lambda point: json.dumps(point, sort_keys=True))
        return [*self.shared, *as_overrides(first)]

    def directory(self, cfg: DictConfig) -> Path:
        """The same for the same config and search space, whatever the order of words, and of the values of a grid.

        Args:
          cfg: of the first job, with its hydra node.
        """
        varies = {override.key_or_group for override in self.swept}
        choices = cfg.hydra.runtime.choices
        name = choices.get("sweep") or (None if "experiment" in varies else choices.get("experiment"))
        with open_dict(cfg):
            job = OmegaConf.masked_copy(cfg, [key for key in map(str, cfg) if key != "hydra"])
        content: list[Any] = [directory_hash(job, resolve=False)]  # not resolved: jobs may differ in what that gives
        if self.is_grid:
            content.append(sorted(json.dumps(point, sort_keys=True) for point in self.points))
        else:  # how points are chosen, but not how many: a longer search goes on with a shorter
            sweeper = cfg.hydra.sweeper
            content.append(sorted(override.input_line for override in self.swept))
            content += [FORMER_SWEEPER, with_former_arguments(sweeper.sampler)]
            goal = [sweeper.metric, sweeper.direction]
            content += [] if goal == ["valid/log_likelihood", "maximize"] else [goal]
            pruner = OmegaConf.to_container(sweeper.pruner)
            content += [] if pruner == {"_target_": NO_PRUNER} else [pruner]
        digest = hashlib.sha256(json.dumps(content).encode()).hexdigest()[:8]
        return Path("outputs/sweeps") / f"{(name or cfg.hydra.job.name).replace('/', '-')}-{digest}"


def with_former_arguments(sampler: DictConfig) -> dict[str, Any]:
    """The sampler's settings as directories are named by them."""
    settings = literal(sampler)
    return {**FORMER_ARGUMENTS.get(settings.get("_target_"), {}), **settings}


def read_space(config: DictConfig, loader: ConfigLoader, *, is_grid: bool) -> SearchSpace:
    """The search space of a multirun.

    Args:
      config: as Hydra has composed it for the sweeper: without what varies.
      loader: of configs; it knows the user's own folders.
      is_grid: every job is known beforehand.

    Raises:
      UserError: it is no search space.
    """
    if config.resume is not None:
        raise UserError(f"resume={config.resume}: one run goes on at a time, and this is a multirun; leave one out")
    parser = OverridesParser.create(config_loader=loader)
    typed = parser.parse_overrides(literal(config.hydra.overrides.task))
    params = parser.parse_overrides(
        [f"{key}={text(value)}" for key, value in (config.hydra.sweeper.params or {}).items()]
    )
    together = [{key: text(value) for key, value in point.items()} for point in config.hydra.sweeper.points or []]
    refuse_what_cannot_vary(params, typed, together if is_grid else [])
    overrides = list({bare(override): override for override in (*params, *typed)}.values())
    for override in overrides:
        override.config_loader = loader  # which looks up what a glob stands for
    first_values(overrides)
    return SearchSpace(overrides, together if is_grid else [], is_grid)


def refuse_what_cannot_vary(
    params: Sequence[Override], typed: Sequence[Override], together: Sequence[dict[str, str]]
) -> None:
    """Raises UserError where a key would not be what the jobs are named by.

    Args:
      params: of the sweeper.
      typed: the command line's overrides.
      together: the points of the sweeper.
    """
    names: dict[str, str] = {}
    paired = set().union(*together)
    for override in (*params, *typed):
        if override.is_sweep_override() and override.key_or_group == "sweep":
            raise UserError(f"{override.input_line}: expected one sweep; start one after the other")
        if override.is_sweep_override() and override.key_or_group in OF_ALL_JOBS:
            raise UserError(f"{override.input_line}: it is of all jobs together, so it has one value")
        name = names.setdefault(bare(override), override.get_key_element())
        if name != override.get_key_element():
            raise UserError(f"{override.input_line}: {name} is given as well, or varied by the sweep; write {name}=...")
        if bare(override) in {key.lstrip("+~") for key in paired}:
            raise UserError(f"{override.input_line}: hydra.sweeper.points gives {bare(override)} its values")


def first_values(overrides: Iterable[Override]) -> list[str]:
    """The overrides, each with its first value; of an interval its lower end.

    Raises:
      UserError: a glob matches nothing.
    """
    first_words = []
    for override in overrides:
        if not override.is_sweep_override():
            first_words.append(str(override.input_line))
            continue
        value = override.value()
        first = value.start if isinstance(value, IntervalSweep) else next(iter(override.sweep_string_iterator()), None)
        if first is None:
            raise UserError(f"{override.input_line}: nothing matches it; expected a pattern of options that there are")
        first_words.append(f"{override.get_key_element()}={first}")
    return first_words


def compose_swept_job(loader: ConfigLoader, config: DictConfig, overrides: list[str]) -> DictConfig:
    """The config of one job, with its hydra node.

    Raises:
      UserError: it does not compose.
    """
    try:
        return loader.load_sweep_config(config, overrides)
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise UserError(explain_composition(error, overrides, "train") or str(error)) from error


def bare(override: Override) -> str:
    """The key without the mark that adds or removes it."""
    return override.get_key_element().lstrip("+~")


def text(value: Any) -> str:
    """A value of a sweep's YAML as one would type it; a string is one already."""
    plain = OmegaConf.to_container(value) if OmegaConf.is_config(value) else value
    return plain if isinstance(plain, str) else json.dumps(plain, ensure_ascii=False)
