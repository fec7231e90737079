"""Omniglot's raw drawings as people have them: macOS's litter, links, damage, archives that lead elsewhere."""

from __future__ import annotations

import os
import re
import zipfile
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.data.stroke_files import ALPHABETS, DRAWERS, PARTS, raw_texts, write_raw
from vrnn.data.ink.omniglot_raw import read_raw
from vrnn.data.ink.strokes import Ink
from vrnn.data.omniglot import RAW, SIMPLIFIED, _split, omniglot
from vrnn.data.sources.partition import split_by_name

FIRST = f"{ALPHABETS[0]}/character01/0001_01.txt"


@pytest.fixture
def folder(tmp_path) -> Path:
    """The raw drawings in a folder."""
    write_raw(tmp_path / "handwriting", archive=False)
    return tmp_path / "handwriting" / RAW


@pytest.fixture
def make(tmp_path):
    return partial(omniglot, root=str(tmp_path), variant="raw", sample_rate=None, dequantise=False)


def write_zip(folder: Path, members: dict[str, bytes | str], prefix: str = f"{RAW}/") -> Path:
    """An archive of the raw drawings with members more or changed, in place of the folder."""
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in ({f"{prefix}{name}": text for name, text in raw_texts().items()} | members).items():
            archive.writestr(name, text)
    os.rename(folder, folder.with_name("moved"))
    return path


def same(one, two) -> bool:
    return all(torch.equal(getattr(one, part).values, getattr(two, part).values) for part in PARTS)


# Splits by each drawer's or alphabet's own name


@pytest.mark.parametrize("split_by", ["drawer", "alphabet"])
def test_a_new_drawer_or_alphabet_moves_no_other(split_by):
    def parts(groups: int) -> list[set[str]]:
        """The drawers or alphabets of each part."""
        form = "Greek/character01/0001_{:02d}.txt" if split_by == "drawer" else "Alphabet{:02d}/character01/0001_07.txt"
        inks = [Ink(np.zeros((2, 2)), np.ones(2), form.format(number)) for number in range(1, groups + 1)]
        found = _split([(ink.name, ink) for ink in inks], Path("drawings"), split_by, "name", seed=0)
        key = slice(-6, -4) if split_by == "drawer" else slice(0, 10)
        return [{ink.name[key] for ink in part} for part in found]

    few, many = parts(40), parts(90)
    form = "{:02d}" if split_by == "drawer" else "Alphabet{:02d}"
    expected = split_by_name([form.format(number) for number in range(1, 91)], 0.1, 0.1, seed=0)
    assert many == [set(expected[part]) for part in PARTS]
    old = set().union(*few)
    assert few == [part & old for part in many]
    assert sum(map(len, many)) == 90


def test_runs_made_before_there_was_a_choice_keep_their_split(folder, make):
    assert same(make(), make(assignment="order"))
    assert not same(make(assignment="order"), make(assignment="name"))


# Forms


def test_hidden_files_are_passed_over_and_links_followed(folder, make, tmp_path):
    plain = make()
    for name in (f"._{ALPHABETS[0]}", ".DS_Store", f"{ALPHABETS[0]}/.DS_Store", f"{FIRST[:-11]}._0001_01.txt"):
        (folder / name).write_bytes(b"\x00\x05\x16\x07\x00\xff")
    (folder / "__MACOSX" / "Greek").mkdir(parents=True)
    (folder / "__MACOSX" / "Greek" / "._0001_01.txt").write_bytes(b"\x00\x05\x16\x07")
    (folder / "readme.txt").write_text("no drawing")
    elsewhere = tmp_path / "disk"
    elsewhere.mkdir()
    for number, path in enumerate(
        (folder / ALPHABETS[1], folder / ALPHABETS[2] / "character01", folder / FIRST, folder)
    ):
        os.rename(path, elsewhere / str(number))
        path.symlink_to(elsewhere / str(number))
    found = make()
    assert same(found, plain)
    assert found.tally == plain.tally == {"drawings found": 80, "drawings used": 80}
    assert len(found.files) == len(ALPHABETS) * DRAWERS == len(set(found.files))
    assert (f"handwriting/{RAW}/{FIRST}", len(raw_texts()[FIRST])) in found.files


@pytest.mark.parametrize("write", ["crlf", "bom", "old mac"])
def test_line_ends_and_a_byte_order_mark_change_nothing(folder, make, write):
    plain = make()
    for path in folder.glob("*/*/*.txt"):
        content = path.read_bytes()
        ends = {"crlf": b"\r\n", "old mac": b"\r", "bom": b"\n"}[write]
        path.write_bytes((b"\xef\xbb\xbf" if write == "bom" else b"") + content.replace(b"\n", ends))
    assert same(make(), plain)


@pytest.mark.parametrize("prefix", ["", f"{RAW}/", f"omniglot/python/{RAW}/"])
def test_an_archive_is_read_whatever_folder_its_alphabets_lie_in(folder, make, prefix):
    plain = make()
    path = write_zip(
        folder, {f"{prefix}{FIRST[:-11]}._0001_01.txt": b"\x00\x05", f"{prefix}.DS_Store": b"\x00"}, prefix
    )
    found = make()
    assert same(found, plain)
    assert found.files == [(f"handwriting/{path.name}", path.stat().st_size)]


