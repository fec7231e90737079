"""make clean takes away what make has made, and nothing else."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A checkout in which make, pytest, ruff and a user have left things."""
    for name in ("Makefile", "pyproject.toml"):
        shutil.copy(ROOT / name, tmp_path)
    files = {
        ".venv/.made-by-make": "",
        ".venv/bin/python": "",
        ".venv-lowest/.made-by-make": "",
        ".venv-lowest/bin/python": "",
        ".pytest_cache/CACHEDIR.TAG": "",
        ".ruff_cache/CACHEDIR.TAG": "",
        "vrnn.egg-info/PKG-INFO": "Metadata-Version: 2.4\nName: vrnn\n",
        "mine.egg-info/PKG-INFO": "Metadata-Version: 2.4\nName: mine\n",
        "outputs/run/result.json": "{}",
        "thesis.tex": "",
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def make(checkout: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """A call of make, that knows nothing of another one which these tests may be part of."""
    own = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(["make", *arguments], cwd=checkout, env=own, capture_output=True, text=True)


def clean(checkout: Path, *arguments: str) -> tuple[set[str], str]:
    """What is left, and what was said."""
    done = make(checkout, "clean", *arguments)
    assert done.returncode == 0, done.stderr
    files = {str(path.relative_to(checkout)) for path in checkout.rglob("*") if path.is_file()}
    return files - {"Makefile", "pyproject.toml"}, done.stdout


def test_make_clean_takes_what_make_has_made(checkout):
    left, said = clean(checkout)
    assert left == {"mine.egg-info/PKG-INFO", "outputs/run/result.json", "thesis.tex"}
    assert said == ""


def test_make_clean_keeps_an_environment_and_folders_of_a_users_own(checkout):
    for name in (".venv/.made-by-make", ".pytest_cache/CACHEDIR.TAG"):
        (checkout / name).unlink()
    (checkout / ".pytest_cache" / "mine").touch()
    (checkout / "vrnn.egg-info" / "PKG-INFO").write_text("Name: other\n")
    left, said = clean(checkout)
    assert {".venv/bin/python", ".pytest_cache/mine", "vrnn.egg-info/PKG-INFO"} <= left
    assert said == "kept .venv: make has not made it; remove it yourself\n"
    assert "outputs/run/result.json" in clean(checkout, "VENV=outputs")[0]


def test_an_environment_is_not_made_in_a_folder_that_holds_other_things(checkout):
    done = make(checkout, "train", "VENV=outputs")
    assert done.returncode != 0
    assert done.stderr.startswith("error: outputs holds other things, and no bin/python; move it, or give VENV=")
    assert {path.name for path in (checkout / "outputs").iterdir()} == {"run"}
