"""Splits of recordings by each file's or speaker's own name: one more moves no other."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pytest

from tests.conf import raw
from tests.data.recording_files import clip, write_audio, write_timit
from vrnn.data.audio import audio
from vrnn.data.blizzard import blizzard
from vrnn.data.ljspeech import ljspeech
from vrnn.data.splits import Splits
from vrnn.data.timit import timit

RATE = 16_000
PARTS = ("train", "valid", "test")
WHERE = {audio: "a", blizzard: "blizzard2013/a", ljspeech: "wavs"}


def add(folder: Path, *numbers: int, suffix: str = "wav") -> None:
    for number in numbers:
        write_audio(folder / f"{number:03}.{suffix}", clip(number, 210 + number, RATE), RATE, suffix.upper())


def files(splits: Splits) -> dict[str, set[str]]:
    """The files of each part; one without folders is a group of its own."""
    return {name: set(part.groups) for name, part in splits.parts.items()}


def lengths(splits: Splits) -> dict[str, set[int]]:
    """Each file here has a length of its own, in samples."""
    return {name: set(part.lengths.tolist()) for name, part in splits.parts.items()}


@pytest.mark.parametrize("dataset", WHERE, ids=lambda dataset: dataset.__name__)
def test_one_more_file_moves_no_other(tmp_path, dataset):
    add(tmp_path / WHERE[dataset], *range(40))
    make = partial(dataset, x_dim=1, sample_rate=RATE, num_frames=None, root=str(tmp_path))
    make = partial(make, valid_fraction=0.2, test_fraction=0.2)
    before, order = lengths(make(assignment="name")), lengths(make(assignment="order"))
    assert sum(map(len, before.values())) == len(set.union(*before.values())) == 40
    add(tmp_path / WHERE[dataset], 50)
    after, drawn_anew = lengths(make(assignment="name")), lengths(make(assignment="order"))
    for part in PARTS:
        assert after[part] - {260} == before[part]
    assert drawn_anew["train"] - {260} != order["train"]  # what an old run must keep, and a new one must not have
    assert lengths(make(assignment="name", seed=1))["train"] != after["train"]
    assert lengths(make()) == drawn_anew  # a config without the key was made with the former split


def test_the_same_recording_in_another_form_stays_in_its_part(tmp_path):
    add(tmp_path / "wav", *range(40))
    add(tmp_path / "flac", *range(40), suffix="flac")
    wav, flac = (audio(1, RATE, None, root=str(tmp_path / kind), assignment="name") for kind in ("wav", "flac"))
    assert files(wav) == files(flac)
    add(tmp_path / "wav", *range(40), suffix="flac")
    both = audio(1, RATE, None, root=str(tmp_path / "wav"), assignment="name")
    assert files(both) == files(wav)
    assert len(both.train) == 2 * len(wav.train)


def test_one_more_speaker_of_timit_moves_no_other(tmp_path):
    write_timit(tmp_path, num_speakers=6, num_samples=300)
    make = partial(timit, x_dim=50, root=str(tmp_path), valid_fraction=0.3, seed=4)
    before = files(make(assignment="name"))
    assert before["train"] | before["valid"] == {f"ftra{number}" for number in range(6)}
    assert before["valid"]
    (tmp_path / "TRAIN" / "DR1" / "FTRA0").rename(tmp_path / "TRAIN" / "DR1" / "FNEW0")
    after = files(make(assignment="name"))
    assert after["train"] - {"fnew0"} == before["train"] - {"ftra0"}
    assert after["valid"] - {"fnew0"} == before["valid"] - {"ftra0"}
    assert files(make()) == files(make(assignment="order"))


def test_a_timit_that_is_a_link_is_there(tmp_path):
    write_timit(tmp_path / "disk" / "timit", num_samples=300)
    (tmp_path / "root" / "elsewhere").mkdir(parents=True)
    (tmp_path / "root" / "TIMIT").symlink_to(tmp_path / "disk" / "timit")
    assert len(timit(50, root=str(tmp_path / "root"), assignment="name").test) == 9
    (tmp_path / "parts").mkdir()
    for part in ("TRAIN", "TEST"):
        (tmp_path / "parts" / part.lower()).symlink_to(tmp_path / "disk" / "timit" / part)
    (tmp_path / "parts" / "timit").symlink_to(".")  # nothing is found twice
    assert len(timit(50, root=str(tmp_path / "parts"), assignment="name").test) == 9


def test_a_linked_folder_of_recordings_takes_part(tmp_path):
    add(tmp_path / "root", *range(8))
    add(tmp_path / "disk", *range(8, 10))
    (tmp_path / "root" / "more").symlink_to(tmp_path / "disk")
    arguments = {"root": str(tmp_path / "root"), "valid_fraction": 0.2, "test_fraction": 0.2}
    tallies = [audio(1, RATE, None, **arguments, assignment=how).tally for how in ("name", "order")]
    assert [tally["files found"] for tally in tallies] == [10, 8]  # old runs had none of those behind links


@pytest.mark.parametrize("name", ["audio", "blizzard", "ljspeech", "timit"])
def test_new_runs_split_by_name(name):
    assert raw("data", name)["assignment"] == "name"