# Damage


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("nan,-1.0,0", "line 3 is 'nan,-1.0,0', where x,y,t is expected"),
        ("1.0,inf,0", "line 3 is '1.0,inf,0'"),
        ("1.0,-1.0", "line 3 is '1.0,-1.0'"),
        ("1.0,-1.0,\x1b[31m", r"line 3 is '1.0,-1.0,\x1b[31m'"),
        ("1.0,-1.0,1e999", "line 3 is '1.0,-1.0,1e999'"),
    ],
)
@pytest.mark.parametrize("zipped", [False, True])
def test_a_garbage_point_is_named_by_drawing_and_line(folder, make, line, message, zipped):
    text = raw_texts()[FIRST].replace("1.000000,-1.000000,50", line, 1)
    (folder / FIRST).write_text(text)
    source = write_zip(folder, {f"{RAW}/{FIRST}": text}) if zipped else folder
    with pytest.raises(ValueError, match=re.escape(f"{FIRST} in {source} is damaged: {message}")) as caught:
        make()
    assert str(caught.value).isprintable()


def test_a_coordinate_too_large_for_its_type_is_named(folder, make):
    (folder / FIRST).write_text(raw_texts()[FIRST].replace("1.000000,-1.000000,50", "1e39,-1.0,50", 1))
    with pytest.raises(ValueError, match=rf"(train|valid|test), {FIRST}: step 1 of 7 is \[1e\+39"):
        make()


@pytest.mark.parametrize("text", ["START\nBREAK\n", "START\nBREAK\nBREAK\n"])
def test_a_drawing_without_a_point_is_named(folder, make, text):
    (folder / FIRST).write_text(text)
    with pytest.raises(ValueError, match=f"{FIRST} in .* is damaged: it has no point"):
        make()


def test_bytes_that_are_no_text_are_named(folder, make):
    (folder / FIRST).write_bytes(b"START\n\xff\xfe\nBREAK")
    with pytest.raises(ValueError, match=f"{FIRST} in .* is damaged: 'utf-8' codec"):
        make()


@pytest.mark.parametrize("name", [f"{RAW}/../../../etc/a/b.txt", "/tmp/a/b/c.txt", f"{RAW}/a/../b.txt"])
def test_a_member_that_leads_out_of_the_archive_is_refused(folder, make, name):
    path = write_zip(folder, {name: "START\n1,2,3\nBREAK\n"})
    with pytest.raises(ValueError, match=re.escape(f"{path} is damaged (at {name}: it leads out of the archive)")):
        make()


def test_a_damaged_member_is_named(folder, make):
    path = write_zip(folder, {})
    content = bytearray(path.read_bytes())
    at = content.index(raw_texts()[FIRST].encode())
    content[at + 10] ^= 1
    path.write_bytes(content)
    with pytest.raises(ValueError, match=rf"is damaged \(at {RAW}/{FIRST}: Bad CRC-32"):
        make()


def test_drawings_by_fewer_than_three_are_no_corpus(folder, make):
    write_zip(folder, {})
    for path in (folder.with_name("moved")).glob("*/*/*_0[12].txt"):
        moved = folder / path.relative_to(folder.with_name("moved"))
        moved.parent.mkdir(parents=True, exist_ok=True)
        os.rename(path, moved)
    with pytest.raises(
        ValueError, match=rf"{folder} must hold drawings <alphabet>/.* by three drawers or more, got 2$"
    ):
        make()


def test_two_drawings_of_one_name_are_refused(folder, make):
    write_zip(folder, {f"copy/{FIRST}": raw_texts()[FIRST]})
    with pytest.raises(ValueError, match=f"holds two drawings called {FIRST}; take one away"):
        make()


def test_a_folder_that_cannot_be_listed_is_named_and_not_passed_over(folder, make, monkeypatch):
    closed, listing = folder / ALPHABETS[1], Path.iterdir

    def refuse(self):
        if self == closed:
            raise PermissionError(13, "Permission denied", str(self))
        return listing(self)

    monkeypatch.setattr(Path, "iterdir", refuse)  # as root, who runs tests in some places, nothing is denied
    with pytest.raises(PermissionError, match=re.escape(f"{closed} cannot be read (Permission denied): it is part of")):
        make()


@pytest.mark.parametrize("name", [ALPHABETS[1], f"{ALPHABETS[1]}/character01", FIRST])
def test_a_link_to_what_is_not_there_is_named_and_not_passed_over(folder, make, name):
    os.rename(folder / name, folder.parent / "moved")
    (folder / name).symlink_to("unmounted")
    with pytest.raises(
        FileNotFoundError, match=rf"{folder / name} cannot be read \(a link to what is not there\): it is"
    ):
        make()


def test_names_that_are_no_utf8_are_read_and_shown(folder):
    odd = folder / os.fsdecode(b"caf\xe9") / "character01" / "0001_01.txt"
    odd.parent.mkdir(parents=True)
    odd.write_text(raw_texts()[FIRST])
    found, _ = read_raw(folder, None)
    assert r"caf\xe9/character01/0001_01.txt" in [name for name, ink in found if ink.name == name]
    odd.write_text("no drawing")
    with pytest.raises(ValueError, match=r"caf\\xe9/character01/0001_01.txt in .* is damaged") as caught:
        read_raw(folder, None)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("variant", ["raw", "simplified"])
def test_a_folder_or_a_dangling_link_in_place_of_the_file_is_told(tmp_path, variant):
    path = tmp_path / "handwriting" / (f"{RAW}.zip" if variant == "raw" else SIMPLIFIED)
    path.mkdir(parents=True)
    with pytest.raises(
        IsADirectoryError, match=re.escape(f"variant={variant} needs {path}, which is a folder: expected")
    ):
        omniglot(root=str(tmp_path), variant=variant)
    path.rmdir()
    path.symlink_to("unmounted/file")
    with pytest.raises(FileNotFoundError, match=r"which is a link to .*/unmounted/file, which is not there: expected"):
        omniglot(root=str(tmp_path), variant=variant)
