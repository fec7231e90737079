"""The command line, and runs that several tests look at."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.experiments.command_line import SPEECH, WORDS, Apps, Ended, Run

# Ten updates an epoch, a checkpoint after every fourth; nothing is as the defaults have it.
LONG = (
    *WORDS,
    "latent=tiny",
    "latent.z_dim=5",
    "seed=3",
    "data.seed=4",
    "optimizer.lr=2e-3",
    "trainer=debug",
    "trainer.batch_size=4",
    "trainer.checkpoint_every=4",
    "trainer.max_steps=44",
    "logger=none",
)


@pytest.fixture(scope="session")
def apps(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Apps]:
    """The command line, with one thread, no data folder and nobody's settings of W&B."""
    import matplotlib

    home = tmp_path_factory.mktemp("home")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("WANDB_", "VRNN_", "HYDRA_"))}
    own = {"OMP_NUM_THREADS": "1", "HOME": str(home), "NETRC": str(home / ".netrc")}
    own["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    own["MPLCONFIGDIR"] = matplotlib.get_cachedir()  # or every new HOME makes a list of all fonts
    apps = Apps(home, {**kept, **own})
    yield apps
    apps.end()
    apps.server.communicate()  # closes its input, which ends it


@pytest.fixture(autouse=True)
def _ended(request: pytest.FixtureRequest) -> Iterator[None]:
    """Leaves nothing running after a test that has failed."""
    yield
    if "apps" in request.fixturenames:
        request.getfixturevalue("apps").end()


@pytest.fixture(scope="session")
def long() -> tuple[str, ...]:
    """The overrides of a run that is long enough to be interrupted."""
    return LONG


@pytest.fixture(scope="session")
def whole(apps: Apps, tmp_path_factory: pytest.TempPathFactory) -> Run:
    """That run, undisturbed; only to be looked at."""
    folder = tmp_path_factory.mktemp("whole")
    ended = apps("train", *LONG, cwd=folder)
    assert ended.code == 0, ended.err
    return Run.only(folder)


@pytest.fixture
def copy(whole: Run, tmp_path: Path) -> Run:
    """A copy of it, to be changed."""
    return Run(shutil.copytree(whole.path, tmp_path / "copy"))


@pytest.fixture(scope="session")
def multirun(apps: Apps, tmp_path_factory: pytest.TempPathFactory) -> tuple[Ended, Path]:
    """Two sizes by two optimizers on speech, and the folder that they were called in."""
    folder = tmp_path_factory.mktemp("multirun")
    swept = ("latent=tiny,small", "optimizer=adam,adamw", "optimizer.lr=2e-3", "trainer.test=true")
    return apps("train", "--multirun", *SPEECH, "trainer=debug", *swept, cwd=folder), folder


@pytest.fixture(scope="session")
def runs(multirun: tuple[Ended, Path]) -> list[Run]:
    """The four runs, by name; only to be looked at."""
    ended, folder = multirun
    assert (ended.code, ended.err) == (0, "")
    return Run.all(folder)
