"""The --help page, made from line 1 of each YAML."""

from __future__ import annotations

import re
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf

from experiments.config.packages import option_files
from experiments.config.paths import CONF


def group_of(entry: DictConfig | str) -> str:
    """The group of an entry of a defaults list; empty where it names none of the suite's."""
    return "" if isinstance(entry, str) else str(next(iter(entry)))


def first_line(path: Path) -> str:
    """A YAML's first comment line, without its mark; Hydra's own header (`# @package`), which must lead, is passed."""
    with path.open(encoding="utf-8") as file:
        return next(line for line in file if not line.startswith("# @")).removeprefix("#").strip()


def suite_help() -> str:
    """The page: what the app does, every group's options, and the app's own keys, from line 1 of each YAML."""
    app = HydraConfig.get().job.name
    lines = [first_line(CONF / f"{app}.yaml"), ""]
    choices = HydraConfig.get().runtime.choices
    groups = [entry for entry in map(group_of, OmegaConf.load(CONF / f"{app}.yaml").defaults) if entry in choices]
    if groups:
        lines += ["Groups (choose with group=option; change a value with group.key=value):"]
    for group in groups:
        for option, path in option_files(group).items():
            lines.append(f"  {f'{group}={option}':<37} {first_line(path)}")
    lines += ["", "Keys of its own:"]
    lines += [f"  {line}" for line in (CONF / f"{app}.yaml").read_text(encoding="utf-8").splitlines() if is_key(line)]
    lines += [
        "",
        "  --cfg job            print the composed config and stop",
        "  --multirun a=1,2     a job for every combination",
        "  --info defaults      where each value comes from",
    ]
    return "\n".join(lines).replace("$", "$$")  # Hydra reads it as a template


def is_key(line: str) -> bool:
    """Whether a line of an app's YAML gives one of its own keys, with a comment that explains it."""
    return re.match(r" *[a-z_]+: .*#", line) is not None
