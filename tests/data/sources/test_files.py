"""What is said of a path that is no readable file, in one line that any terminal can show."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from vrnn.data.sources import files
from vrnn.data.sources.files import is_hidden, listed, require_archive, require_file, require_folder, shown
from vrnn.memory import free_memory


def refusal(path: Path) -> str:
    with pytest.raises(OSError, match=r"^it needs ") as caught:
        require_file("it needs", path, "give another")
    assert str(caught.value).endswith(": give another")
    assert str(caught.value).isprintable()
    return f"{type(caught.value).__name__} {caught.value}"


def test_what_is_no_file_is_told_by_kind(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "link").symlink_to("gone")
    (tmp_path / "ring").symlink_to("ring")
    os.mkfifo(tmp_path / "pipe")
    assert refusal(tmp_path / "none").startswith(f"FileNotFoundError it needs {tmp_path}/none, which is not there")
    assert f"link, which is a link to {tmp_path}/gone, which is not there" in refusal(tmp_path / "link")
    assert refusal(tmp_path).startswith(f"IsADirectoryError it needs {tmp_path}, which is a folder")
    assert "pipe, which is a device or a pipe" in refusal(tmp_path / "pipe")  # to open it would wait for ever
    assert "cannot be read (Too many levels of symbolic links)" in refusal(tmp_path / "ring")
    assert refusal(tmp_path / "file" / "below").startswith("NotADirectoryError")
    assert "cannot be read (File name too long)" in refusal(tmp_path / ("a" * 300))
    require_file("it needs", tmp_path / "file", "give another")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("Größe 1", "Größe 1"),
        (os.fsdecode(b"caf\xe9.npz"), "caf\\xe9.npz"),
        ("a\nb\x1b[31m\u202e", "a\\nb\\x1b[31m\\u202e"),
    ],
)
def test_a_name_is_one_line_that_any_encoding_holds(tmp_path, name, text):
    assert shown(tmp_path / name) == f"{tmp_path}/{text}"
    assert shown(tmp_path / name).encode().decode() == f"{tmp_path}/{text}"
    assert text in refusal(tmp_path / name)


def test_what_macos_leaves_beside_files_is_hidden():
    hidden = ["._a.txt", ".DS_Store", "__MACOSX/a/b.txt", "a/.b/c.wav", ".git/x"]
    data = ["a.txt", "a/b..c/d.txt", "../a.txt", "a.b/c", "MACOSX/a"]
    assert [name for name in [*hidden, *data] if is_hidden(name)] == hidden


def test_a_folders_names_are_sorted_without_hidden_ones_and_what_is_none_is_told(tmp_path):
    for name in ("b", "a", "._a", ".DS_Store"):
        (tmp_path / name).touch()
    (tmp_path / "link").symlink_to("gone")
    assert require_folder("it needs", tmp_path, "give another") == ["a", "b", "link"]
    for name, reason in {"none": "is not there", "a": "is no folder", "link": "/gone, which is not there"}.items():
        with pytest.raises(OSError, match=rf"^it needs {tmp_path}/{name}, which .*{reason}: give another$"):
            require_folder("it needs", tmp_path / name, "give another")


def test_a_file_is_listed_below_its_folder(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "b.txt").write_text("1234567")
    assert listed(tmp_path / "a" / "b.txt", tmp_path) == ("a/b.txt", 7)
    assert listed(tmp_path / "a" / "b.txt", Path("/elsewhere")) == ("b.txt", 7)


def test_archives_that_fill_the_memory_are_refused_by_their_own_table(tmp_path, monkeypatch):
    def write(name: str, content: bytes) -> Path:
        with zipfile.ZipFile(tmp_path / name, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("a", content[:50_000])
            archive.writestr("b", content[50_000:])
        return tmp_path / name

    noise = np.random.default_rng(0).bytes(400_000)
    require_archive(write("zeros", bytes(400_000)))
    assert free_memory() > 2**28
    monkeypatch.setattr(files, "free_memory", lambda: 1_000_000)
    require_archive(write("few zeros", bytes(250_000)))
    require_archive(write("noise", noise))
    bomb = write("bomb", bytes(250_001))
    with pytest.raises(ValueError, match=rf"its {bomb.stat().st_size} bytes claim to unpack to 250001, more than"):
        require_archive(bomb)
    (tmp_path / "text").write_text("text")
    with pytest.raises(ValueError, match=r"it is no zip archive, or cut short; it begins with b'text'"):
        require_archive(tmp_path / "text")
