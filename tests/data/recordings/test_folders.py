"""Files below a folder: every one once, whatever links there are, and none that is no recording."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.data.recording_files import clip, write_audio
from vrnn.data.audio import audio
from vrnn.data.recordings.clips import file_clip
from vrnn.data.recordings.corpora import SUFFIXES
from vrnn.data.recordings.folders import files_below

RATE = 8000


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)  # different contents, so that no two are taken for one
    return folder


def names(folder: Path, **arguments) -> list[str]:
    return files_below(folder, SUFFIXES, **arguments).names


@pytest.fixture
def root(tmp_path) -> Path:
    return touch(tmp_path / "root", "b.wav", "a/c.WAV", "a/d/e.FLAC", "notes.txt")


def test_linked_folders_and_files_are_followed(root, tmp_path):
    touch(tmp_path / "disk", "x/1.wav", "2.flac")
    (root / "linked").symlink_to(tmp_path / "disk")
    (root / "f.wav").symlink_to(tmp_path / "disk" / ".." / "disk" / "2.flac")
    assert names(root) == [
        "a/c.WAV",
        "a/d/e.FLAC",
        "b.wav",
        "linked/2.flac",
        "linked/x/1.wav",
    ]
    assert names(root, follow_links=False) == [
        "a/c.WAV",
        "a/d/e.FLAC",
        "b.wav",
        "f.wav",
    ]
    (tmp_path / "way").symlink_to(root)
    assert names(tmp_path / "way") == names(root)


def test_loops_end_and_what_is_reached_twice_counts_once_under_its_own_name(root):
    (root / "0").symlink_to(root / "a")
    (root / "a" / "up").symlink_to("..")
    (root / "a" / "self").symlink_to(".")
    (root / "0.wav").symlink_to("b.wav")
    os.link(root / "b.wav", root / "hard.wav")
    assert names(root) == ["a/c.WAV", "a/d/e.FLAC", "b.wav"]


def test_what_is_no_file_is_no_recording_and_a_link_to_nothing_is_for_the_reader_to_name(root):
    (root / "folder.wav").mkdir()
    os.mkfifo(root / "pipe.wav")  # to open it would wait for ever
    (root / "gone.wav").symlink_to("nowhere")
    (root / "ring.wav").symlink_to("ring.wav")
    assert names(root) == ["a/c.WAV", "a/d/e.FLAC", "b.wav", "gone.wav", "ring.wav"]


def test_litter_is_passed_over_and_counted_if_it_is_named_as_a_recording(root):
    touch(root, "._b.wav", ".DS_Store", "a/._c.WAV", "__MACOSX/a/._c.WAV", ".trash/old.wav", "a/.hidden.flac")
    found = files_below(root, SUFFIXES)
    assert found.names == ["a/c.WAV", "a/d/e.FLAC", "b.wav"]
    assert found.hidden == 3


def test_sounds_that_a_run_has_made_are_no_data(root):
    touch(root, "outputs/train/2026/metrics.jsonl", "outputs/train/2026/figures/samples.wav")
    touch(root, "outputs/train/2026/samples/on-x/samples.wav", "samples/.vrnn.json", "samples/samples.wav")
    assert names(root) == ["a/c.WAV", "a/d/e.FLAC", "b.wav"]
    assert names(root / "outputs" / "train" / "2026") == ["figures/samples.wav", "samples/on-x/samples.wav"]  # meant so


def test_only_some_folders_are_looked_into(root):
    touch(root, "TIMIT/TRAIN/x.wav", "Test/y.wav", "train.wav")
    assert names(root, top={"timit", "test"}) == ["TIMIT/TRAIN/x.wav", "Test/y.wav"]


def test_a_folder_that_cannot_be_read_is_named(root, monkeypatch):
    def scandir(place):
        if str(place).endswith("a"):
            raise PermissionError(13, "Permission denied", str(place))
        return real(place)

    real = os.scandir
    monkeypatch.setattr(os, "scandir", scandir)  # the tests may run as root, who may read everything
    with pytest.raises(ValueError, match=rf"^{root}/a cannot be read \(Permission denied\)"):
        files_below(root, SUFFIXES)
    assert names(root / "nowhere") == []


# Names


def test_names_that_are_no_utf_8_are_read_and_shown(tmp_path):
    odd = os.fsdecode(b"caf\xe9\x1b[31m.wav")
    for number, name in enumerate([odd, "a.wav", "b.wav", "c.wav"]):
        write_audio(tmp_path / "plain.wav", clip(number, 900, RATE), RATE)
        (tmp_path / "root").mkdir(exist_ok=True)
        (tmp_path / "plain.wav").rename(tmp_path / "root" / name)
    found = file_clip(tmp_path / "root", odd)
    assert found.file == r"caf\xe9\x1b[31m.wav"
    assert len(found.decode()) == 900
    arguments = {"x_dim": 20, "sample_rate": RATE, "num_frames": None, "root": str(tmp_path / "root")}
    for assignment in ("name", "order"):
        splits = audio(**arguments, valid_fraction=0.3, test_fraction=0.3, assignment=assignment)
        shown = [name for name, _ in splits.files] + [name for part in splits.parts.values() for name in part.groups]
        assert r"caf\xe9\x1b[31m.wav" in shown
        assert all(name.isprintable() and name.encode() for name in shown)
    (tmp_path / "root" / odd).write_bytes(b"RIFF")
    with pytest.raises(ValueError, match=r"root/caf\\xe9\\x1b\[31m\.wav is damaged") as caught:
        audio(**arguments)
    assert str(caught.value).isprintable()
