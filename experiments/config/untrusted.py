"""The check on configs, overrides and commands that come from a directory, made before anything looks them up.

Anybody may have made a run's directory, so nothing in it is imported, resolved or given to Hydra that could do more
than name the suite's own parts and their settings. What weakens safety, an argument annotated as `Consent`, is only
taken from today's command line.
"""

from __future__ import annotations

import functools
import inspect
import re
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Annotated, Any, get_origin, get_type_hints

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, OmegaConf

from experiments.config.build import find_target
from experiments.config.overrides import literal, nodes
from experiments.config.packages import allowed_packages, config_folders, is_group, option_files
from experiments.config.paths import CONF
from experiments.errors import UserError
from experiments.text import plain
from vrnn.data.marks import CONSENT

BUILT = {"_target_", "_partial_", "_convert_", "_recursive_"}  # what Hydra's instantiate understands, but _args_
BUILT_NODES = ("data", "likelihood", "model", "objective", "optimizer", "trainer")  # of every run's config
PACKAGES = {  # where a node's part lies, whatever node it is below
    "data": "vrnn.data",
    "likelihood": "vrnn.likelihoods",
    "emission": "vrnn.likelihoods",
    "recurrence": "vrnn.models",
    "initialisation": "vrnn.models",
    "model": "vrnn.models",
    "objective": "vrnn.objectives",
    "optimizer": "torch.optim",
    "schedule": "vrnn.training",
    "trainer": "vrnn.training",
    "figures": "vrnn.figures",
    "logger": "experiments.tracking",
}
OPTION = re.compile(r"None|[\w-]+(/[\w-]+)*")  # never a path out of conf/
REFERENCE = re.compile(r"\$\{([\w.]+|matched_width:[\w, ]*)\}")  # to another key, or to what the suite computes
STARTS = ("hydra", "resume", "run_from")  # keys that say how a run is started
# What a command that is shown may say of how it is run.
STARTING = re.compile(
    r"--multirun|-m|hydra/(launcher|sweeper|sweeper/sampler|sweeper/pruner)=\w+|hydra\.(sweeper\.n_trials|launcher\.n_jobs)=\d+"
)
APPS = {path.stem for path in CONF.glob("*.yaml")}


def check_config(cfg: Any, file: Path) -> DictConfig:
    """A saved config, if it can do nothing but build the suite's own parts from plain values.

    Args:
      cfg: as it was read.
      file: that it was read from.

    Raises:
      UserError: names the key.
    """
    where = plain(str(file))
    plain_cfg = OmegaConf.to_container(cfg, resolve=False)
    if not isinstance(plain_cfg, dict) or not {*BUILT_NODES, "seed"} <= set(plain_cfg):
        raise UserError(f"{where}: this is not the config of a run of this suite")
    for node in BUILT_NODES:
        if not isinstance(plain_cfg[node], dict) or not isinstance(plain_cfg[node].get("_target_"), str):
            raise UserError(f"{where}: {node}: expected a part of the suite, with a _target_")
        if plain_cfg[node].get("_partial_", False) is not (node == "optimizer"):
            raise UserError(f"{where}: {node}._partial_: expected it of the optimizer alone")
    if type(plain_cfg["seed"]) is not int or not 0 <= plain_cfg["seed"] < 2**63:
        raise UserError(f"{where}: seed={plain(str(plain_cfg['seed']))[:80]}: expected an integer of at least 0")
    if not isinstance(plain_cfg.get("latent", {}), dict):
        raise UserError(f"{where}: latent: expected sizes by name")
    for key, value in nodes(plain_cfg, in_lists=True):
        name = key.rpartition(".")[2]
        if isinstance(value, str) and ("${" in value or value == "???"):
            raise UserError(f"{where}: {key}={value[:80]}: expected a plain value, not a reference")
        if name.startswith("_") and name not in BUILT:
            raise UserError(f"{where}: {key}: a run's config has no such key")
        if name == "_target_":
            _require_part(f"{where}: {key.rpartition('.')[0]}", value)
    return cfg


def _require_part(path: str, name: Any) -> None:
    """Raises UserError unless a target is one that conf/ names, or another class of the same kind.

    Not every function of the suite is made to be called with values of a stranger.
    """
    target = find_target(path, name)
    package = PACKAGES.get(re.split(r"[ .]", path)[-1])
    if package is not None and not name.startswith(tuple(f"{known}." for known in (package, *allowed_packages()))):
        raise UserError(f"{path}._target_={name}: expected a part of {package}")
    if name not in _targets() and not (package is not None and inspect.isclass(target)):
        raise UserError(f"{path}._target_={name}: expected one of those that conf/ names")


def withdraw_consent(cfg: DictConfig, given: Iterable[str] = ()) -> list[str]:
    """Gives every argument of a saved config that weakens safety its default; returns the keys of those that had none.

    Args:
      cfg: that has been checked.
      given: keys that keep their value, since today's command line says so.
    """
    withdrawn = []
    for path, names in _consents_in(cfg):
        node = OmegaConf.select(cfg, path)
        for name, default in names.items():
            if node.get(name, default) != default and f"{path}.{name}" not in given:
                node[name] = default
                withdrawn.append(f"{path}.{name}")
    return withdrawn


