"""Going on in a run's own directory with the run's own config.

Hydra composes today's defaults and rewrites .hydra/ before the task runs, so the run directory has to be known
before Hydra starts, and the config is taken from the run's config.yaml; of the new command line only what cannot
change the results so far is applied to it.
"""

from __future__ import annotations

import re
import shlex
import shutil
import sys
from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from experiments.cli.terminal import say
from experiments.config.keys import ALLOWED_ON_RESUME, is_below
from experiments.config.overrides import quoted, value_of
from experiments.config.untrusted import consent_keys, withdraw_consent
from experiments.errors import UserError
from experiments.run.directory import RunDirectory

CHANGEABLE = tuple(key for key in ALLOWED_ON_RESUME if key != "resume")


def resumed_arguments(arguments: list[str]) -> list[str]:
    """The arguments with which Hydra takes the run directory of `resume=<dir>` for its own; without it, the same.

    Raises:
      UserError: it is not a run directory (Hydra would make one), or it is to be resumed by a multirun.
    """
    directory = value_of("resume", arguments)
    if directory is None:
        return arguments
    if "--multirun" in arguments or "-m" in arguments:
        raise UserError(f"resume={directory}: one run goes on at a time; leave out --multirun")
    path = str(RunDirectory.existing(directory).path)
    # The default dataset may not have the key; whether the run's own one has, which is not composed, is seen later.
    forced = [f"++{argument}" if argument.startswith("data.") else argument for argument in arguments]
    return [*forced, f"hydra.run.dir={quoted(path)}"]


def resume_command(run: RunDirectory) -> str:
    """What to type in a shell to go on with a run."""
    path = str(run)
    python = "python" if shutil.which("python") == sys.executable else sys.executable
    value = path if re.fullmatch(r"[\w./+-]+", path) else quoted(path)
    return shlex.join([python, "-m", "experiments.train", f"resume={value}"])


def resumed_config(run: RunDirectory, cfg: DictConfig, typed_overrides: Sequence[str]) -> DictConfig:
    """The run's own config, with the new command line's permitted overrides.

    Args:
      run: its directory.
      cfg: the config of the new command line.
      typed_overrides: of the new command line.

    Raises:
      UserError: an override that would change what the run computes.
    """
    saved = run.read_config()
    overrides = OverridesParser.create().parse_overrides(list(typed_overrides))
    typed = {override.key_or_group for override in overrides}
    allowed = (*ALLOWED_ON_RESUME, *consent_keys(saved))
    for key in withdraw_consent(saved, typed):
        if not (key.startswith("logger.") and "logger" in typed):
            say(f"note        {key} weakens safety, so it has its default; it is taken from the command line only")
    for override in overrides:
        key = override.key_or_group
        if not is_below(key, allowed):
            given = str(override.input_line).removeprefix("++")  # which `resumed_arguments` may have put there
            raise UserError(
                f"{given}: a resumed run keeps its own config; only {', '.join(CHANGEABLE)} may change "
                f"(the run's values stand in {run.config_file})"
            )
        OmegaConf.update(saved, key, OmegaConf.select(cfg, key), merge=False, force_add=True)
    return saved
