"""A whole comparison: what is written, and what it says."""

from __future__ import annotations

import csv
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from experiments.report.blocks.tables import markdown_text
from experiments.report.comparison.published import literature
from experiments.report.comparison.report import Comparison
from experiments.run.state import Job
from tests.experiments.report.conftest import Runs, bold, column

REASON = "latent.z_dim=0: expected <an integer> & more"


class Reader(HTMLParser):
    """Attributes that name something to load, the tags that are open, and the text."""

    VOID = frozenset({"meta", "img", "br", "wbr", "link", "input"})

    def __init__(self, text: str):
        super().__init__()
        self.sources: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: set[str] = set()
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.sources += [
            value for name, value in attrs if name in ("src", "href", "srcset", "data", "action", "poster")
        ]
        self.ids += [value for name, value in attrs if name == "id"]
        assert tag not in ("link", "iframe", "object", "base")
        assert tag != "script" or (not attrs and "script" not in self.tags)  # the page's own
        self.tags.add(tag)
        self.open += [] if tag in self.VOID else [tag]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def runs(tmp_path_factory: pytest.TempPathFactory) -> Runs:
    return Runs(tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def rows(runs, bounds) -> dict[str, list[Job]]:
    """An exact model, two with bounds of which one is far better, and one that failed."""
    rows = {
        "RNN": [runs.done(bounds(-500.0, seed=s), seed=s, kind="exact", picture=True) for s in (0, 1)],
        "VRNN_I": [runs.done(bounds(-400.0, seed=s), seed=s, picture=True) for s in (0, 1)],
        "VRNN": [runs.done(bounds(seed=s), seed=s, picture=True, dirty=True) for s in (0, 1)],
        "VRNN-GMM": [runs.failed(REASON), runs.waiting()],
    }
    for job in rows["VRNN"]:
        runs.estimate(job, bounds(3.0))
    return rows


@pytest.fixture(scope="module")
def written(rows, tmp_path_factory) -> Comparison:
    """Its report."""
    folder = tmp_path_factory.mktemp("report")
    comparison = Comparison(rows)
    comparison.write(folder, "A <title> & more", "python -m x a='<b>'")
    return comparison


def test_every_model_has_its_row_also_the_one_that_failed(rows):
    found = Comparison(rows)
    assert bold(found) == ["VRNN"]
    values = column(found, "log-likelihood")
    assert list(values) == ["RNN", "VRNN_I", "VRNN", "VRNN-GMM", "linear predictor"]
    assert values["VRNN"].startswith("≥ -")
    assert values["RNN"].startswith("-")
    assert values["VRNN-GMM"] == "–"
    assert column(found, "IWAE-40")["VRNN"].startswith("~ -")
    assert list(column(found, "seeds", "").values()) == ["2", "2", "2", "0 of 2", ""]
    assert found.left_out == [f"VRNN-GMM, seed 0: failed: {REASON}", "VRNN-GMM, not-yet: not started"]
    assert "6 of 8 runs count" in found.summary[0]
    assert "Bounds" not in found.summary[0]


def test_everything_is_written(written):
    names = ["comparison.html", "comparison.md", "comparison.tex", "comparison.csv"]
    assert [path.name for path in written.files[:4]] == names
    assert {path.stem for path in written.files[4:]} == {"validation", "kl_training", "kl_by_step"}
    assert sorted(written.files[0].parent.rglob("*.*")) == sorted(written.files)
    for path in written.files[1:3]:
        assert "VRNN-GMM" in path.read_text()
    assert f"- VRNN-GMM, seed 0: failed: {markdown_text(REASON)}" in written.files[1].read_text()


def test_a_terminal_shows_it(written):
    with Path("/dev/null").open("w") as nowhere:
        console = Console(width=120, record=True, file=nowhere)
        console.print(written.terminal())
    shown = console.export_text()
    for words in (REASON, "VRNN_I", "0 of 2", "~ -", written.summary[0][:40], "0123456789 + uncommitted changes"):
        assert words in shown


def test_cautions_of_the_runs_are_everywhere(runs, bounds, tmp_path):
    done = {
        "a": [runs.done(bounds(), cautions=["of all", "of a & some."])],
        "b": [runs.done(bounds(-1.0), cautions=["of all"])],
        "c": [runs.done(bounds(-2.0), cautions=["of all", "of a & some."])],
        "d": [runs.failed("no")],
    }
    found = Comparison(done)
    found.write(tmp_path, "t", "c")
    assert found.cautions == ["a and c: of a & some.", "of all."]
    page, markdown, tex = (file.read_text() for file in found.files[:3])
    assert "a and c: of a & some." in Reader(page).text
    assert "a and c: of a & some." in markdown
    assert r"a and c: of a \& some. of all.}" in tex
    assert Comparison({"a": [runs.done(bounds())]}).cautions == []  # of a run that recorded none


def test_negated(rows):
    found = Comparison(rows, negate=True)
    values = column(found, "negative log-likelihood")
    assert values["VRNN"].startswith("≤ ")
    assert "-" not in values["VRNN"]
    assert bold(found) == ["VRNN"]
    assert "lower is better" in found.table.notes[0]
    assert found.table.caption == "Test negative log-likelihood"


@pytest.mark.parametrize(("negate", "mark"), [(False, "≥"), (True, "≤")])
def test_validation_curves_say_which_are_bounds(rows, tmp_path, negate, mark):
    found = Comparison(rows, negate=negate)
    _, svg = found.draw(tmp_path)["Validation"]
    legend = re.findall(r"<!-- (.*?) -->", svg)
    assert {"RNN", f"VRNN ({mark})", f"VRNN_I ({mark})", f"{found.sign.title} [nats per step]"} <= set(legend)


def test_the_page_loads_nothing_and_is_escaped(written):
    text = written.files[0].read_text()
    page = Reader(text)
    assert page.open == []
    assert len(page.ids) == len(set(page.ids))
    assert {source.partition(";")[0] for source in page.sources} == {
        "data:image/svg+xml", "data:image/png", "data:audio/wav"
    }  # fmt: skip
    assert not re.search(r"https?:|//[a-z]|@import|url\(", re.sub(r"base64,[^\"]*", "", text))
    assert len(text) < 10_000_000
    for words in ("A <title> & more", "python -m x a='<b>'", REASON, "+ uncommitted changes", "VRNN_I"):
        assert words in page.text
    assert "<b>" not in text


def test_csv_gives_back_every_figure(written, rows, bounds):
    with written.files[3].open(newline="") as file:
        lines = list(csv.DictReader(file))
    jobs = [(label, job) for label, jobs in rows.items() for job in jobs]
    assert len(lines) == len(jobs)
    for line, (label, job) in zip(lines, jobs, strict=True):
        assert (line["row"], line["state"], line["directory"]) == (label, job.state, str(job.run))
        for name, figure in job.result.get("figures", {}).items():
            assert float(line[name]) == figure["value"]
            assert all(line[f"{name}/{key}"] == str(figure[key]) for key in ("kind", "unit", "space"))
    assert [line["reason"] for line in lines[6:]] == [f"failed: {REASON}", "not started"]
    assert [line["counted"] for line in lines] == ["True"] * 6 + ["False"] * 2
    assert float(lines[4]["iwae-40:test/log_likelihood"]) == pytest.approx(bounds(3.0).mean())


def test_nothing_is_done_yet(runs, tmp_path):
    jobs = {"a": [runs.waiting(), runs.failed("no")]}
    found = Comparison(jobs, literature()["timit"])
    found.write(tmp_path, "t", "c")
    assert found.summary == ["No run has been measured on test yet. 0 of 2 runs count."]
    assert all(path.stat().st_size > 0 for path in found.files)
    assert "a, seed 0: failed: no" in Reader(found.files[0].read_text()).text


def test_the_table_for_machines(written, rows):
    columns, data = written.plain()
    assert [len(line) for line in data] == [len(columns)] * 4
    value = data[2][columns.index("log_likelihood")]
    assert value == pytest.approx(
        np.mean([job.result["figures"]["test/log_likelihood"]["value"] for job in rows["VRNN"]])
    )
    assert [line[columns.index("best")] for line in data] == [False, False, True, False]
