"""Measures a run's bound on a split: python -m experiments.evaluate run=<run directory>."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NoReturn

from omegaconf import DictConfig

from experiments.cli.app import launch
from experiments.cli.context import JobContext
from experiments.cli.terminal import say, show_measurements
from experiments.config.build import build
from experiments.config.sizes import bytes_kept, require_room_for
from experiments.disk.files import write_json
from experiments.disk.ownership import read_dict
from experiments.disk.removal import rename_measurement
from experiments.errors import UserError
from experiments.run.directory import measurements_as_json, provenance
from experiments.run.introduction import tally_lines
from experiments.run.looking import look
from experiments.run.parts import cautions
from experiments.run.tracking import track_evaluation
from vrnn.objectives.base import Objective
from vrnn.training.device import find_device
from vrnn.training.evaluation import evaluate, rows_within
from vrnn.training.finite import explain_not_finite
from vrnn.training.references import TRUTH, exact
from vrnn.training.space import Space


def measure(cfg: DictConfig, context: JobContext) -> int:
    """Evaluates, prints a table, and writes evaluations/<objective>-<K>.json in the run's directory.

    With another seed than the run's own, or on other data, the file is called after these as well, and marked. What was
    measured of another checkpoint makes room, and is kept.

    Raises:
      UserError: a value is wrong, something does not fit, or a bound is not finite (what is written is marked).
    """
    objective: Objective = build(cfg, "objective")
    run, restored, seed = look(cfg)
    steps = int(restored.sequences.lengths.max())
    needed = bytes_kept(restored.model, objective.num_samples * steps)
    sizes = {"objective.num_samples": objective.num_samples}
    require_room_for(needed, "the values of one sequence", sizes, find_device(cfg.device))
    batch_size = rows_within(restored.model, steps, cfg.memory_gb * 1e9)
    evaluation = evaluate(restored.model, objective, restored.sequences, batch_size=batch_size, seed=seed)
    space = Space.of(restored.model.likelihood, restored.splits)
    measurements = evaluation.measurements(cfg.split, space, restored.splits.grouping)
    if (truth := exact(restored.model.likelihood, restored.splits, cfg.split)) is not None:
        measurements |= truth.measurements(f"reference/{TRUTH}", space, restored.splits.grouping)
        measurements |= evaluation.gap(truth, cfg.split, restored.splits.grouping)
    suffix = "" if (cfg.split, cfg.checkpoint) == ("test", "best") else f"-{cfg.split}-{cfg.checkpoint}"
    suffix += "" if seed == restored.cfg.seed else f"-seed{seed}"
    suffix += "" if restored.other is None else f"-{restored.other.name}"
    path = run.evaluations / f"{objective.name}-{objective.num_samples}{suffix}.json"
    warnings = cautions(restored.splits, restored.model.likelihood)
    warnings += [] if restored.other is None else [restored.other.caution]
    about = {"checkpoint": cfg.checkpoint, "step": restored.step, "seed": seed, "num_samples": objective.num_samples}
    fault = explain_not_finite(evaluation, cfg.split, restored.sequences, restored.splits.grouping)
    about["on"] = None if restored.other is None else restored.other.as_dict()
    about["tally"], about["skipped"] = dict(restored.splits.tally), list(restored.splits.skipped)
    about |= {"not_finite": fault, "cautions": warnings, "figures": measurements_as_json(measurements)}
    make_room(path, about)
    write_json(path, {"format": 1, **about, **provenance(context)})
    tracked = "" if fault else track_evaluation(cfg, context, run, path.stem, measurements)
    if fault is not None:
        raise UserError(f"{fault}; {path} is marked, and counts nowhere")
    for note in restored.notes:
        say(f"note: {note}")
    for caution in warnings:
        say(f"caution: {caution}")
    if context.multirun is not None:
        say(f"{objective.name}  {run}  {measurements[f'{cfg.split}/log_likelihood']}")
        return 0
    for line in tally_lines(restored.splits.tally):
        say(line)
    show_measurements(f"{objective.name}, checkpoint {cfg.checkpoint} (step {restored.step})", measurements)
    say(f"written to {path}")
    if tracked:
        say(f"tracking    {tracked}")
    return 0


def make_room(path: Path, about: dict[str, Any]) -> None:
    """Gives another measurement that lies where this one is to be written a name of its own.

    Raises:
      UserError: what lies there is none.
    """
    previous = read_dict(path)
    if not previous and not path.exists():
        return
    if not {"step", "seed", "figures"} <= set(previous):
        raise UserError(f"{path}: this is not a measurement of this suite, so it is not replaced; take it away")
    for name in ("step", "seed"):
        if previous[name] != about[name]:
            rename_measurement(path, f"{path.stem}-{name}{previous[name]}")
            return
    if not are_equal(previous["figures"], about["figures"]):
        rename_measurement(path, f"{path.stem}-former")


def are_equal(previous: dict[str, Any], measurements: dict[str, Any]) -> bool:
    """Whether two measurements are the same but for rounding."""
    pairs = [
        ((previous.get(name) or {}).get("value"), measurement["value"]) for name, measurement in measurements.items()
    ]
    return set(previous) == set(measurements) and all(
        type(value) is not float or type(other) is not float or math.isclose(value, other, rel_tol=1e-3, abs_tol=1e-3)
        for value, other in pairs
    )


def main() -> NoReturn:
    """The app, as `python -m experiments.evaluate` and as the command vrnn-evaluate."""
    launch("evaluate", measure)


if __name__ == "__main__":
    main()
