"""The code in docs/ runs as it stands there."""

from __future__ import annotations

import re
import shlex
import shutil
from pathlib import Path

import nbformat
import numpy as np
import pytest

from tests.data.recording_files import write_audio
from tests.experiments.command_line import SPEECH

ROOT = Path(__file__).parents[1]
OLD = ROOT / "tests" / "faults" / "old" / "format1"
EXECUTED = "<!-- The tests execute the Python of this page"
PAGES = [page for page in sorted((ROOT / "docs").glob("*.md")) if EXECUTED in page.read_text(encoding="utf-8")]


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with the runs that the pages name."""
    monkeypatch.chdir(tmp_path)
    shutil.copytree(OLD / "finished", tmp_path / "outputs" / "first")
    (sweep,) = OLD.glob("outputs/sweeps/train-*")
    shutil.copytree(sweep, tmp_path / "outputs" / "sweeps" / "latent_grid-0123abcd")
    return tmp_path


def blocks(page: Path) -> list[str]:
    """The Python of a page, each block below as many empty lines as it stands down the page, for its tracebacks."""
    text = page.read_text(encoding="utf-8")
    found = re.finditer(r"^```python\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return ["\n" * text[: block.start(1)].count("\n") + block[1] for block in found]


def test_there_are_pages_to_execute():
    assert {page.name for page in PAGES} >= {"python.md"}


@pytest.mark.filterwarnings("ignore:this run kept nothing of its data")  # that of an earlier version did not
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_python_of_a_page_runs(page: Path, runs: Path):
    names: dict[str, object] = {"__name__": "page"}
    assert blocks(page)
    for block in blocks(page):
        assert len(block.split()) > 3
        exec(compile(block, str(page), "exec"), names)


@pytest.mark.parametrize("page", [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")], ids=lambda page: page.name)
def test_every_link_leads_somewhere(page: Path):
    links = re.findall(r"\]\(([^)#\s]+)(#[^)\s]*)?\)", page.read_text(encoding="utf-8"))
    local = [link for link, _ in links if not link.startswith(("http://", "https://", "mailto:"))]
    assert [link for link in local if not (page.parent / link).exists()] == []


NOTEBOOK = ROOT / "docs" / "quickstart.ipynb"
# In place of the notebook's sizes, by key: its code does the same, and a run takes a fraction of a second.
TINY = {
    "data.num_frames": "6",
    "data.train_sequences": "8",
    "data.valid_sequences": "6",
    "data.test_sequences": "5",
    "trainer": "debug",
    "trainer.max_epochs": "null",
    "latent": "tiny",
    "figures.num_examples": "1",
}


@pytest.fixture(scope="module")
def notebook() -> nbformat.NotebookNode:
    found = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(found)
    return found


def tiny(command: str) -> tuple[str, list[str]]:
    """The app that a line of the notebook calls, and its arguments with tiny sizes and at most two values of a key."""
    script, *words = shlex.split(command.removeprefix("!").partition("|")[0])
    pairs = [word.partition("=") for word in words]
    kept = [key + equals + ",".join(value.split(",")[:2]) for key, equals, value in pairs if key not in TINY]
    return script.removeprefix("vrnn-"), [*kept, *(f"{key}={value}" for key, value in TINY.items())]


def test_the_notebook_runs(notebook: nbformat.NotebookNode, apps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    import matplotlib.pyplot as plt

    monkeypatch.chdir(tmp_path)
    plt.switch_backend("Agg")
    names: dict[str, object] = {"__name__": "page"}
    commands = []
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        lines = cell.source.replace("\\\n", " ").splitlines()
        for line in lines:
            if line.startswith("!"):
                app, words = tiny(line)
                ended = apps(app, *words, cwd=tmp_path)
                assert ended.code == 0, ended.err
                commands.append(app)
        exec("\n".join(line for line in lines if not line.startswith(("!", "%"))), names)
    assert commands == ["train", "train"]
    assert len(plt.get_fignums()) == 3
    plt.close("all")


def test_the_notebook_is_stored_with_its_outputs(notebook: nbformat.NotebookNode):
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    outputs = [output for cell in cells for output in cell.outputs]
    pictures = [output for output in outputs if "image/png" in output.get("data", {})]
    assert all(cell.outputs or "import" in cell.source for cell in cells)
    assert len(pictures) == 3
    assert not [output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"]
    assert NOTEBOOK.stat().st_size < 400_000


TROUBLESHOOTING = (ROOT / "docs" / "troubleshooting.md").read_text(encoding="utf-8")
NUMBERS = re.compile(r"-?\d+(?:\.\d+)?")
SHOWN = re.findall(
    r"^```console\n\$ python -m experiments\.train (.*)\n(.*)\n```$", TROUBLESHOOTING, flags=re.MULTILINE
)


def test_troubleshooting_shows_what_the_terminal_does(apps, tmp_path: Path):
    """The ten messages; ` ... ` stands for more. The runs are of tiny data, so that numbers may differ."""
    assert len(SHOWN) == len(re.findall(r"^## \d+\.", TROUBLESHOOTING, flags=re.MULTILINE)) == 10
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "notes.txt").write_text("mine")
    (tmp_path / "recordings").mkdir()
    for number in range(24):
        clip = np.random.default_rng(number).integers(-3000, 3000, 8000, dtype=np.int16)
        write_audio(tmp_path / "recordings" / f"talk{number:02}.wav", 0 * clip if number == 7 else clip, 16000)
    shutil.copytree(OLD / "finished", tmp_path / "good")
    own = {6: SPEECH, 9: (*SPEECH, "trainer.batch_size=4", "latent=tiny", "logger=none")}
    calls = [
        apps.start("train", *shlex.split(line), *own.get(number, ()), cwd=tmp_path)
        for number, (line, _) in enumerate(SHOWN, 1)
    ]
    wrong = []
    for call, (_, message) in zip(calls, SHOWN, strict=True):
        ended = call.ended()
        last = ended.err.splitlines()[-1].replace(str(tmp_path), "<folder>")
        shown = [re.escape(NUMBERS.sub("0", text)) for text in message.split(" ... ")]
        if ended.code != 1 or not re.fullmatch(" .* ".join(shown), NUMBERS.sub("0", last)):
            wrong.append(last)
    assert wrong == []
