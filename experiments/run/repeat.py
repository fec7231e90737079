"""A new run from the config of another: its overrides, composed anew, under those of the command line."""

from __future__ import annotations

import re

from hydra import compose, initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from experiments.cli.terminal import say
from experiments.config.compose import job_config
from experiments.config.diff import differing, settings
from experiments.config.identity import config_hash
from experiments.config.keys import NOT_REPEATED
from experiments.config.overrides import key_of, value_of
from experiments.config.paths import CONF
from experiments.config.untrusted import check_overrides
from experiments.disk.reading import reason
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.text import plain


def repeated_arguments(arguments: list[str]) -> list[str]:
    """The arguments, with the overrides of the run that `run_from=<dir>` names before them; what is typed wins.

    Raises:
      UserError: it is not a run directory, or its overrides do not compose any more.
    """
    directory = value_of("run_from", arguments)
    if directory is None:
        return arguments
    run = RunDirectory.existing(directory)
    repeated = [text for text in run.read_overrides() if re.split("[./@]", key_of(text))[0] not in NOT_REPEATED]
    typed = {key_of(text) for text in arguments if not text.startswith("-")}
    kept = [text for text in repeated if key_of(text) not in typed]
    check_overrides(kept, plain(str(run.overrides_file)))
    tell_changes(run, kept)
    multirun = "--multirun" in arguments or "-m" in arguments
    if any(key_of(text) == "sweep" for text in kept):  # for the settings that it brings; how it went on is another's
        mode = "hydra/sweeper=grid" if multirun else "hydra.mode=RUN"
        kept += [] if key_of(mode) in typed else [mode]
    at = next(number for number, text in enumerate(arguments) if not text.startswith("-"))
    return [*arguments[:at], *kept, *arguments[at:]]


def tell_changes(run: RunDirectory, overrides: list[str]) -> None:
    """Says what the overrides give today that they did not give when the run was made.

    Raises:
      UserError: they do not compose any more.
    """
    then = run.read_config()
    try:
        OverridesParser.create().parse_overrides(overrides)
        with initialize_config_dir(str(CONF), version_base="1.3"):
            now = job_config(compose("train", overrides, return_hydra_config=True))
    except (HydraException, OmegaConfBaseException, ValueError) as error:
        raise UserError(f"run_from={run}: its overrides do not compose any more ({reason(error)})") from error
    if config_hash(now) != config_hash(then):
        changed = differing([settings(then), settings(now)])
        words = ", ".join(f"{key} {then} -> {today}" for key, (then, today) in changes(changed))
        say(f"note        the suite's own settings have changed since {run} was made: {words or 'see its config.yaml'}")


def changes(differences: dict[str, list[str]]) -> list[tuple[str, list[str]]]:
    """The first few of many."""
    items = list(differences.items())
    return items if len(items) <= 8 else [*items[:8], ("...", ["", ""])]
