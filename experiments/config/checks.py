"""What the apps' own keys hold: one table, held to before any work begins."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

from omegaconf import DictConfig, OmegaConf

from experiments.config.build import LARGEST
from experiments.config.packages import config_folders, group_names, is_group
from experiments.errors import UserError
from experiments.nearest import nearest

Check = Callable[[Any], str | None]  # a value -> what was expected instead; None: it is right


def integer(at_least: int, or_null: bool = False, at_most: int = LARGEST) -> Check:
    """An integer in a range."""
    words = f"an integer of at least {at_least}{', or null' if or_null else ''}"

    def check(value: Any) -> str | None:
        if value is None:
            return None if or_null else words
        if type(value) is not int or value < at_least:
            return words
        return None if value <= at_most else f"{words} and at most {at_most}"

    return check


def number(of_what: str) -> Check:
    """A positive one."""

    def check(value: Any) -> str | None:
        good = type(value) in (int, float) and value > 0 and math.isfinite(value)
        return None if good else f"a positive number of {of_what}"

    return check


def one_of(*options: Any) -> Check:
    """One of a few values."""
    *first, last = ["null" if option is None else str(option).lower() for option in options]
    words = f"{', '.join(first)} or {last}"
    return lambda value: None if any(value is option or (value == option and type(value) is type(option))
                                     for option in options) else words  # fmt: skip


def text(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "a text"


def path(value: Any) -> str | None:
    """None, or the name of a folder or a file."""
    if value is None:
        return None
    good = isinstance(value, str) and value and "\0" not in value
    return None if good else "a path, or null (a name of digits stands in quotes, \"key='5'\")"


def place(value: Any) -> str | None:
    """A folder that is looked for: its name may be a number."""
    return None if type(value) is int else path(value)


def label(value: Any) -> str | None:
    return None if value is None or isinstance(value, str | int | float) else "a text, or null"


def device(value: Any) -> str | None:
    return None if isinstance(value, str) and value else "auto, cpu, cuda or cuda:N"


def names(value: Any) -> str | None:
    good = isinstance(value, list) and value and all(isinstance(name, str) and name for name in value)
    return None if good else "a list of names, [a,b]"


def rows(value: Any) -> str | None:
    return (
        None if value is None or isinstance(value, str) or names(value) is None else "a list of names, [a,b], or null"
    )


def lineup(value: Any) -> str | None:
    return None if value is None or text(value) is None else "a folder of conf/comparison/, or null"


def seeds(value: Any) -> str | None:
    words = "an integer of at least 1 and at most 1000, or a list of integers of at least 0, [3,4]"
    if isinstance(value, list):
        return None if value and all(integer(0)(seed) is None for seed in value) else words
    return None if integer(1, at_most=1000)(value) is None else words


def keys_below(value: Any) -> str | None:
    return None if isinstance(value, dict) else "keys below it, which --cfg job shows"


def rule(value: Any) -> str | None:
    return None if value is None or isinstance(value, dict) else "null, or the three keys quantile, after, jobs"


FLAG = one_of(True, False)
SEED = integer(0)
OWN_SEED = integer(0, or_null=True)
COUNT = integer(1)
SOME = integer(1, or_null=True)
RESTORED = {
    "run": lambda value: "a run directory" if value is None else place(value),
    "split": one_of("train", "valid", "test"),
    "checkpoint": one_of("best", "last"),
    "seed": OWN_SEED,
    "device": device,
    "root": path,
    "consent": lambda value: "a list of keys, such as [data.allow_pickle]" if value != [] and names(value) else None,
}
FORM = one_of("parquet", "npz", None)
LOOKING = {**RESTORED, "memory_gb": number("gigabytes, such as 1.0"), "output": path}
KEYS: dict[str, dict[str, Check]] = {
    "train": {
        "seed": SEED,
        "label": label,
        "resume": place,
        "run_from": place,
        "latent": keys_below,
        **{f"latent.{size}": COUNT for size in ("z_dim", "h_dim", "width")},
        "net_width": COUNT,
        "emission_bias": one_of("initial", "train"),
        "multirun": keys_below,
        "multirun.max_parallel": SOME,
        "multirun.retry_failed": FLAG,
        "multirun.fail_fast": FLAG,
        "multirun.replace_resumed": FLAG,
        "multirun.stop_below": rule,  # and see experiments.sweep.stopping
        "multirun.view": one_of("table", "lines", None),
    },
    "evaluate": {**RESTORED, "memory_gb": number("gigabytes, such as 1.0")},
    "sample": {**RESTORED, "num": COUNT, "steps": SOME, "prefix": SOME, "output": path},
    "encode": {**LOOKING, "what": one_of("mean", "sample", "all"), "save": FORM},
    "compare": {
        "seeds": seeds,
        "lineup": lambda value: (
            None if value is None or text(value) is None else "a folder of conf/comparison/, or null"
        ),
        "rows": rows,
        "order": names,
        "num_samples": SOME,
        "jobs": SOME,
        "runs": path,
        "output": path,
        "negate": one_of(True, False, None),
    },
    "status": {"dir": place, "watch": FLAG, "every": number("seconds"), "report": FLAG},
    "benchmark": {
        "benchmark": keys_below,
        "benchmark.shapes": lambda value: None,  # see experiments.benchmark
        "benchmark.cell": text,
        "benchmark.rounds": COUNT,
        "benchmark.threads": integer(1, or_null=True, at_most=4096),
        "benchmark.device": device,
        "benchmark.jax": FLAG,
        "benchmark.growth": FLAG,
        "benchmark.save": path,
        "output": lambda value: path(value) if value is not None else "a path",
    },
}


def require_keys(cfg: DictConfig, app: str, below: str = "") -> None:
    """Holds the app's own keys to what they must be.

    Args:
      cfg: the composed config, in which every reference leads somewhere.
      app: whose config it is.
      below: only keys that begin so.

    Raises:
      UserError: names the first that is missing or wrong.
    """
    for key, check in KEYS[app].items():
        if not key.startswith(below):
            continue
        parent, _, name = key.rpartition(".")
        node = OmegaConf.select(cfg, parent) if parent else cfg
        if name not in node:
            raise UserError(f"~{key}: {app} needs {key}; leave ~{key} out, or write {key}=<value>")
        value = node[name]
        plain = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        expected = check(plain)
        if expected is not None:
            raise UserError(f"{key}={'null' if plain is None else plain}: expected {expected}, got {plain!r}")


def require_read(overrides: Sequence[str], app: str) -> None:
    """Raises UserError where a key is added that nothing reads, be it the app, a group, a config or another override.

    Args:
      overrides: of the command line.
      app: whose they are.
    """
    for word in overrides:
        key = word.lstrip("+").partition("=")[0]
        name = key.partition("@")[2] or key
        if word.startswith("+") and not is_read(name, app, [other for other in overrides if other != word]):
            known = [
                *KEYS[app],
                *group_names(),
            ]
            same = [key for key in keys_of_groups() if key.endswith(f".{name}")]
            raise UserError(f"{word}: nothing reads {name}{nearest(name, [*known, *same]) or ';'} leave it out")


def is_read(name: str, app: str, others: Sequence[str]) -> bool:
    """Whether an added key can have an effect: below a group it is for the constructor to say."""
    first = re.split("[./]", name)[0]
    if any(re.search(rf"\$\{{(oc\.select:)?{re.escape(name)}\b", text) for text in (*others, *texts_of_configs())):
        return True
    own = KEYS[app]
    if first in {key.partition(".")[0] for key in own} - {"latent"}:
        return name in own or any(name.startswith(f"{key}.") for key in own if "." in key)
    return first == "hydra" or is_group(first)


def texts_of_configs() -> list[str]:
    """The suite's own YAML files."""
    return [file.read_text(encoding="utf-8") for folder in config_folders() for file in folder.rglob("*.yaml")]


def keys_of_groups() -> list[str]:
    """Keys at the top of the options of each group, such as optimizer.lr."""
    files = (file for folder in config_folders() for file in folder.glob("*/*.yaml"))
    return [f"{file.parent.name}.{key}" for file in files for key in map(str, OmegaConf.load(file))]
