"""One run's directory: what lies in it, and how it is read back."""

from __future__ import annotations

import importlib.metadata
import platform
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf

from experiments.cli.context import JobContext
from experiments.config.paths import CHECKOUT
from experiments.config.untrusted import check_config
from experiments.disk.files import write_json, write_whole
from experiments.disk.reading import CheckedMetrics, Unreadable, read_json, read_yaml
from experiments.disk.schemas import Evaluation, Result
from experiments.errors import UserError
from experiments.text import plain
from vrnn import __version__
from vrnn.training.metrics import Measurement


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
        texts: Any = OmegaConf.to_container(found, resolve=False)
        return [str(text) for text in texts]

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


def measurements_as_json(measurements: dict[str, Measurement]) -> dict[str, Any]:
    return {name: measurement.as_dict() for name, measurement in measurements.items()}


def provenance(context: JobContext) -> dict[str, Any]:
    """The command, the commit and the versions that made a result."""
    import torch

    versions = {name: importlib.metadata.version(name) for name in ("torch", "numpy", "hydra-core", "wandb")}
    return {
        "command": shlex.join(["python", "-m", f"experiments.{context.app}", *context.overrides]),
        "commit": git("rev-parse", "HEAD") if CHECKOUT else installed_commit(),
        "dirty": bool(git("status", "--porcelain", "--untracked-files=no")) if CHECKOUT else None,
        "threads": torch.get_num_threads(),
        "versions": {"python": platform.python_version(), "vrnn": __version__, **versions},
    }


def installed_commit() -> str | None:
    """The commit that `pip install git+...` installed the suite from; None where it came from elsewhere."""
    try:
        text = importlib.metadata.distribution("vrnn").read_text("direct_url.json")
    except importlib.metadata.PackageNotFoundError:
        return None
    match = re.search(r'"commit_id": *"([0-9a-f]{7,64})"', text or "")
    return match[1] if match else None


def git(*arguments: str) -> str | None:
    """What git says of the suite's own checkout; None where there is no git or no repository."""
    try:
        command = ["git", "-C", str(CHECKOUT), *arguments]
        done = subprocess.run(command, capture_output=True, check=True, timeout=10, encoding="utf-8", errors="replace")
        return done.stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
