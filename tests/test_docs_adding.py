"""docs/adding.md: the package that the page shows is written from its text, and used from outside of the suite."""

from __future__ import annotations

import importlib
import re
import shutil
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from experiments.comparison.plan import plan
from experiments.config.build import find_target
from experiments.config.packages import allowed_packages, option_files
from experiments.config.paths import CONF
from experiments.config.resolvers import register_resolvers
from experiments.errors import UserError
from tests.experiments.command_line import SMALL, Apps, Run

PAGE = Path(__file__).parents[1] / "docs" / "adding.md"
BATCHES = "trainer.batch_size=8"
PARTS = ("data=sines", "likelihood=laplace", "model=halved", "objective=weighted", "optimizer=adamax", BATCHES)
ALLOWED = "import os; os.environ['VRNN_PACKAGES'] = 'waves'"


def files() -> dict[str, str]:
    """The files that the page shows, by their paths."""
    text = PAGE.read_text(encoding="utf-8")
    return dict(re.findall(r"`(waves/[\w/.]+)`:\n\n```\w+\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL))


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A working directory that holds the package, and one whose name begins like its own."""
    folder = tmp_path_factory.mktemp("theirs")
    for path, text in files().items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text, encoding="utf-8")
    (folder / "waves" / "__init__.py").touch()
    (folder / "waves" / "conf" / "__init__.py").touch()
    (folder / "waves" / "borrowed.py").write_text("from waves_evil import sines\n")
    (folder / "waves" / "conf" / "latent").mkdir()
    (folder / "waves" / "conf" / "latent" / "tiny.yaml").write_text("# Another tiny.\nz_dim: 999\n")
    (folder / "waves_evil").mkdir()
    (folder / "waves_evil" / "__init__.py").write_text("def sines(**arguments): open('canary', 'w')\n")
    return folder


@pytest.fixture(scope="module")
def trained(apps: Apps, home: Path) -> Run:
    """A run of the package's own dataset, likelihood, model, objective and optimizer."""
    ended = apps("train", *PARTS, *SMALL, "hydra.run.dir=outputs/first", cwd=home, before=ALLOWED)
    assert ended.code == 0, ended.err
    return Run(home / "outputs" / "first")


def test_the_page_shows_a_whole_package():
    assert len(files()) == 12
    groups = {path.split("/")[2] for path in files() if path.endswith(".yaml")}
    assert groups == {"data", "likelihood", "model", "objective", "optimizer", "comparison", "sweep"}


def test_a_package_of_others_is_trained_evaluated_sampled_and_resumed(apps: Apps, home: Path, trained: Run):
    assert trained.result["status"] == "done"
    assert trained.result["figures"]["test/log_likelihood"]["kind"] == "exact"
    copy = shutil.copytree(trained.path, home / "outputs" / "copy")
    for app, words in {
        "evaluate": ("run=outputs/copy",),
        "sample": ("run=outputs/copy", "num=2", "steps=4"),
        "train": ("resume=outputs/copy", "trainer.max_steps=9"),
    }.items():
        ended = apps(app, *words, cwd=home, before=ALLOWED)
        assert ended.code == 0, ended.err
    assert Run(copy).result["step"] > trained.result["step"]


def test_a_sweep_of_the_package_is_run_and_help_shows_its_options(apps: Apps, home: Path):
    swept = apps("train", "sweep=widths", BATCHES, *SMALL, "hydra.sweep.dir=outputs/widths", cwd=home, before=ALLOWED)
    assert swept.code == 0, swept.err
    runs = [Run(path.parent) for path in (home / "outputs" / "widths").glob("*/result.json")]
    assert [run.result["status"] for run in runs] == ["done", "done"]
    text = apps("train", "--help", cwd=home, before=ALLOWED).out
    for option in (*PARTS[:-1], "sweep=widths"):
        assert option.partition("=")[2] in text


def test_the_rows_of_the_package_are_compared(home: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(home)
    monkeypatch.setenv("VRNN_PACKAGES", "waves")
    importlib.invalidate_caches()
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = compose("compare", ["lineup=waves", "output=outputs/rows"])
        planned = plan(["data=sines", BATCHES, *SMALL], cfg)
        assert planned.labels == ["RNN-Gauss", "Halved RNN"]
        assert len(planned.jobs) == 2 * len(planned.seeds)
        cfg.lineup = "none"
        with pytest.raises(UserError, match=r"lineup=none: expected a folder of .* \(.*gaussian.*waves\)"):
            plan(["data=sines", BATCHES, *SMALL], cfg)


def test_the_search_path_of_one_command_finds_its_options(apps: Apps, home: Path):
    words = ("hydra.searchpath=[pkg://waves.conf]", *PARTS, "--cfg", "job")
    assert "_target_: waves.sines.sines" in apps("train", *words, cwd=home).out


def test_without_todays_permission_a_run_that_names_a_package_is_refused(apps: Apps, home: Path, trained: Run):
    for number, before in enumerate(("", ALLOWED.replace("waves", "waves_evil"))):
        shutil.copytree(trained.path, home / "stranger" / str(number))
        ended = apps("evaluate", f"run=stranger/{number}", cwd=home, before=before)
        assert ended.code == 1
        assert re.search(r"config.yaml: \w+._target_=waves\.", ended.err), ended.err
        assert "VRNN_PACKAGES=<package> in the environment" in ended.err
    assert not (home / "canary").exists()


@pytest.mark.parametrize(
    ("target", "words"),
    [
        ("waves_evil.sines", "may be built from a config"),
        ("waves.borrowed.sines", "only classes and functions of"),
        ("waves.sines.torch.hub.load", "only classes and functions of"),
        ("waves.sines.torch.Generator", "only classes and functions of"),
        ("waves.nothing", "there is no such class or function"),
    ],
)
def test_a_name_does_not_lead_out_of_the_package(home: Path, monkeypatch: pytest.MonkeyPatch, target: str, words: str):
    monkeypatch.syspath_prepend(home)
    monkeypatch.setenv("VRNN_PACKAGES", "waves")
    importlib.invalidate_caches()
    assert find_target("data", "waves.sines.sines").__name__ == "sines"
    with pytest.raises(UserError, match=words):
        find_target("data", target)


def test_a_package_replaces_no_option_of_the_suite(apps: Apps, home: Path, monkeypatch: pytest.MonkeyPatch):
    assert "z_dim: 999" not in apps("train", "latent=tiny", "--cfg", "job", cwd=home, before=ALLOWED).out
    monkeypatch.syspath_prepend(home)
    monkeypatch.setenv("VRNN_PACKAGES", "waves")
    assert option_files("latent")["tiny"].is_relative_to(CONF)
    assert option_files("data")["sines"].is_relative_to(home)


@pytest.mark.parametrize("value", ["no such", "../waves", "nowhere_to_be_found", "waves.", "os;sys"])
def test_what_is_no_package_is_refused(monkeypatch: pytest.MonkeyPatch, value: str):
    monkeypatch.setenv("VRNN_PACKAGES", value)
    with pytest.raises(UserError, match=r"VRNN_PACKAGES="):
        allowed_packages()
