"""Facts of one run that reports, views and plans read alike."""

from __future__ import annotations

import math
from typing import Any

from omegaconf import DictConfig

from experiments.errors import UserError
from experiments.run.state import Job

BOUND = "test/log_likelihood"


def failure(job: Job) -> str:
    """Why a failed job has failed."""
    error = job.result.get("error") or {"kind": "UserError", "message": "no reason was recorded"}
    kind = "" if error["kind"] == "UserError" else f"{error['kind']}: "
    return f"{kind}{error['message']}"


def why_not(job: Job, name: str = BOUND) -> str | None:
    """Why a job does not count where the figure `name` is asked for; None: it does."""
    if job.state == "failed":
        return f"failed: {failure(job)}"
    if job.state == "interrupted":
        return f"interrupted at update {last_line(job).get('step', 0):,}"
    if job.state == "stale":
        return "stale: its result was made with another config, so it is not counted"
    if job.state == "resumed":
        how = "failed" if job.result.get("status") == "failed" else "was interrupted"
        unfinished = "" if job.is_over else f", where it {how}"
        return (
            f"resumed further than was asked for, to {last_line(job).get('step', 0):,} updates{unfinished}: "
            "it is kept, and not counted beside those with less training (multirun.replace_resumed=true makes it anew)"
        )
    if job.state == "running":
        return f"still running, {last_line(job).get('step', 0):,} updates so far"
    if job.state == "waiting":
        return "not started"
    bound = job.result["figures"].get(name)
    split = name.partition("/")[0]
    if bound is None:
        return f"not measured on {split}" + " (trainer.test=false)" * (split == "test")
    finite = bound["value"] is not None and math.isfinite(bound["value"])  # JSON has no word for what is not
    return None if finite else f"its bound on {split} is not finite"


def last_line(job: Job) -> dict[str, Any]:
    """The last line of the run's metrics; empty where there is none."""
    return next(reversed(list(job.run.metrics.read())), {})


def training_seconds(job: Job) -> float:
    """Time spent training, over all resumes."""
    return last_line(job).get("seconds", job.result["seconds"])


def valid_evaluations(job: Job) -> dict[str, dict[str, Any]]:
    """What was measured later of the run's best checkpoint, by name.

    Not of one that a longer run left behind, not on other data than the run's own, and no bound that is not finite.
    """
    wanted = ("best", job.result.get("best_step"))
    return {
        name: content
        for name, content in job.run.read_evaluations().items()
        if (content["checkpoint"], content["step"]) == wanted
        and content.get("not_finite") is None
        and content.get("on") is None
    }


def config_of(job: Job) -> DictConfig | None:
    try:
        return job.run.read_config()
    except UserError:
        return None


def seed_of(job: Job) -> int | None:
    """The run's seed; None for a job that has not begun."""
    if "seed" in job.result:
        return job.result["seed"]
    config = config_of(job)
    return None if config is None else config.seed
