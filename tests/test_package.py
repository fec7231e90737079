"""The wheel holds everything that the suite needs, and works from any directory."""

from __future__ import annotations

import json
import os
import site
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

import vrnn
from tests.experiments.command_line import SMALL, WORDS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def call(*words: str | Path, cwd: Path) -> str:
    """What a command prints; it knows nothing of this checkout, and uses one thread."""
    foreign = ("PYTHON", "WANDB_", "VRNN_")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    done = subprocess.run(
        [*map(str, words)], cwd=cwd, env=environment | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]
    call(*pip, "--wheel-dir", folder, ROOT, cwd=folder)
    (file,) = folder.glob("*.whl")
    return file


@pytest.fixture(scope="module")
def scripts(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The scripts of an environment in which the wheel is installed; what the suite needs is that of this one."""
    environment = tmp_path_factory.mktemp("environment")
    call(sys.executable, "-m", "venv", "--without-pip", environment, cwd=environment)
    pip = [sys.executable, "-m", "pip", "--python", environment / "bin/python", "--disable-pip-version-check"]
    call(*pip, "install", "--no-deps", "--no-index", wheel, cwd=environment)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "present.pth").write_text("\n".join(site.getsitepackages()), encoding="utf-8")
    return environment / "bin"


def test_the_wheel_holds_every_file_of_the_packages_and_of_conf(wheel: Path):
    held = set(zipfile.ZipFile(wheel).namelist())
    listing = call("git", "ls-files", "--cached", "--others", "--exclude-standard", cwd=ROOT)
    files = {name for name in listing.splitlines() if (ROOT / name).is_file()}
    configs = {f"experiments/{name}" for name in files if name.startswith("conf/")}
    needed = {name for name in files if name.startswith(("vrnn/", "experiments/", "hydra_plugins/"))} | configs
    assert len(configs) > 60
    assert {"vrnn/py.typed", "experiments/py.typed", "experiments/report/templates/page.html.j2"} <= needed
    assert needed <= held
    assert {name.split("/")[0] for name in held - needed} == {f"vrnn-{vrnn.__version__}.dist-info"}
    assert wheel.name.startswith(f"{PROJECT['name']}-{vrnn.__version__}-py3-none-any")


def test_the_version_is_the_same_everywhere():
    assert f"\nversion: {vrnn.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    assert changelog.partition("\n## ")[2].startswith(f"{vrnn.__version__}\n")


def test_every_command_is_an_app():
    apps = {path.stem for path in (ROOT / "experiments").glob("*.py") if "def main()" in path.read_text()}
    assert PROJECT["scripts"] == {f"vrnn-{app}": f"experiments.{app}:main" for app in apps}
    assert {path.stem for path in (ROOT / "conf").glob("*.yaml")} <= apps


def test_the_installed_commands_sweep_and_report_from_another_directory(scripts: Path, tmp_path: Path):
    (tmp_path / "experiments").mkdir()
    (tmp_path / "experiments" / "__init__.py").write_text("raise ImportError('this is another package')")
    swept = ("--multirun", "latent.z_dim=2,3", "hydra/launcher=basic")
    printed = call(scripts / "vrnn-train", *WORDS, *SMALL, *swept, cwd=tmp_path)
    assert "2 jobs: all done" in printed
    (page,) = tmp_path.glob("outputs/sweeps/*/sweep.html")
    assert "latent.z_dim" in page.read_text(encoding="utf-8")
    results = [json.loads(file.read_text()) for file in page.parent.glob("*/result.json")]
    assert [result["status"] for result in results] == ["done", "done"]
    for result in results:  # no repository is asked: that of the working directory is another one
        assert (result["commit"], result["dirty"]) == (None, None)
        assert result["versions"]["vrnn"] == vrnn.__version__


def test_the_installed_command_completes_words_in_bash(scripts: Path, tmp_path: Path):
    typed = "vrnn-train data=han"
    environment = f"PATH={scripts}:$PATH COMP_LINE='{typed}' COMP_POINT={len(typed)}"
    printed = call("bash", "-c", f"{environment} vrnn-train -sc query=bash", cwd=tmp_path)
    assert printed.split() == ["data=handwriting"]
