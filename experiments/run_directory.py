"""One run's directory: what lies in it, and how it is read back."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import importlib.metadata
import itertools
import json
import math
import platform
import shlex
import subprocess
from pathlib import Path
from typing import IO, Any, get_type_hints

import torch
from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.build import find_target
from experiments.errors import UserError
from experiments.reading import CheckedMetrics, Unreadable, read_json, read_yaml
from experiments.schemas import Evaluation, Result
from experiments.text import plain
from experiments.untrusted import check_config
from vrnn.data.splits import Corpus
from vrnn.training.metrics import Figure

# What a config's identity leaves out: where and how a run was followed, not what it computes.
NOT_IDENTITY = (
    "label",
    "logger",
    "resume",
    "run_from",
    "multirun.max_parallel",
    "multirun.retry_failed",
    "multirun.fail_fast",
    "multirun.view",
    "multirun.replace_resumed",
    "figures",
    "trainer.device",
    "trainer.compile",
    "trainer.cuda_graph",
    "trainer.checkpoint_segments",
    "trainer.test",
    "data.root",
    "data.cache",
    "data.max_memory_gb",
)
# Keys that were added later, each with the value at which a run computes what runs did before there was the key.
ADDED = {
    "trainer.precision": "fp32",
    "data.verify": True,
    "data.valid_fraction": None,
    "data.on_bad": "error",
    "data.assignment": "order",
}
# Keys that were added later, each with another key and its values beside which it changes nothing.
IDLE = {
    "data.assignment": {"data.variant": ("simplified",), "data.split": ("folders", "lists")},
}


class RunDirectory:
    """Paths of a run, and the two files that describe it.

    config.yaml          the resolved config
    overrides.yaml       overrides that make this config again; `run_from` repeats them
    data.json            how the data were standardised, and what they are recognised by
    metrics.jsonl        training and validation metrics, one line each
    checkpoints/         last.pt (to go on from) and best.pt (on validation)
    result.json          status, figures, and what made them
    test_sequences.npz   the bound of every test sequence
    figures/             pictures and sounds
    evaluations/         what the evaluate app measured later
    """

    def __init__(self, path: Path):
        self.path = path
        self.config_file = path / "config.yaml"
        self.overrides_file = path / "overrides.yaml"
        self.data_file = path / "data.json"
        self.checkpoints = path / "checkpoints"
        self.metrics = CheckedMetrics(path / "metrics.jsonl")
        self.result_file = path / "result.json"
        self.test_sequences = path / "test_sequences.npz"
        self.figures = path / "figures"
        self.evaluations = path / "evaluations"

    def __str__(self) -> str:
        """The path as one would type it: relative where it lies below the working directory."""
        here = Path.cwd()
        return plain(str(self.path.relative_to(here) if self.path.is_relative_to(here) else self.path))

    @classmethod
    def existing(cls, path: str | Path) -> RunDirectory:
        """An existing run.

        Raises:
          UserError: there is no such directory, or no run in it.
        """
        run = cls(Path(str(path)))  # a name of digits arrives as a number
        if not run.path.is_dir():
            raise UserError(f"{path}: there is no such run directory; runs lie in outputs/<experiment>/<date>")
        if not run.config_file.is_file():
            raise UserError(
                f"{path}: this is not a run directory (it has no config.yaml); "
                "expected one that experiments.train made, such as outputs/<experiment>/<date>"
            )
        return run

    def write_config(self, cfg: DictConfig) -> None:
        write_whole(self.config_file, OmegaConf.to_yaml(cfg, resolve=True))

    def read_config(self) -> DictConfig:
        """The run's config.

        Raises:
          UserError: it is damaged, or could do more than build the suite's own parts.
        """
        return check_config(read_yaml(self.config_file), self.config_file)

    def write_overrides(self, overrides: list[str]) -> None:
        write_whole(self.overrides_file, OmegaConf.to_yaml(OmegaConf.create(overrides)))

    def read_overrides(self) -> list[str]:
        """Overrides that make the run's config.

        Raises:
          UserError: they are lost.
        """
        found = read_yaml(self.overrides_file)
        if not OmegaConf.is_list(found):
            raise UserError(f"{plain(str(self.overrides_file))}: expected a list of overrides")
        return [str(text) for text in OmegaConf.to_container(found, resolve=False)]

    def read_result(self) -> dict[str, Any]:
        """The content of result.json; empty where there is none, or no whole one.

        Raises:
          UserError: a value in it is of a wrong type.
        """
        try:
            return read_json(self.result_file, Result)
        except (FileNotFoundError, NotADirectoryError, Unreadable):
            return {}

    def read_evaluations(self) -> dict[str, dict[str, Any]]:
        """What was measured later, by the name of its file.

        Raises:
          UserError: one of the files is damaged, or a value in it is of a wrong type.
        """
        return {plain(file.stem): read_json(file, Evaluation) for file in sorted(self.evaluations.glob("*.json"))}

    def is_done(self) -> bool:
        return self.read_result().get("status") == "done"

    def write_result(self, result: dict[str, Any]) -> None:
        """Writes result.json whole or not at all."""
        write_json(self.result_file, result)


def write_json(path: Path, content: dict[str, Any]) -> None:
    """Writes a JSON file, whole or not at all, whatever the content.

    A number that is not finite, which JSON has no word for, becomes null; a part of a config its plain value, as it
    stands; what else JSON does not know its text.
    """
    write_whole(path, json.dumps(_plain(content), indent=2, allow_nan=False, default=str) + "\n")


def _plain(content: Any) -> Any:
    if OmegaConf.is_config(content):
        content = OmegaConf.to_container(content)
    if isinstance(content, dict):
        return {key: _plain(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [_plain(value) for value in content]
    return None if isinstance(content, float) and not math.isfinite(content) else content


def write_whole(path: Path, text: str) -> None:
    """Writes a file by way of a temporary one, so that a kill leaves the former one or the new one.

    The temporary one has a name that nothing else has there, and goes again where it cannot be written. The bytes of a
    name that is not UTF-8 are spelled.

    Raises:
      OSError: it names the file.
    """
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = _open_new(path)
        with temporary as file:
            file.write(text)
        Path(temporary.name).replace(path)
    except OSError as error:
        if temporary is not None:
            with contextlib.suppress(OSError):
                Path(temporary.name).unlink()
        error.filename = error.filename or str(path)  # a full disk tells no name
        raise


def _open_new(path: Path) -> IO[str]:
    """A temporary file beside a path, which was not there before and is no link."""
    for number in itertools.count():
        name = f"{path.name}.{number}.tmp" if number else f"{path.name}.tmp"
        with contextlib.suppress(FileExistsError):
            return path.with_name(name).open("x", encoding="utf-8", errors="backslashreplace")
    raise AssertionError


def figures_as_json(figures: dict[str, Figure]) -> dict[str, Any]:
    return {name: figure.as_dict() for name, figure in figures.items()}


def config_hash(cfg: DictConfig, *, resolve: bool = True) -> str:
    """Identifies what a run computes: a hash of its config, without logger, device and paths.

    Args:
      cfg: the config.
      resolve: follow interpolations; False: take them as they stand.

    Raises:
      UserError: an interpolation leads nowhere, such as a variable of the environment that is not set.
    """
    try:
        plain = OmegaConf.create(OmegaConf.to_container(cfg, resolve=resolve))
    except OmegaConfBaseException as error:
        raise UserError(f"{error.full_key}: {str(error).splitlines()[0]}") from error
    found = functools.partial(OmegaConf.select, plain, throw_on_resolution_failure=False)  # some may not be resolved
    if found("multirun.stop_below") is None:
        plain.pop("multirun", None)
    added = [key for key, value in ADDED.items() if found(key) == value]
    added += idle_keys(plain)
    for key in (*added, *NOT_IDENTITY):
        if key == "data.root" and root_is_identity(cfg):
            continue
        parent, _, name = key.rpartition(".")
        node = found(parent) if parent else plain
        if node is not None and name in list(node):
            del node[name]  # pop would resolve it
    text = json.dumps(OmegaConf.to_container(plain), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def idle_keys(cfg: DictConfig) -> list[str]:
    """The keys of `IDLE` that change nothing beside the values of other keys of this config."""
    return [
        key
        for key, others in IDLE.items()
        if any(
            OmegaConf.select(cfg, other, throw_on_resolution_failure=False) in values
            for other, values in others.items()
        )
    ]


def root_is_identity(cfg: DictConfig) -> bool:
    """Whether another `data.root` means other data, as for any folder of recordings."""
    target = OmegaConf.select(cfg, "data._target_")
    return target is not None and get_type_hints(find_target("data", target), include_extras=True).get("root") == Corpus


def provenance() -> dict[str, Any]:
    """The command, the commit and the versions that made a result."""
    overrides = HydraConfig.get().overrides.task
    versions = {name: importlib.metadata.version(name) for name in ("torch", "numpy", "hydra-core", "wandb")}
    return {
        "command": shlex.join(["python", "-m", f"experiments.{HydraConfig.get().job.name}", *overrides]),
        "commit": git("rev-parse", "HEAD"),
        "dirty": bool(git("status", "--porcelain", "--untracked-files=no")),
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), **versions},
    }


def git(*arguments: str) -> str | None:
    """What git says of the suite's own checkout; None where there is no git or no checkout."""
    try:
        command = ["git", "-C", str(Path(__file__).parent), *arguments]
        text = {"encoding": "utf-8", "errors": "replace"}
        return subprocess.run(command, capture_output=True, check=True, timeout=10, **text).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
