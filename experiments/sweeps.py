"""Where the jobs of a multirun lie: a directory without a time stamp, so that the same command finds what is done."""

from __future__ import annotations

import hashlib
import json
from contextlib import ExitStack
from pathlib import Path

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import open_dict
from omegaconf.errors import OmegaConfBaseException

from experiments.names import CONF
from experiments.processes import locked
from experiments.resume import quoted
from experiments.run_directory import config_hash
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
    """The directory of a multirun, the same for the same config and search space, and the keys that it varies.

    Raises:
      HydraException, OmegaConfBaseException: its first job does not compose.
    """
    swept = [override for override in overrides if override.is_sweep_override()]
    first = [override.input_line for override in overrides if not override.is_sweep_override()]
    first += [f"{override.get_key_element()}={next(iter(override.sweep_string_iterator()))}" for override in swept]
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("train", first, return_hydra_config=True)
    chosen = [override.key_or_group for override in swept]
    name = cfg.hydra.job.name if "experiment" in chosen else cfg.hydra.runtime.choices.get("experiment")
    name = (name or cfg.hydra.job.name).replace("/", "-")
    with open_dict(cfg):
        cfg.pop("hydra")
    space = sorted(override.input_line for override in swept if not is_hydras(override))
    text = json.dumps([config_hash(cfg, resolve=False), space])  # not resolved: jobs may differ in what that gives
    return Path("outputs/sweeps") / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:8]}", sorted(chosen)


def is_hydras(override: Override) -> bool:
    """Whether it says how jobs are run, not what they compute."""
    return override.key_or_group.partition(".")[0].partition("/")[0] == "hydra"
