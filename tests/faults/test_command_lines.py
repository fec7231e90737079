"""No command line ends in a traceback, none succeeds that is wrong, and a refused one leaves nothing behind."""

from __future__ import annotations

import importlib
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from tests.experiments.command_line import Ended
from tests.faults.command_lines import Line, lines
from tests.faults.forked import REACHED, WORK, call, tree

RUN = Path(__file__).parent / "old" / "format1" / "finished"
# What torch and the data import at their first use, which would be the first use of every call.
LATE = ("torch._dynamo", "HersheyFonts")
HARNESS = {
    "deadline": None,
    "database": None,
    "derandomize": True,
    "suppress_health_check": list(HealthCheck),
    "print_blob": False,
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a finished run in it, which no refused command may change; all modules are imported once."""
    for app in ("train", "compare", "evaluate", "sample", "bench.tables", "report.comparison.report"):
        importlib.import_module(f"experiments.{app}")
    for name in WORK:
        module = name.rsplit(".", 1)[0]
        if module not in sys.modules and not module.rpartition(".")[2][0].isupper():
            importlib.import_module(module)
    for name in ("hydra_plugins.hydra_joblib_launcher.joblib_launcher", *LATE):
        importlib.import_module(name)
    folder = tmp_path_factory.mktemp("place")
    shutil.copytree(RUN, folder / "run")
    return folder


@pytest.fixture(scope="module")
def try_line(place: Path, tmp_path_factory: pytest.TempPathFactory) -> Callable[[Line], Ended]:
    """Calls a line, and holds what it did to all that a refused command promises."""
    streams = tmp_path_factory.mktemp("streams")
    before = tree(place)

    def attempt(line: Line) -> Ended:
        ended = call(line.app, line.arguments, place, streams)
        after = tree(place)
        for path in sorted(set(after) - set(before), reverse=True):
            (place / path).rmdir() if (place / path).is_dir() else (place / path).unlink()
        about = f"{line.app} {line.arguments}: {ended.code}\n{ended.out[-500:]}\n{ended.err[-3000:]}"
        assert "Traceback" not in ended.out + ended.err, about
        assert ended.code in (0, 1, REACHED), about
        looks = any(
            word.text.startswith(("-h", "--h", "--v", "--cfg=job", "--cfg=hydra", "--info=d")) for word in line.words
        )
        if line.is_wrong and not looks:
            assert ended.code == 1, f"a wrong line succeeded: {about}"
        if line.is_right:
            assert ended.code in (0, REACHED), f"a right line was refused: {about}"
        if ended.code == 1:
            assert ended.err.startswith("error: "), about
            assert ended.err.count("\n") == 1, about
            assert after == before, f"{sorted(set(after) - set(before))} was left: {about}"
            assert is_named(line, ended.err), f"nothing of the line is named: {about}"
        return ended

    return attempt


def is_named(line: Line, message: str) -> bool:
    """Whether a message names a key, a value or a flag of the line."""
    names = [name for word in line.words for name in (word.key, word.key.rpartition(".")[2], word.text) if name]
    values = [word.text.partition("=")[2] for word in line.words if "=" in word.text]
    return any(name in message for name in (*names, *filter(None, values))) or "empty word" in message or not line.words


@settings(**HARNESS, max_examples=100)
@given(line=lines())
def test_a_command_line_is_done_or_refused_by_name(try_line, line):
    try_line(line)


@pytest.mark.soak
@settings(**HARNESS | {"derandomize": False}, max_examples=1000)
@given(line=lines())
def test_a_thousand_command_lines_are_done_or_refused_by_name(try_line, line):
    try_line(line)
