"""What several tests of faults begin with."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from experiments.config.resolvers import register_resolvers
from tests.faults.reading import CODE, SECRET
from tests.faults.strangers import OLD


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stranger's run in the working directory, with their code wherever it could be imported from."""
    directory = Path(shutil.copytree(OLD / "finished", tmp_path / "outputs" / "run"))
    for folder in (tmp_path, directory.parent, directory):
        (folder / "evil.py").write_text(CODE)
    (tmp_path / "secret.txt").write_text(SECRET)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)  # as `python -m` does
    monkeypatch.setenv("SECRET", SECRET)
    register_resolvers()
    return Path("outputs/run")
