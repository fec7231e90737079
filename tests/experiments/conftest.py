"""The command line, and runs that several tests look at."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.experiments.command_line import Apps


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
    apps.server.communicate()  # closes its input, which ends it
