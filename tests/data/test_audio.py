"""Any folder of recordings: how it is divided, and that large data are the same as small ones."""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.data.recording_files import clip, write_audio
from vrnn.data.audio import audio
from vrnn.data.checks.inspection import inspect
from vrnn.data.splits import Splits

RATE, X_DIM = 8000, 25
PARTS = ("train", "valid", "test")
FOLDERS = {"train": 6, "valid": 2, "test": 3}


@pytest.fixture
def root(tmp_path) -> Path:
    """Sub-folders of files, some flac, some stereo, some of another rate; and three lists that do not follow them."""
    root, number = tmp_path / "root", 0
    for part, count in FOLDERS.items():
        for _ in range(count):
            kind = "FLAC" if number % 3 == 0 else "WAV"
            recording = clip(number, 600 + 70 * number, RATE)
            recording = np.stack([recording, recording // 2], 1) if number % 4 == 1 else recording
            path = root / part / f"{number:02}.{kind.lower()}"
            write_audio(path, recording, 2 * RATE if number % 5 == 4 else RATE, kind)
            number += 1
    names = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.*"))
    for start, name in enumerate(("train.txt", "valid.txt", "other.txt")):
        (root / name).write_text("\n".join(["", *names[start::3], ""]))
    return root


@pytest.fixture
def make(root, tmp_path):
    small = {"x_dim": X_DIM, "sample_rate": RATE, "num_frames": 4, "cache": str(tmp_path / "cache")}
    return partial(audio, **small, root=str(root), valid_fraction=0.2, test_fraction=0.3)


LISTS = {"train": "train.txt", "valid": "valid.txt", "test": "other.txt"}
SPLITS = [{"split": "seed"}, {"split": "folders"}, {"split": "lists", "lists": LISTS}]


def same(one: Splits, other: Splits, parts: tuple[str, ...] = PARTS) -> bool:
    pairs = [(getattr(one, part), getattr(other, part)) for part in parts]
    return all(torch.equal(a.values, b.values) and torch.equal(a.lengths, b.lengths) for a, b in pairs)


def marks_of(splits: Splits) -> dict[str, set[bytes]]:
    """The sequences of each part, as they can be told from one another."""
    return {part: {x.numpy().tobytes() for x in getattr(splits, part).values.split(4)} for part in PARTS}


# The split


@pytest.mark.parametrize("how", SPLITS, ids=lambda how: how["split"])
def test_parts_have_no_sequence_in_common_and_together_all(make, how):
    marks = marks_of(make(**how, quantize=65_536))
    everything = marks_of(make(split="seed", seed=5, quantize=65_536))
    assert sum(map(len, marks.values())) == len(set.union(*marks.values())) > 30
    assert set.union(*marks.values()) == set.union(*everything.values())


def test_folders_are_train_valid_and_test(make, root):
    splits = make(split="folders", num_frames=None)
    assert {part: len(getattr(splits, part)) for part in PARTS} == FOLDERS
    lengths = [(600 + 70 * number) // (2 if number % 5 == 4 else 1) // X_DIM for number in range(6)]
    assert sorted(splits.train.lengths.tolist()) == sorted(lengths)


def test_lists_are_followed_in_their_order(make, root):
    (root / "train.txt").write_text("train/02.wav\ntrain/01.wav\n")
    (root / "valid.txt").write_text("test/09.flac\n")
    (root / "other.txt").write_text("valid/07.wav\n")
    splits = make(split="lists", lists=LISTS, num_frames=None)
    lengths = [(600 + 70 * number) // (2 if number % 5 == 4 else 1) // X_DIM for number in (2, 1, 9, 7)]
    assert [*splits.train.lengths, *splits.valid.lengths, *splits.test.lengths] == lengths


def test_lists_of_other_systems_are_followed(make, root):
    expected = make(split="lists", lists=LISTS)
    for number, (name, encoding) in enumerate(zip(LISTS.values(), ("utf-8-sig", "utf-16", "latin-1"), strict=True)):
        text = (root / name).read_text().replace("\n", "\r\n").replace("/", "\\" if number == 1 else "/")
        (root / name).write_bytes(text.encode(encoding))
    assert same(make(split="lists", lists=LISTS), expected)


@pytest.mark.parametrize("entry", ["../secret.wav", "/etc/passwd", "train/../../secret.wav"])
def test_lists_lead_nowhere_else(make, root, entry):
    write_audio(root.parent / "secret.wav", clip(0, 3000, RATE), RATE)
    (root / "other.txt").write_text(f"{entry}\n")
    with pytest.raises(ValueError, match=rf"^lists must name .*; in other\.txt, {entry} leads out of .*root: expected"):
        make(split="lists", lists=LISTS)
    with pytest.raises(ValueError, match=rf"^lists must name .*; in lists\.test, {entry} leads out of"):
        make(split="lists", lists=LISTS | {"test": entry})


def test_seed_makes_the_split(make):
    assert same(make(seed=3), make(seed=3))
    sizes = {part: len(getattr(make(seed=3, num_frames=None), part)) for part in PARTS}
    assert sizes == {"train": 6, "valid": 2, "test": 3}
    assert marks_of(make(seed=3, quantize=256)) != marks_of(make(seed=4, quantize=256))


def test_a_changed_test_file_changes_test_only(make, root):
    before = make(split="folders")
    write_audio(root / "test" / "08.wav", 3 * clip(77, 3000, RATE), RATE)
    after = make(split="folders")
    assert same(before, after, ("train", "valid"))
    assert torch.equal(before.standardisation.std, after.standardisation.std)
    assert not same(before, after, ("test",))


# Large data


@pytest.mark.parametrize("num_frames", [None, 4])
@pytest.mark.parametrize("quantize", [None, 256])
def test_mapped_values_are_those_in_memory_bit_for_bit(make, tmp_path, num_frames, quantize):
    memory = make(num_frames=num_frames, quantize=quantize)
    assert not (tmp_path / "cache").exists()
    for _ in range(2):  # written, then found again
        mapped = make(num_frames=num_frames, quantize=quantize, max_memory_gb=0.0)
        assert same(memory, mapped)
        assert torch.equal(memory.standardisation.mean, mapped.standardisation.mean)
        assert torch.equal(memory.standardisation.std, mapped.standardisation.std)
        index = torch.tensor([2, 0, 3])
        assert torch.equal(memory.train.batch(index).x, mapped.train.batch(index).x)
        assert inspect(memory).digest == inspect(mapped).digest
        assert (mapped.cache / "fingerprint.json").is_file()
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_mapped_values_stay_where_they_are(make):
    mapped = make(max_memory_gb=0.0).train
    assert mapped.to("meta").values.data_ptr() == mapped.values.data_ptr()
    assert mapped.to("meta").batch(torch.arange(3)).x.device.type == "meta"


def test_files_that_changed_are_read_again_and_others_are_not(make, root, tmp_path):
    before = make(split="folders", max_memory_gb=0.0)
    path = root / "train" / "02.wav"
    times, content = path.stat(), bytearray(path.read_bytes())
    content[-400:] = bytes(400)
    path.write_bytes(content)
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))  # as if it had not been touched
    assert same(before, make(split="folders", max_memory_gb=0.0))
    os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns + 10**9))
    assert not same(before, make(split="folders", max_memory_gb=0.0))
    make(split="folders", max_memory_gb=0.0, seed=1)
    assert len(list((tmp_path / "cache").iterdir())) == 3


