"""Where the jobs of a multirun lie: a directory without a time stamp, so that the same command finds what is done."""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.names import CONF
from experiments.processes import locked
from experiments.resume import quoted
from experiments.run_directory import NOT_IDENTITY
from experiments.terminal import say

OWN = ("hydra.sweep.dir", "hydra.sweep.subdir")


class Sweep:
    """The multirun of this process: its directory, and the lock on it that the process holds as long as it lives."""

    def __init__(self) -> None:
        self.lock = ExitStack()

    def prepare(self, arguments: list[str]) -> list[str]:
        """The arguments, with the directories of the jobs where there are several; what the user chose stays.

        Raises:
          UserError: the same multirun is running already.
        """
        if "--multirun" not in arguments and "-m" not in arguments:
            return arguments
        given = [argument for argument in arguments if not argument.startswith("-")]
        try:
            overrides = OverridesParser.create().parse_overrides(given)
            directory, keys = identify(overrides)
        except (HydraException, OmegaConfBaseException):
            return arguments  # Hydra meets the same, and tells it
        if any(override.key_or_group in OWN for override in overrides):
            return arguments
        self.lock.enter_context(locked(directory))
        say(f"sweep       {directory}")
        own = [f"hydra.sweep.dir={quoted(str(directory))}", f"hydra.sweep.subdir=${{job_name:{','.join(keys)}}}"]
        at = arguments.index(given[0]) if given else len(arguments)
        return [*arguments[:at], *own, *arguments[at:]]  # argparse wants all overrides in one row


def identify(overrides: list[Override]) -> tuple[Path, list[str]]:
    """The directory of a multirun, the same for the same base config and search space, and the keys that it varies.

    Raises:
      HydraException, OmegaConfBaseException: the base config does not compose.
    """
    swept = [override for override in overrides if override.is_sweep_override()]
    fixed = [override.input_line for override in overrides if not override.is_sweep_override()]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        base = compose("train", fixed, return_hydra_config=True)
    choices = base.hydra.runtime.choices
    name = choices.get("experiment") or base.hydra.job.name
    space = sorted(override.input_line for override in swept if not is_hydras(override))
    text = json.dumps([identity(base), space], sort_keys=True)
    digest = hashlib.sha256(text.encode()).hexdigest()[:8]
    keys = sorted(override.key_or_group for override in swept)
    return Path("outputs/sweeps") / f"{name.replace('/', '-')}-{digest}", keys


def identity(base: DictConfig) -> dict[str, Any]:
    """What of a base config decides its jobs' results; interpolations as they stand, since jobs may differ in them."""
    plain = OmegaConf.create(OmegaConf.to_container(base, resolve=False))
    plain.pop("hydra")
    for key in NOT_IDENTITY:
        if key != "data.root":
            parent, _, last = key.rpartition(".")
            node = plain._get_node(parent) if parent else plain
            if node is not None:
                node.pop(last, None)
    return OmegaConf.to_container(plain, resolve=False)


def is_hydras(override: Override) -> bool:
    """Whether it says how jobs are run, not what they compute."""
    return override.key_or_group.partition(".")[0].partition("/")[0] == "hydra"
