"""IAM-OnDB's files as people have them: encodings, copies, links, and XML that is none of its own."""

from __future__ import annotations

import codecs
import os
import re
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.data.stroke_files import FORMS, LINES, line_strokes, line_xml, write_iamondb
from vrnn.data.iamondb import iamondb, read_line

PARTS = ("train", "valid", "test")


@pytest.fixture
def root(tmp_path) -> Path:
    write_iamondb(tmp_path)
    return tmp_path


@pytest.fixture
def make(root):
    return partial(iamondb, root=str(root))


def same(one, two) -> bool:
    return all(torch.equal(getattr(one, part).values, getattr(two, part).values) for part in PARTS)


# Lists


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"], ids=["unix", "dos", "old mac"])
@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
def test_lists_are_read_as_editors_leave_them(make, root, end, encoding):
    plain = make()
    for name, forms in FORMS.items():
        (root / name).write_bytes("".join(f"{form} \t{end}{end}" for form in forms).encode(encoding))
    assert same(make(), plain)


@pytest.mark.parametrize(
    "form",
    ["../a01-000u", "/etc/passwd", "a01-000*", "a01-000u.xml", "a01", "a01-../x", "caf\xe9-1", "a01-000\x1b[31m"],
)
def test_what_is_no_form_is_refused_by_list_and_line(make, root, form):
    (root / "testset_v.txt").write_bytes(f"c03-001z\r\n\r\n{form}\r\n".encode("latin-1"))
    with pytest.raises(ValueError, match=rf"^valid_lists names {root}/testset_v.txt, whose line 2 has ") as caught:
        make()
    assert "where a form such as a01-000u is expected; correct the list" in str(caught.value)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", ["../outside.txt", "/etc/hosts", "a/../../outside.txt"])
def test_a_list_outside_of_the_folder_is_not_read(make, root, name):
    (root.parent / "outside.txt").write_text("not for others")
    with pytest.raises(ValueError, match=r"^valid_lists: .* leads out of .*: expected a path below it") as caught:
        make(valid_lists=[name])
    assert "not for" not in str(caught.value)


def test_a_list_that_is_a_folder_or_a_dangling_link_is_told(make, root):
    (root / "testset_f.txt").unlink()
    (root / "testset_f.txt").mkdir()
    with pytest.raises(IsADirectoryError, match=f"^test_lists names {root}/testset_f.txt, which is a folder: expected"):
        make()
    (root / "link.txt").symlink_to("gone")
    with pytest.raises(
        FileNotFoundError, match=r"^valid_lists names .*, which is a link to .*/gone, which is not there"
    ):
        make(valid_lists=["link.txt"])


# Folders


def test_copies_and_hidden_files_are_no_lines_and_links_are_followed(make, root):
    plain = make()
    home = root / "lineStrokes" / "a01" / "a01-000"
    text = (home / "a01-000u-01.xml").read_text()
    for name in ("._a01-000u-01.xml", "a01-000u-01 (1).xml", "a01-000u-01 copy.xml", "a01-000u-01.xml~", ".DS_Store"):
        (home / name).write_text(text if "0" in name else "")
    disk = root / "disk"
    disk.mkdir()
    for number, path in enumerate((home / "a01-000u-02.xml", home, home.parent, root / "lineStrokes")):
        os.rename(path, disk / str(number))
        path.symlink_to(disk / str(number))
    found = make()
    assert same(found, plain)
    lines = LINES * sum(len(FORMS[name]) for name in ("trainset.txt", "testset_v.txt", "testset_f.txt"))
    assert found.tally == {"lines found": lines, "lines used": lines}
    assert found.files[0] == ("trainset.txt", (root / "trainset.txt").stat().st_size)
    assert [name for name, _ in found.files][3:5] == [f"lineStrokes/a01/a01-000/a01-000u-0{n}.xml" for n in (1, 2)]
    assert len(found.files) == 3 + lines


def test_lines_of_a_single_point_are_dropped_and_counted(make, root):
    path = root / "lineStrokes" / "b02" / "b02-013" / "b02-013-02.xml"
    path.write_text(line_xml([np.array([[1, 2]])]))
    assert make().tally == {"lines found": 12, "lines of a single point": 1, "lines used": 11}


def test_a_form_whose_folder_cannot_be_read_or_has_no_line_is_named(make, root, monkeypatch):
    home, listing = root / "lineStrokes" / "e05" / "e05-003", os.listdir

    def refuse(path):
        if Path(path) == home:
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    with monkeypatch.context() as patched:
        patched.setattr(os, "listdir", refuse)  # as root, who runs tests in some places, nothing is denied
        with pytest.raises(PermissionError, match=rf"form e05-003a is listed, .*{home}, which cannot be read \(Perm"):
            make()
    for path in home.glob("e05-003b-*"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match=f"form e05-003b is listed, but there is no {home}/e05-003b-01.xml"):
        make()


# XML


