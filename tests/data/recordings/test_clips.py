"""Recordings: found, decoded, resampled, drawn by seed; and what is said of those that are damaged."""

from __future__ import annotations

import re

import numpy as np
import pytest
import soundfile

from tests.data.recording_files import clip, write_archive, write_audio
from vrnn.data.recordings.clips import archived_clips, file_clip
from vrnn.data.recordings.corpora import SUFFIXES, by_seed
from vrnn.data.recordings.folders import files_below

RATE = 16_000


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "NIST"])
def test_a_file_of_16_bits_is_read_as_it_was_written(tmp_path, kind):
    written = clip(0, 1234, RATE)
    written[:2] = -32_768, 32_767
    write_audio(tmp_path / "a" / "b.wav", written, RATE, kind)
    (found,) = (file_clip(tmp_path, name) for name in files_below(tmp_path, SUFFIXES).names)
    assert (found.name, found.rate, found.num_samples) == ("a/b", RATE, 1234)
    assert found.samples_at(RATE).dtype == np.float32
    assert np.array_equal(found.samples_at(RATE), written)


def test_channels_are_averaged(tmp_path):
    left, right = clip(0, 500, RATE), clip(1, 500, RATE)
    write_audio(tmp_path / "a.flac", np.stack([left, right], 1), RATE, "FLAC")
    samples = file_clip(tmp_path, "a.flac").decode()
    np.testing.assert_allclose(samples, (left.astype(float) + right) / 2, atol=1e-3)


def test_an_archive_holds_its_clips(tmp_path):
    clips = {name: clip(number, 300 + number, 8000) for number, name in enumerate("cab")}
    write_archive(tmp_path / "clips.npz", clips, 8000)
    found = archived_clips(tmp_path / "clips.npz")
    assert [one.name for one in found] == ["c", "a", "b"]
    for one in found:
        assert (one.rate, one.num_samples) == (8000, len(clips[one.name]))
        assert np.array_equal(one.decode(), clips[one.name])


@pytest.mark.parametrize(("rate", "other"), [(22_050, 16_000), (8000, 16_000), (48_000, 16_000), (16_000, 11_025)])
def test_resampling_keeps_a_tone_and_its_length(tmp_path, rate, other):
    tone = np.rint(9000 * np.sin(2 * np.pi * 440 * np.arange(rate + 7) / rate)).astype(np.int16)
    write_audio(tmp_path / "a.wav", tone, rate)
    found = file_clip(tmp_path, "a.wav")
    samples = found.samples_at(other)
    assert len(samples) == found.length_at(other) == -(-(rate + 7) * other // rate)
    assert samples.dtype == np.float32
    expected = 9000 * np.sin(2 * np.pi * 440 * np.arange(other) / other)
    inner = slice(other // 10, -other // 10)  # the filter sees zeros beyond the ends
    np.testing.assert_allclose(samples[:other][inner], expected[inner], atol=9000 * 0.005)


def test_resampling_lets_nothing_fold_down(tmp_path):
    tone = np.rint(9000 * np.sin(2 * np.pi * 7000 * np.arange(RATE) / RATE)).astype(np.int16)
    write_audio(tmp_path / "a.wav", tone, RATE)
    assert np.abs(file_clip(tmp_path, "a.wav").samples_at(8000)[400:-400]).max() < 9000 * 0.01


def test_files_are_found_at_any_depth_whatever_the_case_of_their_suffix(tmp_path):
    for name in ("b.wav", "a/c.WAV", "a/d/e.FLAC"):
        write_audio(tmp_path / name, clip(0, 10, RATE), RATE, name.upper().split(".")[1])
    (tmp_path / "notes.txt").write_text("no audio")
    (tmp_path / "folder.wav").mkdir()
    assert files_below(tmp_path, SUFFIXES).names == ["a/c.WAV", "a/d/e.FLAC", "b.wav"]


# Damage


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "NIST"])
def test_a_damaged_header_is_named(tmp_path, kind):
    write_audio(tmp_path / "a.wav", clip(0, 5000, RATE), RATE, kind)
    whole = (tmp_path / "a.wav").read_bytes()
    for content in (b"", b"no audio at all", whole[:10]):
        (tmp_path / "a.wav").write_bytes(content)
        with pytest.raises(ValueError, match=rf"{re.escape(str(tmp_path))}/a.wav is damaged or no audio file \("):
            file_clip(tmp_path, "a.wav")


