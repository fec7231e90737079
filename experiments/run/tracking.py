"""What a tracker is told of a job: a name that says what varies, its command, and what it can be filtered by."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from omegaconf import DictConfig

from experiments.cli.context import JobContext
from experiments.config.keys import role_of
from experiments.config.overrides import key_of
from experiments.run.directory import RunDirectory
from experiments.text import short_names
from experiments.tracking.guard import build_tracker
from experiments.tracking.tracked import TrackedRun, readable_config
from experiments.tracking.wandb_runs import IDENTITY
from vrnn.training.metrics import Measurement

TAGS = ("data", "model", "experiment", "comparison", "sweep")  # groups whose options a run can be found by


def tracked_job(directory: Path, cfg: DictConfig, context: JobContext) -> TrackedRun:
    """A training job, as its config and its start describe it."""
    choices = {group: option for group, option in context.choices.items() if option and "hydra" not in group.split("/")}
    return TrackedRun(
        directory=directory,
        name=run_name(context, cfg.label) or directory.name,
        config=readable_config(cfg),
        group=directory.parent.name,
        job_type="train",
        command=train_command(context.overrides),
        tags=[choices[group] for group in TAGS if group in choices],
        choices=choices,
    )


def train_command(overrides: Sequence[str]) -> str:
    """What to type to train so."""
    return shlex.join(["python", "-m", "experiments.train", *overrides])


def track_evaluation(
    cfg: DictConfig, context: JobContext, run: RunDirectory, name: str, measurements: Mapping[str, Measurement]
) -> str:
    """Adds what was measured of a finished run to the summary of its own tracked run, where it has one.

    What the run itself measured is told again, since an upload of this log replaces the former summary.

    Args:
      cfg: with the `logger` to be used.
      context: of the measuring app.
      run: that was measured.
      name: of the evaluation; before the names of its measurements.

    Returns:
      Where to look for it; empty: nowhere.
    """
    if not (run.path / IDENTITY).exists():
        return ""
    tracker = build_tracker(cfg)
    tracked = tracked_job(run.path, run.read_config(), context)
    tracker.open(replace(tracked, command=train_command(run.read_overrides())))
    result = run.read_result()
    kept = {key: Measurement(**figure) for key, figure in (result.get("figures") or {}).items()}
    facts = {"parameters": result["parameters"]} if "parameters" in result else {}
    try:
        tracker.show({**kept, **{f"{name}/{key}": value for key, value in measurements.items()}}, facts, [])
        return tracker.whereabouts()
    finally:
        tracker.close(0)


def run_name(context: JobContext, label: str | None = None) -> str:
    """A short name for a job.

    In a multirun whose jobs the suite names, the overrides that vary: "latent=tiny seed=1". Else the label, or model
    and data, with the overrides that change what the job computes: "vrnn speech h_dim=64".
    """
    varied = context.subdir.removeprefix("${job_name:").removesuffix("}").split(",")
    overrides = {key_of(text): text.partition("=")[2] for text in context.overrides}
    if shown := {key: overrides[key] for key in varied if key in overrides}:
        return assignments(shown)
    parts = [label] if label else [choice for group in ("model", "data") if (choice := context.choices.get(group))]
    shown = {key: value for key, value in overrides.items() if key not in ("model", "data", "label") and matters(key)}
    return " ".join([*parts, *([assignments(shown)] if shown else [])])


def matters(key: str) -> bool:
    """Whether a key changes what a run computes."""
    role = role_of(key)
    return role is not None and role.numbers


def assignments(values: Mapping[str, str]) -> str:
    """Keys by their short names, each with its value, in one line."""
    names = short_names(list(values))
    return " ".join(f"{names[key]}={value}" for key, value in values.items())
