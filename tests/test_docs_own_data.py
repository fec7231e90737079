"""docs/own-data.md: its commands lead from a CSV to scores and a forecast, as they stand there."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from tests.experiments.command_line import SMALL

PAGE = (Path(__file__).parents[1] / "docs" / "own-data.md").read_text(encoding="utf-8")
SECTION = PAGE.split("## Three commands")[1].split("\n## ")[0]


def test_three_commands_lead_from_a_csv_to_scores_and_a_forecast(apps, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(tmp_path)
    code, commands = (re.findall(rf"^```{kind}\n(.*?)^```$", SECTION, re.M | re.S)[0] for kind in ("python", "bash"))
    exec(compile(code, "docs/own-data.md", "exec"), {})
    words = [shlex.split(line) for line in commands.splitlines()]
    assert [line[:2] for line in words] == [["python", "-m"]] * 3
    for line in words:
        app = line[2].removeprefix("experiments.")
        ended = apps(app, *line[3:], *(SMALL if app == "train" else ()), cwd=tmp_path)
        assert ended.code == 0, ended.err
    run = tmp_path / "outputs" / "plant"
    for kind in ("scores", "forecasts"):
        assert list(run.glob(f"{kind}/*/{kind}.png"))
        assert list(run.glob(f"{kind}/*/{kind}.json"))