def test_a_file_cut_short_is_named(tmp_path):
    write_audio(tmp_path / "a.flac", clip(0, 50_000, RATE), RATE, "FLAC")
    whole = (tmp_path / "a.flac").read_bytes()
    (tmp_path / "a.flac").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"a\.flac is damaged or no audio file"):
        file_clip(tmp_path, "a.flac").decode()


def test_a_stream_without_a_length_is_named(tmp_path):
    write_audio(tmp_path / "a.flac", clip(0, 5000, RATE), RATE, "FLAC")
    content = bytearray((tmp_path / "a.flac").read_bytes())
    content[21] &= 0xF0
    content[22:26] = bytes(4)  # the 36 bits of the number of samples in STREAMINFO
    (tmp_path / "a.flac").write_bytes(content)
    with pytest.raises(ValueError, match=r"a\.flac is damaged or no audio file \(its header does not say how long"):
        file_clip(tmp_path, "a.flac")


def test_a_file_of_another_kind_is_named(tmp_path):
    soundfile.write(tmp_path / "a.raw", np.zeros(100), RATE, format="RAW", subtype="PCM_16")
    (tmp_path / "a.raw").rename(tmp_path / "a.wav")
    with pytest.raises(ValueError, match=r"a\.wav is damaged or no audio file"):
        file_clip(tmp_path, "a.wav")


@pytest.mark.parametrize("damage", ["cut", "key", "kind", "offsets"])
def test_a_damaged_archive_is_named(tmp_path, damage):
    path = tmp_path / "clips.npz"
    write_archive(path, {"a": clip(0, 300, RATE), "b": clip(1, 200, RATE)}, RATE)
    content = dict(np.load(path))
    if damage == "cut":
        path.write_bytes(path.read_bytes()[:400])
    else:
        content.pop("rate") if damage == "key" else None
        content["samples"] = content["samples"].astype(np.float32 if damage == "kind" else np.int16)
        content["offsets"] = content["offsets"] + (damage == "offsets")
        np.savez(path, **content)
    with pytest.raises(ValueError, match=r"clips\.npz (is damaged|must hold int16 samples)"):
        archived_clips(path)


# By seed


@pytest.fixture
def clips(tmp_path):
    write_archive(tmp_path / "clips.npz", {f"{n:02}": clip(n, 50, RATE) for n in range(40)}, RATE)
    return archived_clips(tmp_path / "clips.npz")


def test_a_seed_puts_every_clip_in_one_part(clips):
    parts = by_seed(clips, 0.1, 0.2, seed=0)
    assert {part: len(chosen) for part, chosen in parts.items()} == {"train": 28, "valid": 4, "test": 8}
    assert sorted(one.name for chosen in parts.values() for one in chosen) == [one.name for one in clips]
    assert parts == by_seed(clips, 0.1, 0.2, seed=0)
    assert parts != by_seed(clips, 0.1, 0.2, seed=1)


def test_small_fractions_are_one_clip_and_large_ones_refused(clips):
    assert {part: len(chosen) for part, chosen in by_seed(clips[:3], 0.01, 0.01, 0).items()} == dict.fromkeys(
        ("train", "valid", "test"), 1
    )
    for wrong in ((0.0, 0.1), (0.1, 1.0), (-0.1, 0.1)):
        with pytest.raises(ValueError, match=r"^(valid|test)_fraction must be between 0 and 1, got"):
            by_seed(clips, *wrong, seed=0)
    with pytest.raises(ValueError, match="leave nothing to train on: 1 and 1 of 2 clips"):
        by_seed(clips[:2], 0.1, 0.1, seed=0)
