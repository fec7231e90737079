"""The corpora of speech: where they are looked for, how they are divided, what is said when they are not there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.data.recording_files import clip, write_archive, write_audio, write_digits, write_timit
from vrnn.data.blizzard import blizzard
from vrnn.data.fsdd import fsdd
from vrnn.data.ljspeech import ljspeech
from vrnn.data.splits import Splits
from vrnn.data.timit import timit

PARTS = ("train", "valid", "test")
X_DIM = 50


def sizes(splits: Splits) -> list[int]:
    return [len(getattr(splits, part)) for part in PARTS]


def same(one: Splits, other: Splits) -> bool:
    return all(torch.equal(getattr(one, part).values, getattr(other, part).values) for part in PARTS)


# Free Spoken Digit Dataset


def test_digits_are_divided_by_take(tmp_path):
    write_digits(tmp_path, range(50))
    splits = fsdd(X_DIM, root=str(tmp_path))
    assert sizes(splits) == [40, 5, 5]
    lengths = {take: (900 + 70 * take) // X_DIM for take in range(50)}
    assert sorted(splits.test.lengths.tolist()) == [lengths[take] for take in range(5)]
    assert sorted(splits.valid.lengths.tolist()) == [lengths[take] for take in range(5, 10)]
    assert sorted(splits.train.lengths.tolist()) == [lengths[take] for take in range(10, 50)]
    assert (splits.sample_rate, splits.levels) == (8000, 65_536)


@pytest.mark.parametrize("folder", ["recordings", "free-spoken-digit-dataset/recordings"])
def test_the_original_files_give_what_the_archive_gives(tmp_path, folder):
    write_digits(tmp_path / "archive", range(3, 13))
    for take in range(3, 13):
        name = f"7_anna_{take}.wav"
        write_audio(tmp_path / "files" / folder / name, clip(take, 900 + 70 * take, 8000), 8000)
    assert same(*(fsdd(X_DIM, root=str(tmp_path / where)) for where in ("archive", "files")))


def test_a_recording_of_another_name_is_named(tmp_path):
    write_audio(tmp_path / "recordings" / "seven.wav", clip(0, 900, 8000), 8000)
    with pytest.raises(ValueError, match=r"seven in .*seven\.wav is not called \{digit\}_\{speaker\}_\{take\}"):
        fsdd(root=str(tmp_path))


@pytest.fixture(scope="module")
def real() -> str:
    folder = os.environ.get("VRNN_DATA_DIR", "")
    if not Path(folder, "speech", "fsdd_8k_int16.npz").is_file():
        pytest.skip("needs the real recordings: set VRNN_DATA_DIR to the folder that holds speech/")
    return folder


def test_the_real_digits(real):
    splits = fsdd(root=real)
    assert sizes(splits) == [2400, 300, 300]
    seconds = sum(len(getattr(splits, part).values) for part in PARTS) * 200 / 8000
    assert 1312.3 - 3000 * 0.025 < seconds < 1312.3
    raw = splits.standardisation.inverse(splits.train.values[:100])
    with np.load(Path(real, "speech", "fsdd_8k_int16.npz")) as archive:
        (first,) = np.flatnonzero(archive["names"] == "0_george_10")
        samples = archive["samples"][archive["offsets"][first] :]
    frames = int(splits.train.lengths[0])
    np.testing.assert_allclose(raw[:frames].flatten(), samples[: frames * 200], atol=0.51)


def test_the_real_clips(real):
    splits = ljspeech(root=real)
    assert sizes(splits) == [478, 64, 53]
    assert splits.sample_rate == 22_050


# LJ Speech and Blizzard 2013


def test_ljspeech_from_its_own_folder_or_its_archive(tmp_path):
    clips = {f"LJ001-{n:04}": clip(n, 3000 + 100 * n, 22_050) for n in range(10)}
    write_archive(tmp_path / "archive" / "speech" / "ljspeech32_22k_int16.npz", clips, 22_050)
    for name, samples in clips.items():
        write_audio(tmp_path / "files" / "LJSpeech-1.1" / "wavs" / f"{name}.wav", samples, 22_050)
    roots = ("archive", "files", "files/LJSpeech-1.1")
    one, two, three = (ljspeech(X_DIM, num_frames=None, root=str(tmp_path / root)) for root in roots)
    assert same(one, two)
    assert same(two, three)
    assert sizes(one) == [8, 1, 1]


def test_blizzard_is_half_seconds_at_16_khz(tmp_path):
    for number in range(20):
        rate = 16_000 if number % 2 else 44_100
        write_audio(tmp_path / "blizzard2013" / f"book{number % 3}" / f"{number}.wav", clip(number, rate, rate), rate)
    write_audio(tmp_path / "elsewhere.wav", clip(0, 9000, 16_000), 16_000)
    splits = blizzard(root=str(tmp_path))
    assert sizes(splits) == [36, 2, 2]
    assert splits.train.lengths.unique().tolist() == [40]
    assert splits.sample_rate == 16_000


# TIMIT


def test_timit_validates_on_speakers_of_its_own(tmp_path):
    write_timit(tmp_path, num_speakers=5)
    splits = timit(X_DIM, root=str(tmp_path), valid_fraction=0.4)
    assert sizes(splits) == [9, 6, 15]
    lengths = [{int(length) for length in getattr(splits, part).lengths} for part in PARTS]
    of_speaker = {speaker: {(3300 + 10 * speaker + number) // X_DIM for number in range(3)} for speaker in range(5)}
    assert lengths[0] | lengths[1] == set.union(*of_speaker.values())
    other = timit(X_DIM, root=str(tmp_path), valid_fraction=0.4, seed=1)
    assert torch.equal(other.test.lengths, splits.test.lengths)
    assert sizes(timit(X_DIM, root=str(tmp_path), valid_fraction=0.4, sa_sentences=False)) == [6, 4, 10]


def test_timit_is_found_in_any_case_and_its_copies_are_not(tmp_path):
    write_timit(tmp_path / "upper" / "TIMIT")
    for path in list((tmp_path / "upper").rglob("*.WAV")):
        lower = tmp_path / "lower" / path.relative_to(tmp_path / "upper" / "TIMIT").as_posix().lower()
        lower.parent.mkdir(parents=True, exist_ok=True)
        lower.write_bytes(path.read_bytes())
        path.with_name(path.name + ".wav").write_bytes(path.read_bytes())  # as converted copies are often called
    upper, lower = (timit(X_DIM, root=str(tmp_path / where)) for where in ("upper", "lower"))
    assert same(upper, lower)
    assert sum(sizes(upper)) == 18


def test_timit_refuses_to_validate_on_everybody(tmp_path):
    write_timit(tmp_path, num_speakers=2)
    with pytest.raises(ValueError, match=r"^valid_fraction leaves none of the 2 speakers"):
        timit(X_DIM, root=str(tmp_path), valid_fraction=0.9)
    with pytest.raises(ValueError, match=r"^valid_fraction must be between 0 and 1, got 1"):
        timit(X_DIM, root=str(tmp_path), valid_fraction=1.0)


# Not there


@pytest.mark.parametrize(
    ("dataset", "expected"),
    [
        (fsdd, ("Free Spoken Digit Dataset", "speech/fsdd_8k_int16.npz", "recordings/", "github.com/Jakobovski")),
        (ljspeech, ("LJ Speech", "LJSpeech-1.1/wavs/", "speech/ljspeech32_22k_int16.npz", "keithito.com")),
        (blizzard, ("Blizzard 2013", "blizzard2013/")),
        (timit, ("TIMIT", "TRAIN/DR1/FCJF0/SA1.WAV", "TEST")),
    ],
)
def test_what_is_not_there_is_said_with_its_place(tmp_path, dataset, expected):
    for folder in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(FileNotFoundError) as caught:
            dataset(root=str(folder))
        for part in (str(folder), *expected, " root="):
            assert part in str(caught.value)
        assert "\n" not in str(caught.value)
