"""Resolvers that the configs use: names of experiments and jobs, and the --help page."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, ListConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.errors import UserError

CONF = Path(__file__).resolve().parents[2] / "conf"


def register_resolvers() -> None:
    """Makes ${experiment_name:}, ${job_name:}, ${suite_help:} and ${matched_width:} known to OmegaConf."""
    OmegaConf.register_new_resolver("experiment_name", experiment_name, replace=True)
    OmegaConf.register_new_resolver("job_name", job_name, replace=True)
    OmegaConf.register_new_resolver("suite_help", suite_help, replace=True)
    OmegaConf.register_new_resolver("matched_width", matched_width, replace=True)


def matched_width(model: str, likelihood: str, *, _root_: DictConfig) -> int:
    """See `experiments.config.budget`, which imports torch and so is left alone until it is asked."""
    from experiments.config.budget import matched_width

    return matched_width(model, likelihood, _root_=_root_)


def settled(cfg: DictConfig) -> DictConfig:
    """The config with its net_width computed, once instead of at every use.

    Raises:
      UserError: it cannot be computed.
    """
    try:
        if "net_width" in cfg:
            cfg.net_width = cfg.net_width
    except OmegaConfBaseException as error:
        message = str(error).splitlines()[0].removeprefix("UserError raised while resolving interpolation: ")
        raise UserError(f"net_width: {message}") from error
    return cfg


def experiment_name(*, _root_: DictConfig) -> str:
    """The chosen experiment, or the app where none is chosen; _root_ is the config that holds the hydra node.

    HydraConfig.get() would do within a job, but it is not set yet where a multirun's directory is made.
    """
    hydra = _root_.hydra
    return hydra.runtime.choices.get("experiment") or hydra.job.name


def job_name(*keys: str, _root_: DictConfig) -> str:
    """A job's directory, see `job_slug`; with keys, named by the overrides of these alone."""
    overrides = _root_.hydra.overrides.task
    chosen = []
    for number, typed in enumerate(OmegaConf.to_container(overrides, resolve=False)):
        if not keys or typed.partition("=")[0] in keys:
            try:
                chosen.append(overrides[number])
            except OmegaConfBaseException:  # a reference that leads nowhere, of which the job tells
                chosen.append(typed)
    return job_slug(chosen)


def as_typed(overrides: ListConfig | list[str] | None = None) -> list[str]:
    """The overrides of this job as they were typed: what they refer to is not looked up.

    Args:
      overrides: Hydra's; None: those of the job that is running.
    """
    found = HydraConfig.get().overrides.task if overrides is None else overrides
    return OmegaConf.to_container(found, resolve=False) if OmegaConf.is_list(found) else list(found)


def job_slug(overrides: Sequence[str]) -> str:
    """Overrides as a slug in [A-Za-z0-9._-], with a short hash of them against clashes."""
    overrides = sorted(overrides)
    changes = (override.partition("=") for override in overrides)
    slug = "_".join(re.sub(r"[^A-Za-z0-9.-]+", "-", f"{key.split('.')[-1]}-{value}") for key, _, value in changes)
    digest = hashlib.sha256("\n".join(overrides).encode()).hexdigest()[:6]
    return f"{slug[:100].strip('-_.') or 'job'}-{digest}"


def group_of(entry: DictConfig | str) -> str:
    """The group of an entry of a defaults list; empty where it names none of the suite's."""
    return "" if isinstance(entry, str) else next(iter(entry))


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
        folder = CONF / group
        for path in sorted(folder.rglob("*.yaml")):
            option = path.relative_to(folder).with_suffix("")
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
