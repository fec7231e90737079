"""What to type once a sweep has been read."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

from omegaconf import OmegaConf

from experiments.config.overrides import quoted
from experiments.report.sweep.findings import SweepFindings
from experiments.run.directory import RunDirectory
from experiments.run.facts import config_of


def next_commands(findings: SweepFindings) -> list[tuple[str, str]]:
    """What to type next, each after what it is for."""
    plan = findings.plan
    commands = [
        ("Go on with this sweep, or repeat it", plan.command_to_show),
        ("See how far it is", typed("status", f"dir={literal(plan.directory)}")),
    ]
    if findings.best is None:
        return commands
    run, config = literal(findings.best.job.run.path), config_of(findings.best.job)
    commands.append(("Evaluate the selected configuration on test", typed("evaluate", f"run={run}")))
    limits = {
        key: OmegaConf.select(config, key) if config else None for key in ("trainer.max_epochs", "trainer.max_steps")
    }
    if longer := [f"{key}={2 * limit}" for key, limit in limits.items() if limit][:1]:
        purpose = "Train the selected configuration for twice as long, and evaluate it on test"
        commands.append((purpose, typed("train", f"run_from={run}", *longer, "trainer.test=true")))
    return commands


def typed(app: str, *arguments: str) -> str:
    """A command of the suite, for a shell."""
    return shlex.join(["python", "-m", f"experiments.{app}", *arguments])


def literal(path: Path) -> str:
    """A path as Hydra's override grammar reads it, relative where it lies below the working directory."""
    text = str(RunDirectory(path))
    return text if re.fullmatch(r"[\w./+-]+", text) else quoted(text)
