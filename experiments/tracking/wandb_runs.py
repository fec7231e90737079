"""Runs of Weights & Biases: how one begins or goes on, by which id it is known, and what its charts show."""

from __future__ import annotations

import os
import uuid
from collections.abc import Sequence
from typing import Any

from experiments.disk.files import write_json
from experiments.disk.reading import read_json
from experiments.disk.schemas import Identity
from experiments.errors import UserError
from experiments.tracking.environment import MAX_NAME, Name, cut, encodable, refused_variable, valid_tags
from experiments.tracking.tracked import TrackedRun

IDENTITY = "wandb/identity.json"
BOOKKEEPING = ("epoch", "seconds")  # metrics without a chart of their own
STEP = "step"  # the x axis: updates done


def arguments(run: TrackedRun, identity: dict[str, Any]) -> dict[str, Any]:
    """Of wandb.init, by what a tracker is told of a run, and what it is known by since its first start."""
    sweep = os.environ.get("WANDB_SWEEP_ID")
    return {
        "dir": run.directory,
        "group": cut(encodable(f"sweep-{sweep}" if sweep else run.group), MAX_NAME),
        "config": encodable({**run.config, "choices": identity.get("choices", {})}),
        "id": identity["id"],
        "name": cut(encodable(identity["name"]), MAX_NAME),
        "notes": encodable(run.command),
        "job_type": run.job_type,
        "tags": valid_tags(map(encodable, identity.get("tags", []))),
    }


def define_metrics(run: Any) -> None:
    """Draws every metric over updates, and none of the bookkeeping."""
    run.define_metric(STEP, hidden=True)
    run.define_metric("*", step_metric=STEP)
    for name in BOOKKEEPING:
        run.define_metric(name, step_metric=STEP, hidden=True)


def start(about: dict[str, Any], mode: Name) -> Any:
    """A W&B run.

    Args:
      about: arguments of wandb.init.
      mode: offline, online or shared.

    Raises:
      UserError: W&B refuses a value, or has no key.
      CommError: it cannot be reached.
    """
    import pydantic
    import wandb

    try:
        return wandb.init(
            **about,
            mode=mode,
            resume="allow",
            reinit="finish_previous",  # or the jobs of a multirun merge into one
            settings=wandb.Settings(console="off", silent=True),
        )
    except pydantic.ValidationError as error:
        first = error.errors()[0]
        raise UserError(
            f"{refused_variable(str(first['loc'][0]))}: Weights & Biases could not start ({first['msg']}); "
            "correct or unset it, or use logger=none"
        ) from error
    except wandb.errors.Error as error:
        if type(error) is wandb.errors.CommError:
            raise
        why = str(error).strip().splitlines()[0]
        for word, place in (("project", f"logger.project={about['project']}"), ("Run ID", refused_variable("run_id"))):
            if word in why:
                raise UserError(f"{place}: Weights & Biases refuses it ({why})") from error
        raise UserError(
            f"logger.mode={mode}: Weights & Biases could not start ({why}); "
            "run `wandb login`, or use logger=wandb (offline) or logger=none"
        ) from error


def first_identity(run: TrackedRun, tags: Sequence[str] = ()) -> dict[str, Any]:
    """The id, name, tags and chosen options of a run directory's W&B run: those of its first start, over all resumes.

    A run that an agent of a W&B sweep starts has the id by which the sweep knows it.
    """
    file = run.directory / IDENTITY
    given = os.environ.get("WANDB_RUN_ID") if "WANDB_SWEEP_ID" in os.environ else None
    if given or not file.exists():
        write_json(
            file,
            {
                "id": given or uuid.uuid4().hex[:8],
                "name": run.name,
                "tags": [*tags, *run.tags],
                "choices": dict(run.choices),
            },
        )
    return read_json(file, Identity)


def displaced(config: dict[str, Any], kept: dict[str, Any]) -> dict[str, Any]:
    """The nodes whose place a W&B sweep has taken, as "optimizer.lr": a swept optimizer=adam is kept as the word."""
    taken = {name: node for name, node in config.items() if isinstance(node, dict) and not isinstance(kept[name], dict)}
    return {f"{name}.{key}": value for name, node in taken.items() for key, value in node.items()}