def written(path: Path, content: bytes | str) -> Path:
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


STROKES = line_strokes("a01-000u", 1)
POINTS = (np.concatenate(STROKES) * (1, -1)).tolist()


@pytest.mark.parametrize(
    "content",
    [
        line_xml(STROKES).replace("<Stroke ", "<Stroke writer='J\xf6rg' ").encode("latin-1"),
        line_xml(STROKES).replace("ISO-8859-1", "utf-8").replace("<Stroke ", "<Stroke writer='J\xf6rg' ").encode(),
        line_xml(STROKES).replace("ISO-8859-1", "windows-1252").encode("cp1252"),
        codecs.BOM_UTF8 + line_xml(STROKES).replace("ISO-8859-1", "utf-8").encode(),
        codecs.BOM_UTF8 + line_xml(STROKES).encode(),  # saved again by an editor that leaves the declaration
        line_xml(STROKES).replace("ISO-8859-1", "utf-16").encode("utf-16"),
        line_xml(STROKES).encode("utf-16"),
        line_xml(STROKES).replace("\n", "\r\n").encode(),
    ],
    ids=["latin-1", "utf-8", "cp1252", "utf-8 mark", "utf-8 mark, other word", "utf-16", "utf-16, other word", "crlf"],
)
def test_a_line_is_read_in_every_encoding(tmp_path, content):
    ink = read_line(written(tmp_path / "a01-000u-01.xml", content))
    assert ink.points.tolist() == POINTS
    assert ink.name == "a01-000u-01"
    assert ink.pen_up.tolist() == [0, 0, 0, 0, 1, 1, 0, 0, 0, 0, 1]


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10}">' for n in range(1, 10))
DECLARED = {
    "billion laughs": f'<!DOCTYPE a [<!ENTITY l0 "lol">{LAUGHS}]>',
    "external entity": '<!DOCTYPE a [<!ENTITY e SYSTEM "file:///etc/passwd">]>',
    "external subset": '<!DOCTYPE a SYSTEM "http://127.0.0.1:9/a.dtd">',
    "parameter entity": '<!DOCTYPE a [<!ENTITY % p SYSTEM "file:///etc/passwd"> %p;]>',
    "default attribute": '<!DOCTYPE a [<!ATTLIST Point x CDATA "7">]>',
    "nothing else": "<!DOCTYPE WhiteboardCaptureSession>",
}


@pytest.mark.parametrize("kind", DECLARED)
@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
def test_a_document_type_is_refused_before_anything_in_it_is_read(tmp_path, kind, encoding):
    text = line_xml(STROKES).replace("ISO-8859-1", encoding).replace("?>", f"?>\n{DECLARED[kind]}", 1)
    path = written(tmp_path / "a.xml", text.replace("<StrokeSet>", "<StrokeSet>&l9;&e;").encode(encoding))
    with pytest.raises(ValueError, match=re.escape(f"{path} is damaged (it declares a document type")):
        read_line(path)


@pytest.mark.parametrize("value", ["nan", "-inf", "1e999", "abc", "", "0x10", "1,5"])
@pytest.mark.parametrize("axis", ["x", "y"])
def test_a_garbage_coordinate_is_named_by_file_stroke_and_point(tmp_path, axis, value):
    lines = line_xml(STROKES).splitlines()
    third = [n for n, line in enumerate(lines) if "<Stroke " in line][2]
    points = re.findall("<Point [^>]*>", lines[third])
    lines[third] = lines[third].replace(points[1], re.sub(rf'{axis}="[^"]*"', f'{axis}="{value}"', points[1]))
    path = written(tmp_path / "a.xml", "\n".join(lines))
    with pytest.raises(ValueError, match=re.escape(f"{path} is damaged (point 2 of stroke 3 has x='")) as caught:
        read_line(path)
    assert f"{axis}={value!r}" in str(caught.value)


def test_points_elsewhere_are_no_ink(tmp_path):
    text = line_xml(STROKES).replace(
        "</WhiteboardDescription>", "<Stroke><Point x='1' y='?'/></Stroke></WhiteboardDescription>"
    )
    assert read_line(written(tmp_path / "a.xml", text)).points.tolist() == POINTS


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "no element found"),
        (b"\x00\x05\x16\x07\x00", "not well-formed|no element found"),
        (line_xml(STROKES).replace("ISO-8859-1", "klingon").encode(), "unknown encoding"),
        (b"<a>" + b" " * 2**24 + b"</a>", f"its {2**24 + 7} bytes are more than {2**24}"),
        (b"<a>" * 100_000, "no element found|unclosed"),
    ],
    ids=["empty", "resource fork", "encoding", "size", "depth"],
)
def test_what_is_no_line_is_named_with_the_reason(tmp_path, content, reason):
    path = written(tmp_path / "a.xml", content)
    with pytest.raises(ValueError, match=rf"{path} is damaged \(.*({reason}).*\); unpack it again, or take it away"):
        read_line(path)
