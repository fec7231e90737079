"""Lists of files as people have them: read alike whatever stored them, and never a way out of the folder."""

from __future__ import annotations

import os
import re
import unicodedata

import pytest

from vrnn.data.sources.lists import find_below, read_list

NAMES = ["a/b 1.wav", "Café.wav", "ende\x85.wav"]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "latin-1", "utf-16"])
def test_a_list_is_read_alike_whatever_stored_it(tmp_path, encoding, end):
    text = f"{NAMES[0]}{end}{end}  {NAMES[1]}\t{end}{NAMES[2]}"
    (tmp_path / "list.txt").write_bytes(text.encode(encoding))
    assert read_list(tmp_path / "list.txt") == NAMES


def test_an_empty_list_is_empty_and_what_is_no_text_is_named(tmp_path):
    (tmp_path / "list.txt").write_bytes(b"\xef\xbb\xbf\r\n \r\n")
    assert read_list(tmp_path / "list.txt") == []
    (tmp_path / "list.txt").write_bytes(b"\0\1\2\xff")
    with pytest.raises(ValueError, match=r"list\.txt is no text file"):
        read_list(tmp_path / "list.txt")


@pytest.mark.parametrize("stored", ["Café.wav".encode(), "Café.wav".encode("latin-1"), "Cafe\u0301.wav".encode()])
def test_an_entry_finds_its_file_in_another_spelling(tmp_path, stored):
    path = tmp_path / "a" / os.fsdecode(stored)
    path.parent.mkdir()
    path.touch()
    for entry in ("a/Café.wav", "a\\Café.wav" if stored == "Café.wav".encode() else "a/Café.wav"):
        assert find_below(tmp_path, entry) == path
    assert find_below(tmp_path, unicodedata.normalize("NFC", f"{tmp_path}/a/Café.wav")) == path


@pytest.mark.parametrize("entry", ["../x.wav", "/etc/passwd", "a/../../x.wav", "..\\x.wav", "..", "\x1b[2J/../../x"])
def test_an_entry_that_leads_out_of_the_folder_is_refused(tmp_path, entry):
    (tmp_path / "x.wav").touch()
    root = tmp_path / "root"
    root.mkdir()
    with pytest.raises(ValueError, match=rf"leads out of {re.escape(str(root))}: expected a path below it") as caught:
        find_below(root, entry)
    assert str(caught.value).isprintable()


def test_an_entry_may_go_up_and_down_inside(tmp_path):
    (tmp_path / "b.wav").touch()
    assert find_below(tmp_path, "a/../b.wav") == tmp_path / "b.wav"