def test_nothing_is_written_to_the_folder(make, root, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    before = sorted(root.rglob("*"))
    make(max_memory_gb=0.0)
    assert sorted(root.rglob("*")) == before


# Mistakes


def test_a_missing_and_an_empty_folder_are_named(make, tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere is no folder: give root="):
        make(root=str(tmp_path / "nowhere"))
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no wav or flac file in .*empty or below"):
        make(root=str(tmp_path / "empty"))
    with pytest.raises(FileNotFoundError, match=r"no wav or flac file in .*train/train or below"):
        make(root=str(tmp_path / "root" / "train"), split="folders")


def test_wrong_lists_are_named(make, root):
    lists = partial(make, split="lists", lists=LISTS)
    with pytest.raises(FileNotFoundError, match=r"test\.txt, which lists\.test names, is not there"):
        lists(lists=LISTS | {"test": "test.txt"})
    with pytest.raises(ValueError, match=r"^lists must name one file each for train, valid and test, got train"):
        lists(lists={"train": "train.txt"})
    (root / "other.txt").write_text("train/../train/03.flac\n")
    with pytest.raises(
        ValueError, match=r"^lists must not name a file twice: train/\.\./train/03\.flac is in \w+\.txt and"
    ):
        lists()
    (root / "other.txt").write_text("test/99.wav\n")
    with pytest.raises(FileNotFoundError, match=r"test/99\.wav, which other\.txt names, is not there"):
        lists()
    (root / "other.txt").write_text("\n\n")
    with pytest.raises(ValueError, match=r"^lists leaves test empty: .*other\.txt names no file"):
        lists()


def test_a_damaged_file_is_named(make, root):
    (root / "train" / "02.wav").write_bytes(b"RIFF")
    with pytest.raises(ValueError, match=r"train/02\.wav is damaged or no audio file"):
        make()
