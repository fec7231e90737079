"""Ways to change a stranger's run and to read it, and what must hold of every answer."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from omegaconf import OmegaConf

from experiments.comparison.finished import finished_rows
from experiments.errors import UserError
from experiments.report.comparison.report import Comparison
from experiments.run.directory import RunDirectory
from experiments.run.repeat import repeated_arguments
from experiments.run.restore import restore

SECRET = "hunter2"  # in the environment
CODE = "from pathlib import Path\nPath(__file__).with_name('canary').touch()\ndef boom(*a, **k): pass\n"


def evaluated(run: Path) -> None:
    asked = {"split": "test", "checkpoint": "best", "device": "cpu", "root": None, "consent": []}
    restore(RunDirectory.existing(run), OmegaConf.create(asked))


def compared(run: Path) -> None:
    comparison = Comparison(finished_rows(str(run)))
    assert comparison.table.rows
    assert comparison.records()


def repeated(run: Path) -> None:
    repeated_arguments([f"run_from={run}"])


WAYS = (evaluated, compared, repeated)


def answers(run: Path, *ways: Callable[[Path], None]) -> list[str]:
    """The one line with which each of these ways to read a run refuses it; no code has run, and nothing was written."""
    before = contents()
    found = []
    for way in ways:
        with pytest.raises(UserError) as caught:
            way(run)
        found.append(str(caught.value))
    require_nothing_done(before)
    for answer in found:
        assert "\n" not in answer
        assert SECRET not in answer
        assert answer.isprintable()
        assert len(answer) < 1000
    return found


def require_nothing_done(before: dict[str, int]) -> None:
    assert contents() == before
    assert not list(Path.cwd().rglob("canary"))
    assert not [name for name in sys.modules if name.split(".")[-1] == "evil"]


def contents() -> dict[str, int]:
    """All files of the working directory, with when each was written."""
    return {str(path): path.lstat().st_mtime_ns for path in Path.cwd().rglob("*") if "__pycache__" not in str(path)}


def put(**changes: Any) -> Callable[[Path], None]:
    """Puts values in the config, by key with __ for a point."""

    def change(run: Path) -> None:
        file = run / "config.yaml"
        content = yaml.safe_load(file.read_text())
        for key, value in changes.items():
            *path, last = key.split("__")
            node = content
            for part in path:
                node = node.setdefault(part, {})
            node[last] = value
        file.write_text(yaml.safe_dump(content, sort_keys=False))

    return change


def text(content: str | bytes, name: str = "config.yaml") -> Callable[[Path], None]:
    """Writes a file of the run anew."""
    return lambda run: (run / name).write_bytes(content.encode() if isinstance(content, str) else content)


def added(content: str, name: str = "config.yaml") -> Callable[[Path], None]:
    """Adds to a file of the run."""
    return lambda run: (run / name).write_text((run / name).read_text() + content)


def target(name: str) -> dict[str, Any]:
    return {"_target_": name}


def nested(depth: int, opening: str, closing: str) -> str:
    return opening * depth + closing * depth


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n" for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)


def value(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    """Puts values in a result, by key."""

    def change(content: dict[str, Any]) -> dict[str, Any]:
        return content | changes

    return change


def figure(**changes: Any) -> Callable[[dict[str, Any]], Any]:
    """Puts values in the figure of the bound on test."""
    name = "test/log_likelihood"

    def change(content: dict[str, Any]) -> dict[str, Any]:
        return content | {"figures": content["figures"] | {name: content["figures"][name] | changes}}

    return change


def overwrite(run: Path, change: Any, name: str = "result.json") -> None:
    content = change(json.loads((run / name).read_text())) if callable(change) else change
    if isinstance(content, bytes):
        (run / name).write_bytes(content)
    else:
        (run / name).write_text(content if isinstance(content, str) else json.dumps(content))


def as_text(key: str, word: str) -> Callable[[dict[str, Any]], str]:
    """The JSON with a word in the place of a value that Python would not write."""
    return lambda content: json.dumps(content | {key: "@"}).replace('"@"', word)