def consent_keys(cfg: DictConfig) -> list[str]:
    """The keys of a checked config whose values may weaken safety."""
    return [f"{path}.{name}" for path, names in _consents_in(cfg) for name in names]


def consents(target: Any) -> dict[str, Any]:
    """The arguments of a class or function that weaken safety, each with its default."""
    callee = target.__init__ if inspect.isclass(target) else target
    marked = [
        name
        for name, hint in get_type_hints(callee, include_extras=True).items()
        if get_origin(hint) is Annotated and CONSENT in hint.__metadata__
    ]
    parameters = inspect.signature(target).parameters
    return {name: parameters[name].default for name in marked}


def check_overrides(overrides: Sequence[str], where: str, *, sweeps: bool = False) -> None:
    """Raises UserError unless overrides from a directory can do nothing but choose the suite's options and values.

    Args:
      overrides: of experiments.train.
      where: they come from, for the message.
      sweeps: whether they may give several values.
    """
    for override in _parsed(overrides, where):
        line = str(override.input_line)[:120]
        key, first = override.key_or_group, re.split(r"[./]", override.key_or_group)[0]
        if first in STARTS or override.package is not None or not (first in _keys() or is_group(first)):
            raise UserError(f"{where}: {line}: is only taken from a command line")
        if override.is_sweep_override():
            if not sweeps:
                raise UserError(f"{where}: {line}: expected one value")
            check_overrides(
                [f"{override.get_key_element()}={value}" for value in override.sweep_string_iterator()], where
            )
            continue
        value = None if override.is_delete() else override.value()
        options = value if isinstance(value, list) else [value]
        if is_group(key) and not all(OPTION.fullmatch(str(option)) for option in options):
            raise UserError(f"{where}: {line}: expected an option of the group {key}")
        if key in _consents(first):
            raise UserError(f"{where}: {line}: weakens safety, so it is only taken from today's command line")
        for name, leaf in nodes(value, key, in_lists=True):
            if name.rpartition(".")[2].startswith("_"):
                raise UserError(f"{where}: {line}: what is built is only said by an option")
            if isinstance(leaf, str) and REFERENCE.sub("", leaf).count("${"):
                raise UserError(f"{where}: {line}: is only resolved on a command line; give it there")


def command_to_show(command: str, file: Path) -> str:
    """A command from a file, if it is one of the suite's that does no more than choose its options; else words."""
    where = plain(str(file))
    return command if _is_ours(command, where) else f"the command in {where}, if it is yours: look at it first"


def _is_ours(command: str, where: str) -> bool:
    try:
        words = shlex.split(command)
        if words[:2] != ["python", "-m"] or shlex.join(words) != command or plain(command) != command:
            return False
        package, _, app = words[2].partition(".")
        if package != "experiments" or app not in APPS:
            return False
        check_overrides([word for word in words[3:] if not STARTING.fullmatch(word)], where, sweeps=True)
    except (ValueError, IndexError, UserError):
        return False
    return True


def _consents_in(cfg: DictConfig) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every part of a config that has arguments which weaken safety, by its key, with these and their defaults."""
    for key, value in nodes(literal(cfg), in_lists=True):
        path, _, name = key.rpartition(".")
        if name == "_target_" and path and (found := consents(find_target(path, value))):
            yield path, found


def _parsed(overrides: Sequence[str], where: str) -> list[Override]:
    for text in overrides:
        if not isinstance(text, str):
            raise UserError(f"{where}: expected overrides, got {plain(repr(text))[:80]}")
        if plain(text) != text:
            raise UserError(f"{where}: {plain(text)[:120]}: expected no control characters")
    try:
        return OverridesParser.create().parse_overrides(list(overrides))
    except (HydraException, RecursionError) as error:
        raise UserError(f"{where}: {plain(str(error).splitlines()[0])}") from error


@functools.cache
def _targets() -> set[str]:
    """All that the suite's configs build, and those of the packages that the user allows."""
    files = [file for folder in config_folders() for file in folder.rglob("*.yaml")]
    texts = [file.read_text(encoding="utf-8") for file in files]
    return {name for text in texts for name in re.findall(r"_target_: *([\w.]+)", text)}


@functools.cache
def _keys() -> set[str]:
    """The keys of experiments.train that are no groups."""
    return {str(key) for key in OmegaConf.load(CONF / "train.yaml") if key not in ("defaults", *STARTS)}


@functools.cache
def _consents(group: str) -> set[str]:
    """The arguments that weaken safety, of any option of a group, as one would type them."""
    found = set()
    for file in option_files(group).values():
        for key, value in nodes(literal(OmegaConf.load(file)), in_lists=True):
            if key.rpartition(".")[2] == "_target_":
                path = key.rpartition(".")[0] or group
                found |= {f"{path}.{name}" for name in consents(find_target(str(file), value))}
    return found
