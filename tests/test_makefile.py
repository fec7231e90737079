"""make clean takes away what make has made, and nothing else."""

from __future__ import annotations

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


def clean(checkout: Path, *arguments: str) -> tuple[set[str], str]:
    """What is left, and what was said."""
    done = subprocess.run(["make", "clean", *arguments], cwd=checkout, capture_output=True, text=True, check=True)
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
    done = subprocess.run(["make", "train", "VENV=outputs"], cwd=checkout, capture_output=True, text=True)
    assert done.returncode != 0
    assert done.stderr.startswith("error: outputs holds other things, and no bin/python; move it, or give VENV=")
    assert {path.name for path in (checkout / "outputs").iterdir()} == {"run"}
