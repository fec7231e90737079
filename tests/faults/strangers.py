"""What a stranger may give away: a run and a sweep like ours, and code that leaves a trace where it is imported; and
what reads them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from omegaconf import OmegaConf

from experiments.comparison.finished import finished_rows
from experiments.comparison.plan import has_estimate
from experiments.errors import UserError
from experiments.report.rows import Row
from experiments.run.directory import RunDirectory
from experiments.run.repeat import repeated_arguments
from experiments.run.restore import restore
from experiments.run.state import read_job
from experiments.sweep.overview import JobProgress
from experiments.sweep.plan import SweepJob

OLD = Path(__file__).parent / "old" / "format1"
EVIL = "outputs.evil.boom"
PASSWORD = "correct horse battery staple"  # in the environment of who is attacked


def stranger(folder: Path) -> None:
    """Puts a run, a sweep and evil code into a folder."""
    shutil.copytree(OLD / "finished", folder / "run")
    shutil.copytree(next((OLD / "outputs" / "sweeps").glob("train-*")), folder / "sweep")
    package = folder / "outputs"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "evil.py").write_text("open('pwned', 'w')\n\n\ndef boom(*_, **__):\n    open('pwned-too', 'w')\n")


def asked(**changes: object) -> OmegaConf:
    about = {"split": "test", "checkpoint": "best", "device": "cpu", "root": None, "consent": []}
    return OmegaConf.create(about | changes)


# What reads a run's directory. Each either gives something, or raises UserError.
READERS: dict[str, Callable[[RunDirectory], object]] = {
    "restore": lambda run: restore(run, asked()),
    "run_from": lambda run: repeated_arguments([f"run_from={run.path}"]),
    "compare": lambda run: [
        Row(label, jobs).mean("test/log_likelihood") for label, jobs in finished_rows(str(run.path)).items()
    ],
    "status": lambda run: vars(JobProgress(SweepJob({}, read_job(run, "another", alive=False)))),
    "estimate": lambda run: has_estimate(read_job(run, alive=False), 3),
    "report": lambda run: [
        Row("a", [read_job(run, alive=False)]).evaluations,
        Row("a", [read_job(run, alive=False)]).bounds,
    ],
}


# Those that read result.json, and that are quick.
OF_RESULTS = ("compare", "status", "report")
OF_CONFIGS = ("restore", "compare", "run_from")


def answers(run: Path, names: Sequence[str] = tuple(READERS)) -> list[str]:
    """What readers say of a run: their refusal, or the text of what they give."""
    said = []
    for name in names:
        read = READERS[name]
        try:
            said.append(f"{name} gives {read(RunDirectory(run))}")
        except UserError as error:
            said.append(f"{name} refuses {error}")
    return said


def refusals(run: Path, names: Sequence[str] = tuple(READERS)) -> list[str]:
    return [text for text in answers(run, names) if " refuses " in text]


def change_config(run: Path, key: str, value: object) -> None:
    cfg = OmegaConf.load(run / "config.yaml")
    OmegaConf.update(cfg, key, value, merge=False, force_add=True)
    (run / "config.yaml").write_text(OmegaConf.to_yaml(cfg))
