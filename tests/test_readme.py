"""What the README and the pages of docs/ name is there, and each of their commands composes.

(What is new need not be named: adding a dataset takes no edit of a page.)
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import NamedTuple

import pytest
from hydra import initialize_config_dir
from hydra.core.override_parser.overrides_parser import OverridesParser

from experiments.cli.arguments import read_arguments
from experiments.compare import Compare
from experiments.config.checks import require_keys
from experiments.config.paths import CONF
from experiments.config.resolvers import register_resolvers
from tests.conf import composed

ROOT = Path(__file__).parents[1]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").glob("*.md")), ROOT / "outputs" / "README.md"]
TEXTS = {str(page.relative_to(ROOT)): page.read_text(encoding="utf-8") for page in PAGES}
README = TEXTS["README.md"]
APPS = ("train", "evaluate", "sample", "encode", "score", "forecast", "compare", "status", "benchmark", "sync")


class Command(NamedTuple):
    """A command line of a page: its app, and its words without the comment."""

    page: str
    app: str
    words: list[str]

    def __str__(self) -> str:
        return f"{self.page}: {self.app} {shlex.join(self.words)}"


def commands_of(page: str) -> Iterator[Command]:
    """All commands in blocks and in inline code; those beside a `$` are shown with their error, and excepted."""
    text = re.sub(r"^```console\n.*?^```$", "", TEXTS[page], flags=re.MULTILINE | re.DOTALL)
    blocks = re.findall(r"^```bash\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    inline = re.findall(r"`([^`\n]+)`", re.sub(r"^```.*?^```$", "", text, flags=re.MULTILINE | re.DOTALL))
    for line in [line for block in blocks for line in block.replace("\\\n", " ").splitlines()] + inline:
        match = re.search(r"(?:python -m experiments\.|vrnn-)(\w+)(?= |$)(.*)", line)
        if match and "<TAB>" not in line and "-sc " not in line:
            plain = re.sub(r"<[^<>]+>", "placeholder", match[2].partition(" | ")[0])
            yield Command(page, match[1], shlex.split(plain, comments=True))


COMMANDS = [command for page in TEXTS for command in commands_of(page)]


@pytest.fixture(scope="module")
def hydra() -> Iterator[None]:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def jobs(overrides: list[str]) -> list[list[str]]:
    """Overrides that try every value of a sweep at least once, without all combinations."""
    parsed = OverridesParser.create().parse_overrides(overrides)
    values = [
        list(o.sweep_string_iterator()) if o.is_discrete_sweep() else [o.get_value_element_as_str()] for o in parsed
    ]
    keys = [override.input_line.partition("=")[0] for override in parsed]
    return [
        [f"{key}={mine[0] if value is None else value}" for key, value, mine in zip(keys, row, values, strict=True)]
        for row in zip_longest(*values)
    ] or [[]]


def require_composes(app: str, overrides: list[str]) -> None:
    """Composes what the app would, and holds it to the app's own checks; a run that is continued has recordings."""
    if any(override.startswith(("resume=", "run_from=")) for override in overrides):
        overrides = ["data=audio", *overrides]
    for job in jobs(overrides):
        require_keys(composed(*job, app=app), app)


def test_the_readme_is_short():
    assert len(README.splitlines()) <= 180


def test_the_pages_show_commands():
    assert {command.app for command in COMMANDS} == set(APPS)
    assert len(COMMANDS) > 50


@pytest.mark.parametrize("page", sorted({command.page for command in COMMANDS}))
def test_every_command_composes(page: str, hydra: None):
    for command in commands_of(page):
        if not command.words:
            continue  # its name alone
        overrides = read_arguments(command.words).overrides
        try:
            if command.app == "compare":
                compare = Compare()
                own = compare.own_arguments(command.words)
                require_composes("compare", read_arguments(own).overrides)
                require_composes("train", compare.shared)
            elif command.app != "sync":
                require_composes(command.app, overrides)
        except Exception as error:
            raise AssertionError(f"{command} does not compose") from error


def test_the_tree_names_no_file_that_is_gone():
    tree = TEXTS["docs/house.md"].split("```")[1]
    named = set(re.findall(r"\b(\w+\.py)\b", tree))
    assert len(named) > 40
    assert named <= {
        path.name for folder in ("vrnn", "experiments", "hydra_plugins") for path in (ROOT / folder).rglob("*.py")
    }


@pytest.mark.parametrize("page", TEXTS)
def test_a_page_names_no_file_that_is_gone(page: str):
    """Python files, by the end of their path, and YAML files of conf/; a name with a placeholder is an example.

    The files of a page's own example are written by the tests, see tests/test_docs_adding.py.
    """
    text = re.sub(r"\bwaves/[\w/.]+", "", TEXTS[page])
    folders = ("vrnn", "experiments", "hydra_plugins", "tests", ".ci")
    there = [f"/{path.relative_to(ROOT)}" for folder in folders for path in (ROOT / folder).rglob("*.py")]
    named = re.findall(r"(?<![\w/.<>*-])((?:[\w.]+/)*\w+\.py)\b(?!\w)", text)
    assert [name for name in named if not any(path.endswith(f"/{name}") for path in there)] == []
    configs = re.findall(r"\bconf/(?:\w+/)*\w+\.yaml", text)
    assert [name for name in configs if not (ROOT / name).is_file()] == []


def test_the_table_names_no_option_that_is_gone():
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", README, flags=re.MULTILINE)
    assert len(rows) > 8
    gone = [
        f"{group}={option}"
        for group, options in rows
        for option in re.findall(r"`([\w/]+)`", options)
        if not (ROOT / "conf" / group / f"{option}.yaml").is_file()
    ]
    assert gone == []


def test_every_picture_is_there_and_shown():
    """A picture has a description; none lies in docs/ that no page shows."""
    shown = set()
    for page, text in TEXTS.items():
        for description, picture in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", text):
            assert len(description) > 10, picture
            shown.add(((ROOT / page).parent / picture).resolve())
    assert shown == set((ROOT / "docs").resolve().glob("*.png"))
