"""Packages of others whose parts configs may build: those that the user names in the environment.

The environment is the user's own, and workers and other apps inherit it; no config, override or run directory can add
a package. What is named there is imported, so it can do whatever its author wrote.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import re
from pathlib import Path

from experiments.config.paths import CONF
from experiments.errors import UserError

VARIABLE = "VRNN_PACKAGES"
NAME = re.compile(r"[A-Za-z]\w*(\.[A-Za-z]\w*)*", re.ASCII)


def allowed_packages() -> tuple[str, ...]:
    """The packages that VRNN_PACKAGES names, separated by commas.

    Raises:
      UserError: one is no name of a package, or is not installed.
    """
    return _packages(os.environ.get(VARIABLE, ""))


def config_packages() -> tuple[str, ...]:
    """Those of them that bring configs, by the packages of these: <package>.conf."""
    return tuple(f"{package}.conf" for package in allowed_packages() if _conf(package) is not None)


def config_folders() -> list[Path]:
    """The folders that options are looked for in: the suite's own, then those of the allowed packages."""
    return [CONF, *filter(None, map(_conf, allowed_packages()))]


def option_files(group: str) -> dict[str, Path]:
    """The YAML of every option of a group, by the option's name; the suite's own come first."""
    found: dict[str, Path] = {}
    for folder in (root / group for root in config_folders()):
        for path in sorted(folder.rglob("*.yaml")):
            found.setdefault(path.relative_to(folder).with_suffix("").as_posix(), path)
    return found


def group_names() -> list[str]:
    """The groups at the top of the configs."""
    return [path.name for folder in config_folders() for path in folder.iterdir() if path.is_dir()]


def is_group(name: str) -> bool:
    """Whether configs have a group of this name."""
    return any((folder / name).is_dir() for folder in config_folders())


@functools.cache
def _packages(value: str) -> tuple[str, ...]:
    names = tuple(dict.fromkeys(name for name in map(str.strip, value.split(",")) if name))
    for name in names:
        if not NAME.fullmatch(name):
            raise UserError(f"{VARIABLE}={value}: {name!r} is no name of a Python package; expected a,b.c")
        try:
            spec = importlib.util.find_spec(name)
        except ImportError:
            spec = None
        if spec is None:
            raise UserError(f"{VARIABLE}={value}: there is no Python package {name}; install it, or correct the name")
    return names


@functools.cache
def _conf(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    roots = list(spec.submodule_search_locations or ()) if spec is not None else []
    return next((Path(root) / "conf" for root in roots if (Path(root) / "conf").is_dir()), None)
