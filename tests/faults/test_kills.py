"""A run that is killed at any of its file operations loses nothing: it goes on, and ends as if nothing had happened.

Python reports every file that is opened, renamed or removed to its audit hooks, before it is done. So a run can be
killed at the n-th of them, for every n, which no clock could aim at.
"""

from __future__ import annotations

import signal
from collections.abc import Iterable
from pathlib import Path

import pytest
import torch

from tests.experiments.command_line import WORDS, Apps, Ended, Run

ARGUMENTS = (
    *WORDS,
    "latent.z_dim=2",
    "latent.h_dim=6",
    "latent.width=6",
    "likelihood.num_components=2",
    "trainer=debug",
    "trainer.max_steps=12",
    "trainer.checkpoint_every=2",
    "logger=none",
)
# What counts are operations on the run's own files.
AUDIT = """
import os, resource, signal
here, seen = os.path.join(os.getcwd(), "run"), [0]
def hook(event, arguments):
    if event in ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate"):
        path = arguments[0]
        if isinstance(path, (str, os.PathLike)) and os.path.abspath(path).startswith(here):
            seen[0] += 1
            if seen[0] == {number}:
                os.kill(os.getpid(), {signal})
sys.addaudithook(hook)
"""
# The write that makes a file larger than this kills the process in the middle of it.
WRITE = """
import resource, signal
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))
"""
# Such a write fails, as on a full disk.
FULL = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, ({size}, {size}))"


def killed(number: int, by: int = signal.SIGKILL) -> str:
    """Code that sends a signal to its own process before its `number`-th operation."""
    return AUDIT.format(number=number, signal=int(by))


@pytest.fixture(scope="session")
def undisturbed(apps: Apps, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """The run that is left alone; only to be looked at."""
    folder = tmp_path_factory.mktemp("undisturbed")
    ended = apps("train", *ARGUMENTS, "hydra.run.dir=run", cwd=folder)
    assert ended.code == 0, ended.err
    return Run(folder / "run")


def go_on(apps: Apps, folder: Path, before: str = "") -> Ended:
    """Goes on with the run as a user would: by resume, or by the same command where nothing had been begun."""
    begun = (folder / "run" / "config.yaml").exists()
    arguments = ("resume=run",) if begun else (*ARGUMENTS, "hydra.run.dir=run")
    return apps("train", *arguments, cwd=folder, before=before)


def require_equal(run: Run, expected: Run) -> None:
    """Every figure, metric and weight is that of the undisturbed run, bit for bit."""
    assert (run.result["status"], run.result["step"]) == ("done", 12)
    assert run.result["figures"] == expected.result["figures"]
    assert run.metrics == expected.metrics
    for name in ("last", "best"):
        mine, theirs = run.checkpoint(name)["model"], expected.checkpoint(name)["model"]
        assert mine.keys() == theirs.keys()
        assert all(torch.equal(mine[key], theirs[key]) for key in theirs)
    assert list(run.path.rglob("*.tmp")) == []


def require_survival(apps: Apps, folder: Path, expected: Run, befalls: Iterable[str]) -> int:
    """Lets these things befall a run one after the other, goes on each time, and compares; returns how many hit it."""
    folder.mkdir(exist_ok=True)
    hits = 0
    for before in befalls:
        ended = go_on(apps, folder, before)
        if ended.code == 0:
            break
        hits += 1
        assert ended.code < 0 or ended.code > 128 or "error: " in ended.err, ended.err
        assert "Traceback" not in ended.err
    if ended.code:
        ended = go_on(apps, folder)
        assert ended.code == 0, ended.err
    require_equal(Run(folder / "run"), expected)
    return hits


@pytest.mark.parametrize(
    "befalls",
    [
        [killed(number) for number in (1, 5, 10, 16, 19, 22)],
        [killed(number) for number in (13, 21, 26, 30, 24, 20)],
        [killed(20, signal.SIGTERM), killed(26, signal.SIGINT), killed(23, signal.SIGTERM), WRITE.format(size=1000)],
        [WRITE.format(size=9000), FULL.format(size=3000), FULL.format(size=9000), killed(28)],
    ],
    ids=["early", "while it saves", "asked to stop", "in the middle of a write"],
)
def test_killed_again_and_again(apps, tmp_path, undisturbed, befalls):
    assert require_survival(apps, tmp_path, undisturbed, befalls) == len(befalls)


@pytest.mark.soak
def test_killed_at_every_file_operation(apps, tmp_path, undisturbed):
    kills = 0
    for by in (signal.SIGKILL, signal.SIGTERM, signal.SIGINT):
        number, hit = 1, 1
        while hit or number < 60:
            folder = tmp_path / f"{int(by)}-{number}"
            hit = require_survival(apps, folder, undisturbed, [killed(number, by)])
            kills, number = kills + hit, number + 1
    for size in (*range(1000, 60_000, 1500),):
        kills += require_survival(apps, tmp_path / f"write-{size}", undisturbed, [WRITE.format(size=size)])
        kills += require_survival(apps, tmp_path / f"full-{size}", undisturbed, [FULL.format(size=size)])
    print(f"{kills} kills")
    assert kills >= 200
