"""A stranger's directories through the command line: no code runs, nothing is written elsewhere, one line answers."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from experiments.text import plain_lines
from tests.experiments.command_line import Apps, Ended
from tests.faults.reading import contents, put
from tests.faults.strangers import OLD
from tests.faults.test_old_directories import GMM, SMALL

LINK = "../../elsewhere"


@pytest.fixture
def sweep(run: Path) -> Path:
    """A stranger's search beside the run, where the same command looks for it."""
    name = next((OLD / "outputs" / "sweeps").glob("search-*")).name
    return Path(shutil.copytree(OLD / "outputs" / "sweeps" / name, Path("outputs/sweeps") / name))


def told(apps: Apps, *call: str) -> Ended:
    """What a call says: without traceback, control characters, secrets, and code that has run."""
    found = apps(*call, cwd=Path.cwd(), before="import os; os.environ['SECRET'] = 'hunter2'")
    for text in (found.out, found.err):
        assert "Traceback" not in text
        assert "hunter2" not in text
        assert plain_lines(text) == text
    assert not list(Path.cwd().rglob("canary"))
    return found


def overridden(*overrides: str) -> Callable[[Path], None]:
    return lambda run: (run / "overrides.yaml").write_text(yaml.safe_dump([*overrides]))


def led_elsewhere(name: str) -> Callable[[Path], None]:
    """Puts a link to another folder in the place of one of the run's."""

    def change(run: Path) -> None:
        shutil.move(run / name, "elsewhere") if (run / name).exists() else Path("elsewhere").mkdir()
        (run / name).symlink_to(LINK)

    return change


def of_text(run: Path) -> None:
    file = run / "result.json"
    file.write_text(file.read_text().replace('"value": -90.1', '"value": "\\u001b[31m-90", "x": -90.1'))


REFUSED: dict[str, tuple[Callable[[Path], None], list[str], str]] = {
    "evaluate builds": (put(data___target_="outputs.run.evil.boom"), ["evaluate", "run=outputs/run"], "data._target_"),
    "sample resolves": (put(label="${oc.env:SECRET}"), ["sample", "run=outputs/run"], "label="),
    "resume builds": (put(model___target_="evil.boom"), ["train", "resume=outputs/run"], "model._target_"),
    "run_from resolves": (overridden("label=${oc.env:SECRET}"), ["train", "run_from=outputs/run"], "label="),
    "compare computes": (of_text, ["compare", "runs=outputs/run"], "result.json: figures"),
    "evaluate writes elsewhere": (led_elsewhere("evaluations"), ["evaluate", "run=outputs/run"], "evaluations"),
    "sample writes elsewhere": (led_elsewhere("samples"), ["sample", "run=outputs/run"], "samples"),
    "resume writes elsewhere": (
        led_elsewhere("checkpoints"),
        ["train", "resume=outputs/run", "trainer.max_steps=6"],
        "checkpoints",
    ),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_a_run_asks_for_is_refused(apps: Apps, run: Path, name: str):
    attack, call, words = REFUSED[name]
    attack(run)
    before = {path: at for path, at in contents().items() if "elsewhere/" in path}
    ended = told(apps, *call)
    assert ended.code == 1
    lines = [line for line in ended.err.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1
    assert words in lines[0]
    assert {path: at for path, at in contents().items() if "elsewhere/" in path} == before


def test_how_a_stranger_started_a_run_is_not_repeated(apps: Apps, run: Path):
    folder = f"hydra.searchpath=[file://{Path.cwd()}/outputs/run]"
    own = [text for text in (*SMALL, GMM, "seed=3") if not text.startswith("logger")]
    overridden(*own, "logger=none", folder, "+hydra.callbacks.x._target_=evil.boom", "hydra.sweep.dir=elsewhere")(run)
    ended = told(apps, "train", "run_from=outputs/run", "trainer.max_steps=1", "hydra.run.dir=new")
    assert ended.code == 0, ended.err
    assert json.loads(Path("new/result.json").read_text())["status"] == "done"
    assert not Path("elsewhere").exists()


@pytest.mark.parametrize("override", ["data._target_=evil.boom", "+hydra.callbacks.x._target_=evil.boom"])
def test_status_composes_and_shows_nothing_of_a_stranger(apps: Apps, sweep: Path, override: str):
    file = sweep / "sweep.json"
    plan = json.loads(file.read_text())
    command = "\x1b]0;title\x07\x1b[31mrm -rf /"
    file.write_text(json.dumps(plan | {"command": command, "overrides": [override], "trials": 9}))
    ended = told(apps, "status", f"dir='{sweep}'")
    assert "go on with" in ended.out
    assert "rm -rf" not in ended.out + ended.err
    assert ended.code in (0, 1)


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + bytes(4096)])
def test_a_study_that_is_none_is_refused_and_kept(apps: Apps, sweep: Path, content: bytes):
    (sweep / "study.db").write_bytes(content)
    call = ["train", "sweep=search", *SMALL, GMM, "hydra.sweeper.n_trials=2", "hydra/launcher=basic"]
    ended = told(apps, *call, f"hydra.sweep.dir='{sweep}'")
    assert ended.code == 1
    assert "study.db: the study of this search cannot be read" in ended.err
    assert (sweep / "study.db").read_bytes() == content
