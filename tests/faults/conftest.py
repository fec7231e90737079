"""What several tests of faults begin with."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from experiments.config.resolvers import register_resolvers
from tests.faults.reading import CODE, SECRET
from tests.faults.strangers import OLD, PASSWORD, stranger


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


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory in which a stranger's run, sweep and package of evil code lie."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setenv("VRNN_SECRET", PASSWORD)
    stranger(tmp_path)
    yield tmp_path
    assert not list(tmp_path.rglob("pwned*")), "code was run"
    assert not [name for name in sys.modules if name.startswith("outputs")], "code was imported"
