"""What the apps' own keys hold: one table, held to before any work begins."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Any, Literal, NamedTuple

from omegaconf import DictConfig, OmegaConf
from pydantic import Field, ValidationError

from experiments.config.build import MAX_INTEGER, shown, validator
from experiments.config.packages import config_folders, group_names, is_group
from experiments.errors import UserError
from experiments.nearest import nearest


class Expected(NamedTuple):
    """What a key must hold.

    Attributes:
      hint: an annotation, to which values are held strictly: no text is a number.
      words: it, for a message.
      at_most: of an integer, which is told of where it is passed.
    """

    hint: Any
    words: str
    at_most: int | None = None

    def instead_of(self, value: Any) -> str | None:
        """What was expected instead of a value; None: it is right."""
        adapter = validator(self.hint)
        try:
            if adapter is not None:
                adapter.validate_python(value, strict=True)
        except ValidationError:
            if self.at_most is not None and type(value) is int and value > self.at_most:
                return f"{self.words} and at most {self.at_most}"
            return self.words
        return None

    def or_null(self) -> Expected:
        return self._replace(hint=self.hint | None, words=f"{self.words}, or null")


def integer(at_least: int, at_most: int = MAX_INTEGER) -> Expected:
    hint = Annotated[int, Field(ge=at_least, le=at_most)]
    return Expected(hint, f"an integer of at least {at_least}", at_most)


def number(of_what: str) -> Expected:
    return Expected(Annotated[float, Field(gt=0.0, allow_inf_nan=False)], f"a positive number of {of_what}")


Text = Annotated[str, Field(min_length=1)]
Names = Annotated[list[Text], Field(min_length=1)]
Path = Annotated[str, Field(pattern=r"^[^\x00]+$")]
DIGITS = "a name of digits stands in quotes, \"key='5'\""
PATH = f"a path, or null ({DIGITS})"

Seed = Annotated[int, Field(ge=0, le=MAX_INTEGER)]

FLAG = Expected(bool, "true or false")
SEED, COUNT = integer(0), integer(1)
KEYS_BELOW = Expected(dict, "keys below it, which --cfg job shows")
DEVICE = Expected(Text, "auto, cpu, cuda or cuda:N")
FILE = Expected(Path | None, PATH)
PLACE = Expected(Path | int | None, PATH)  # a folder that is looked for: its name may be a number
ANYTHING = Expected(Any, "")
RESTORED = {
    "run": Expected(Path | int, "a run directory"),
    "split": Expected(Literal["train", "valid", "test"], "train, valid or test"),
    "checkpoint": Expected(Literal["best", "last"], "best or last"),
    "seed": SEED.or_null(),
    "device": DEVICE,
    "root": FILE,
    "consent": Expected(list[Text], "a list of keys, such as [data.allow_pickle]"),
}
FORM = Expected(Literal["parquet", "npz", None], "parquet, npz or null")
LOOKING = {**RESTORED, "memory_gb": number("gigabytes, such as 1.0"), "output": FILE}
EXPECTED: dict[str, dict[str, Expected]] = {
    "train": {
        "seed": SEED,
        "label": Expected(str | int | float | bool | None, "a text, or null"),
        "resume": PLACE,
        "run_from": PLACE,
        "latent": KEYS_BELOW,
        **{f"latent.{size}": COUNT for size in ("z_dim", "h_dim", "width")},
        "net_width": COUNT,
        "emission_bias": Expected(Literal["initial", "train"], "initial or train"),
        "multirun": KEYS_BELOW,
        "multirun.max_parallel": COUNT.or_null(),
        "multirun.retry_failed": FLAG,
        "multirun.fail_fast": FLAG,
        "multirun.replace_resumed": FLAG,
        "multirun.stop_below": Expected(dict | None, "null, or the three keys quantile, after, jobs"),
        "multirun.view": Expected(Literal["table", "lines", None], "table, lines or null"),
    },
    "evaluate": {**RESTORED, "memory_gb": number("gigabytes, such as 1.0")},
    "sample": {**RESTORED, "num": COUNT, "steps": COUNT.or_null(), "prefix": COUNT.or_null(), "output": FILE},
    "encode": {
        **LOOKING,
        "what": Expected(Literal["mean", "sample", "all"], "mean, sample or all"),
        "save": FORM,
    },
    "forecast": {
        **LOOKING,
        "horizon": COUNT,
        "num": integer(2),
        "season": integer(2).or_null(),
        "order": COUNT,
        "paths": FLAG,
        "save": FORM,
    },
    "score": {
        **LOOKING,
        "num_samples": COUNT,
        "dimensions": Expected(bool | None, "true, false or null"),
        "quantile": Expected(Annotated[float, Field(gt=0.0, lt=1.0)], "a number between 0 and 1, such as 0.99"),
        "save": FORM,
    },
    "compare": {
        "seeds": Expected(
            Annotated[int, Field(ge=1, le=1000)] | Annotated[list[Seed], Field(min_length=1)],
            "an integer of at least 1 and at most 1000, or a list of integers of at least 0, [3,4]",
        ),
        "lineup": Expected(Text | None, "a folder of conf/comparison/, or null"),
        "rows": Expected(str | Names | None, "a list of names, [a,b], or null"),
        "order": Expected(Names, "a list of names, [a,b]"),
        "num_samples": COUNT.or_null(),
        "jobs": COUNT.or_null(),
        "runs": FILE,
        "output": FILE,
        "negate": Expected(bool | None, "true, false or null"),
    },
    "status": {"dir": PLACE, "watch": FLAG, "every": number("seconds"), "report": FLAG},
    "benchmark": {
        "benchmark": KEYS_BELOW,
        "benchmark.shapes": ANYTHING,  # see experiments.benchmark
        "benchmark.cell": Expected(Text, "a text"),
        "benchmark.rounds": COUNT,
        "benchmark.threads": integer(1, at_most=4096).or_null(),
        "benchmark.device": DEVICE,
        "benchmark.jax": FLAG,
        "benchmark.growth": FLAG,
        "benchmark.save": FILE,
        "output": Expected(Path, f"a path ({DIGITS})"),
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
    for key, expected in EXPECTED[app].items():
        if not key.startswith(below):
            continue
        parent, _, name = key.rpartition(".")
        node = OmegaConf.select(cfg, parent) if parent else cfg
        if name not in node:
            raise UserError(f"~{key}: {app} needs {key}; leave ~{key} out, or write {key}=<value>")
        value = node[name]
        plain = OmegaConf.to_container(value, resolve=True) if OmegaConf.is_config(value) else value
        if (words := expected.instead_of(plain)) is not None:
            raise UserError(f"{key}={shown(plain)}: expected {words}, got {plain!r}")


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
            known = [*EXPECTED[app], *group_names()]
            same = [key for key in keys_of_groups() if key.endswith(f".{name}")]
            raise UserError(f"{word}: nothing reads {name}{nearest(name, [*known, *same]) or ';'} leave it out")


def is_read(name: str, app: str, others: Sequence[str]) -> bool:
    """Whether an added key can have an effect: below a group it is for the constructor to say."""
    first = re.split("[./]", name)[0]
    if any(re.search(rf"\$\{{(oc\.select:)?{re.escape(name)}\b", text) for text in (*others, *texts_of_configs())):
        return True
    own = EXPECTED[app]
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
