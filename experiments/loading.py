"""Runs and sweeps as Python objects, for notebooks and scripts: `from experiments import load_run, load_sweep`."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, get_args

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.errors import HydraException

from experiments.disk.ownership import PLAN
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.run.facts import training_seconds, valid_evaluations, why_not
from experiments.run.restore import Trained, restore_data, restore_model
from experiments.run.state import Job, read_job
from experiments.sweep.plan import SweepPlan, begun_with

if TYPE_CHECKING:
    import pandas as pd
    from omegaconf import DictConfig

    from vrnn.data.splits import Splits
    from vrnn.models.base import SequenceModel

Checkpoint = Literal["best", "last"]
VALID_BOUND = "valid/log_likelihood"  # what every job that is done has


class LoadedRun:
    """A run's directory, read.

    Attributes:
      path: of the directory.
      config: the run's own, resolved.
      model: with the weights of the checkpoint, ready to be evaluated.
      step: updates after which that checkpoint was written.
      notes: what a person should know of the model; what there is to know of the data is warned of.
    """

    def __init__(self, run: RunDirectory, trained: Trained, root: str | None):
        self._run, self._trained, self._root = run, trained, root
        self.path: Path = run.path
        self.config: DictConfig = trained.cfg
        self.model: SequenceModel = trained.model
        self.step: int = trained.step
        self.notes: list[str] = trained.notes

    def __repr__(self) -> str:
        return f"<run {self._run}: {type(self.model).__name__} after {self.step:,} updates>"

    @cached_property
    def result(self) -> dict[str, Any]:
        """result.json; empty while the run has none."""
        return self._run.read_result()

    @cached_property
    def metrics(self) -> list[dict[str, Any]]:
        """The lines of metrics.jsonl."""
        return list(self._run.metrics.read())

    @cached_property
    def evaluations(self) -> dict[str, dict[str, Any]]:
        """What was measured later, by the name of its file, such as "iwae-40"."""
        return self._run.read_evaluations()

    @cached_property
    def data(self) -> Splits:
        """The run's data, made at the first use: train, valid and test, standardised as the model was trained.

        Raises:
          UserError: they cannot be made, or are not those of the training any more.
        """
        settled = restore_data(self._run, self._trained, self._root)
        caution = [] if settled.other is None else [settled.other.caution]
        for note in (*settled.notes, *caution):
            warnings.warn(note, stacklevel=3)  # beyond cached_property
        return settled.splits


def load_run(
    path: str | Path,
    checkpoint: Checkpoint = "best",
    *,
    device: str = "cpu",
    root: str | Path | None = None,
    consent: Sequence[str] = (),
) -> LoadedRun:
    """Reads a run and builds its model; the data are made when they are asked for.

    Args:
      path: the run's directory, such as "outputs/train/<date>".
      checkpoint: whose weights the model gets, "best" on validation or "last".
      device: of the model, "auto", "cpu" or "cuda:N".
      root: a folder of other data, which are standardised as the run's were; None: the run's own.
      consent: keys of the run's config that weaken safety and are taken nevertheless, such as "data.allow_pickle".

    Raises:
      UserError: something is missing or does not fit; the message says what.
    """
    if checkpoint not in get_args(Checkpoint):
        raise UserError(f"checkpoint={checkpoint!r}: expected {' or '.join(map(repr, get_args(Checkpoint)))}")
    run = RunDirectory.existing(path)
    trained = restore_model(run, checkpoint, device, consent)
    for note in trained.notes:
        warnings.warn(note, stacklevel=2)
    return LoadedRun(run, trained, None if root is None else str(root))


def load_sweep(directory: str | Path) -> pd.DataFrame:
    """A row for each job of a sweep, a comparison, or any folder of runs.

    The columns are every key that varies, `state`, `reason` (why the job does not count), every measurement with its
    standard error (`valid/log_likelihood`, `valid/log_likelihood/standard_error`; of a later evaluation
    `iwae-40:test/log_likelihood`), `parameters`, `seconds` of training, and `path`. `frame.attrs["units"]` holds the
    unit of each measurement.

    Args:
      directory: such as "outputs/sweeps/<name>-<hash>" or "outputs/comparisons/<name>-<hash>".

    Raises:
      UserError: no job lies there, or a file of one is damaged.
    """
    import pandas as pd

    units: dict[str, str] = {}
    jobs = _jobs(Path(directory))
    settings = [{key: _value(key, text) for key, text in texts.items()} for texts, _ in jobs]
    measurements = [_measurements(job, units) for _, job in jobs]
    rows = [
        {
            **values,
            "state": job.state,
            "reason": why_not(job, VALID_BOUND),
            **measured,
            "parameters": job.result.get("parameters"),
            "seconds": training_seconds(job) if job.result else None,
            "path": str(job.run.path),
        }
        for values, measured, (_, job) in zip(settings, measurements, jobs, strict=True)
    ]
    keys, measured = (dict.fromkeys(name for row in each for name in row) for each in (settings, measurements))
    frame = pd.DataFrame(rows, columns=[*keys, "state", "reason", *measured, "parameters", "seconds", "path"])
    frame.attrs["units"] = units
    return frame


def _jobs(directory: Path) -> list[tuple[dict[str, str], Job]]:
    """The jobs of a directory, each with the values of the keys that vary, as they were typed."""
    if (directory / PLAN).is_file():
        return [(job.settings, job.job) for job in SweepPlan.read(directory).jobs()]
    folders = sorted(file.parent for file in directory.glob("*/config.yaml"))
    if not folders:
        raise UserError(f"{directory}: there is no sweep, comparison or run; give the folder that holds the jobs")
    typed = [begun_with(folder) for folder in folders]
    keys = dict.fromkeys(key for texts in typed for key in texts)
    varied = [key for key in keys if len({texts.get(key) for texts in typed}) > 1]
    settings = [{key: texts[key] for key in varied if key in texts} for texts in typed]
    return [(each, read_job(RunDirectory(folder))) for each, folder in zip(settings, folders, strict=True)]


def _value(key: str, text: str) -> Any:
    """A value as Hydra reads it: a number, a truth value, a list, or a text."""
    try:
        return OverridesParser.create().parse_override(f"{key}={text}").value()
    except (HydraException, RecursionError):
        return text


def _measurements(job: Job, units: dict[str, str]) -> dict[str, float | None]:
    """Every measurement of a job with its standard error, by column; `units` gets the unit of each."""
    sources = {"": job.result.get("figures", {})}
    sources |= {f"{name}:": content["figures"] for name, content in valid_evaluations(job).items()}
    columns: dict[str, float | None] = {}
    for prefix, figures in sources.items():
        for name, figure in figures.items():
            columns[f"{prefix}{name}"] = figure["value"]
            columns[f"{prefix}{name}/standard_error"] = figure.get("standard_error")
            units[f"{prefix}{name}"] = figure["unit"]
    return columns
