"""A user's own series through the command line: trained, drawn, evaluated, and answered where the file is no good."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.data.makers.series import OVERRIDES, make
from tests.experiments.command_line import SMALL


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("series")
    make(folder)
    return folder


def test_a_run_names_its_columns_and_reads_other_files_by_them(apps, folder: Path, tmp_path: Path):
    data = (f"data.root={folder}", *OVERRIDES, "figures.num_paths=5")
    ended = apps("train", "data=series", *data, *SMALL, "hydra.run.dir=run", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "values      4 not observed" in ended.out
    assert {path.name for path in (tmp_path / "run" / "figures").iterdir()} >= {"samples.png", "continuations.png"}
    assert "- b [kPa]" in (tmp_path / "run" / "config.yaml").read_text()
    other = tmp_path / "other.csv"
    lines = (folder / "plant0.csv").read_text().splitlines()
    swapped = [",".join(["extra" if n == 0 else "7", *reversed(line.split(","))]) for n, line in enumerate(lines)]
    other.write_text("\n".join(swapped) + "\n")
    measured = apps("evaluate", "run=run", f"root={other}", cwd=tmp_path)
    assert measured.code == 0, measured.err
    (found,) = (tmp_path / "run" / "evaluations").glob("*.json")
    assert json.loads(found.read_text())["on"] is not None
    other.write_text("\n".join(lines).replace("a,b [kPa],c", "a,pressure,c") + "\n")
    refused = apps("evaluate", "run=run", f"root={other}", cwd=tmp_path)
    assert refused.code == 1
    assert "columns names 'b [kPa]', which" in refused.err
    assert "Traceback" not in refused.err


@pytest.mark.parametrize(
    ("content", "keys", "says"),
    [
        ("a,a\n1,2\n", (), "two columns are called 'a'"),
        ("a,b\n" + "1,2\n3,x\n" * 9, ("data.columns=[a,b]",), "column 'b', row 2 is 'x': expected a number"),
        ("a\n1\n2\n", (), "data.split=by_time: split leaves"),
        ("t,a\n1,2\n1,3\n", ("data.time=t", "data.window=null"), "if they are of different sequences"),
    ],
)
def test_a_wrong_file_ends_the_command_in_one_line(apps, tmp_path: Path, content: str, keys: tuple, says: str):
    (tmp_path / "x.csv").write_text(content)
    ended = apps("train", "data=series", "data.root=x.csv", "data.window=null", *keys, *SMALL, cwd=tmp_path)
    assert ended.code == 1
    assert says in ended.err
    assert "Traceback" not in ended.err
    assert len(ended.err.strip().splitlines()) == 1


def test_figures_none_draws_nothing_and_oscillators_know_the_truth(apps, tmp_path: Path):
    sizes = [f"data.{part}_sequences=6" for part in ("train", "valid", "test")]
    ended = apps(
        "train",
        "data=oscillators",
        "data.num_steps=12",
        *sizes,
        *SMALL,
        "figures=none",
        "hydra.run.dir=run",
        cwd=tmp_path,
    )
    assert ended.code == 0, ended.err
    assert "the true process" in ended.out
    assert not [path for path in (tmp_path / "run" / "figures").iterdir() if path.name != "curves.png"]
