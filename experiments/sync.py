"""Uploads what was logged offline to Weights & Biases, each log once: python -m experiments.sync [folder]."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from experiments.cli.app import answer
from experiments.cli.arguments import Parser
from experiments.cli.streams import protect_streams
from experiments.disk.locks import is_locked
from experiments.errors import UserError

OUTPUTS = Path("outputs")
EMPTY_LOG_BYTES = 7  # bytes of a log that holds no record: its run was killed before the first one was flushed
CUT = "ends with an incomplete record"  # what the client says of a killed run's log, when it has uploaded the rest


def sync(folder: Path) -> int:
    """Uploads what lies below the folder; the logs of a resumed run go into one W&B run, in order of time."""
    if folder != OUTPUTS and not folder.is_dir():
        raise UserError(f"{folder}: there is no such folder; runs lie in {OUTPUTS}/")
    waiting = logs = unsynced(folder)
    if not logs:
        print(f"nothing to upload in {folder}: all that ended runs logged offline has been uploaded")
    while waiting:
        sizes = [log.stat().st_size for log in waiting]
        said = upload(waiting)
        for log, size in zip(waiting, sizes, strict=True):
            is_cut = any(log.parent.name in line and CUT in line for line in said)
            if is_cut and log.stat().st_size == size:  # and not still being written
                marker(log).touch()  # or every call would upload it once more, and never what its resumed run logged
        left = [log for log in waiting if not marker(log).exists()]
        if len(left) == len(waiting):
            raise UserError(f"{len(left)} of {len(logs)} logs were not uploaded; wandb says:\n{''.join(said[-5:])}")
        waiting = left
    if logs:
        print(f"uploaded {len(logs)} logs of {len({log.name for log in logs})} runs")
    return 0


def unsynced(folder: Path) -> list[Path]:
    """The logs <run>/wandb/offline-run-<time>-<id>/run-<id>.wandb of ended runs that are not uploaded yet, by time."""
    paths = folder.rglob("wandb/offline-run-*/run-*.wandb")
    logs = [log for log in paths if not (log.is_symlink() or os.path.lexists(marker(log)))]
    ended = [log for log in logs if log.stat().st_size > EMPTY_LOG_BYTES and not is_locked(log.parents[2])]
    return sorted(ended, key=lambda log: log.parent.name)


def marker(log: Path) -> Path:
    """The file that wandb leaves beside a log that it has uploaded."""
    return log.with_suffix(".wandb.synced")


def upload(logs: Sequence[Path]) -> list[str]:
    """One call of `wandb sync`, which asks nothing; returns what it said, of which the runs' addresses are shown."""
    command = [sys.executable, "-m", "wandb", "sync", "--", *map(str, logs)]
    said: list[str] = []
    with (
        tempfile.TemporaryDirectory() as logs_folder,  # the client would leave its logs in the working directory
        subprocess.Popen(
            command,
            env={**os.environ, "WANDB_DIR": logs_folder},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            encoding="utf-8",  # whatever the locale
            errors="replace",
        ) as process,
    ):
        for line in process.stderr or ():
            if "View run" in line and line not in said:
                print(line.removeprefix("wandb: "), end="", flush=True)
            said.append(line)
    if any("No API key" in line for line in said):
        raise UserError(
            "there is no key to Weights & Biases: run `wandb login` (or set WANDB_API_KEY), then this again"
        )
    return said


def read_folder(arguments: Sequence[str]) -> Path:
    """The folder that is named, or that of all runs.

    Raises:
      UserError: there is more.
    """
    parser = Parser(prog="python -m experiments.sync", description=__doc__)
    parser.add_argument("folder", nargs="?", type=Path, default=OUTPUTS, help="what lies below it is uploaded")
    return parser.parse_args(arguments).folder


def main() -> NoReturn:
    """The app, as `python -m experiments.sync` and as the command vrnn-sync."""
    protect_streams()
    sys.exit(answer(lambda: sync(read_folder(sys.argv[1:]))))


if __name__ == "__main__":
    main()
