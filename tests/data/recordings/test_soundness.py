"""Recordings that are no good: each is named with reason and place, in every split, or skipped and counted."""

from __future__ import annotations

import io
import re

import numpy as np
import pytest
import soundfile

from tests.data.bad_recordings import BAD, BYTES, RATE, SAMPLES, content, floats, sound
from tests.data.recording_files import sphere_bytes, wav_bytes, write_archive
from vrnn.data.recordings.clips import archived_clips, file_clip
from vrnn.data.recordings.soundness import BadRecording


@pytest.mark.parametrize(("write", "kind", "message"), BAD.values(), ids=[*BAD])
def test_what_is_no_good_is_named_with_its_reason_and_place(tmp_path, write, kind, message):
    write(tmp_path / "a.wav")
    with pytest.raises(BadRecording, match=rf"^{re.escape(str(tmp_path))}/a\.wav .*{message}") as caught:
        file_clip(tmp_path, "a.wav").decode()
    assert caught.value.kind == kind
    assert str(caught.value).isprintable()


def companded(subtype: str) -> bytes:
    """The recording in bytes of a logarithmic coding, one a sample."""
    file = io.BytesIO()
    soundfile.write(file, SAMPLES, RATE, format="RAW", subtype=subtype)
    return file.getvalue()


BROAD = np.random.default_rng(0).integers(-900, 900, (2000, 16)).astype(np.int16)
# Noise of three steps of 16 bits in two channels, on a tenth of full scale; 30 seconds, over which sums are rounded.
OFFSET = 0.1 + 1e-4 * np.random.default_rng(0).standard_normal((480_000, 2))
# What is written, the samples in steps of 16 bits, and the largest error.
GOOD = {
    "odd chunk": (content(wav_bytes(bytes([128, 0] * 1000 + [255]), bits=8) + b"\0LIST\4\0\0\0info"), None, 0),
    "more chunks": (content(wav_bytes(BYTES) + b"LIST\4\0\0\0info"), SAMPLES, 0),
    "float": (sound(floats(at_3=1.5)), None, 0),
    "long": (sound(SAMPLES, "PCM_16", "RF64"), SAMPLES, 0),
    "extensible": (content(wav_bytes(BYTES, extensible=True)), SAMPLES, 0),
    "adpcm": (sound(SAMPLES, "IMA_ADPCM"), None, 0),
    "one channel": (sound(np.stack([SAMPLES, 0 * SAMPLES], 1), "PCM_16"), SAMPLES / 2, 0),
    "many channels": (sound(BROAD, "PCM_16"), BROAD.mean(1), 0.01),
    "offset": (sound(OFFSET), OFFSET.mean(1) * 32_768, 0.01),
    "quiet": (sound(np.where(np.arange(2000) == 5, 1, 0).astype(np.int16), "PCM_16"), None, 0),
    "big end": (content(sphere_bytes(SAMPLES.astype(">i2").tobytes(), 2000, order="10")), SAMPLES, 0),
    "little end": (content(sphere_bytes(BYTES, 2000)), SAMPLES, 0),
    "no coding": (content(sphere_bytes(BYTES, 2000, None)), SAMPLES, 0),
    "8 bits": (
        content(sphere_bytes((SAMPLES // 256).astype("i1").tobytes(), 2000, order="1", width=1)),
        SAMPLES // 256 * 256,
        0,
    ),
    "ulaw": (content(sphere_bytes(companded("ULAW"), 2000, "ulaw", "1", 1)), SAMPLES, 300),
    "mu-law": (content(sphere_bytes(companded("ULAW"), 2000, "mu-law", "1", 1)), SAMPLES, 300),
    "alaw": (content(sphere_bytes(companded("ALAW"), 2000, "alaw", "1", 1)), SAMPLES, 300),
}


@pytest.mark.parametrize(("write", "expected", "error"), GOOD.values(), ids=[*GOOD])
def test_what_is_unusual_but_good_is_read(tmp_path, write, expected, error):
    write(tmp_path / "a.wav")
    samples = file_clip(tmp_path, "a.wav").decode()
    assert np.isfinite(samples).all()
    assert len(samples) >= 2000
    if expected is not None:
        np.testing.assert_allclose(samples, expected, atol=error)


def test_a_recording_that_no_memory_holds_is_named(tmp_path, monkeypatch):
    def read(*_, **__):
        raise MemoryError

    sound(SAMPLES, "PCM_16")(tmp_path / "a.wav")
    found = file_clip(tmp_path, "a.wav")
    monkeypatch.setattr(soundfile, "read", read)
    with pytest.raises(BadRecording, match=r"a\.wav is too large for memory: 2000 samples; cut it in parts"):
        found.decode()


def test_clips_of_an_archive_are_held_to_the_same(tmp_path):
    write_archive(tmp_path / "a.npz", {"good": SAMPLES, "still": 0 * SAMPLES, "none": SAMPLES[:0]}, RATE)
    good, still, none = archived_clips(tmp_path / "a.npz")
    assert np.array_equal(good.decode(), SAMPLES)
    with pytest.raises(BadRecording, match=r"^still in .*a\.npz is silent"):
        still.decode()
    with pytest.raises(BadRecording, match=r"^none in .*a\.npz holds no sample"):
        none.decode()
    write_archive(tmp_path / "a.npz", {"good": SAMPLES}, 3)
    with pytest.raises(BadRecording, match=r"a\.npz has 3 samples per second"):
        archived_clips(tmp_path / "a.npz")


@pytest.mark.parametrize("kind", ["wav", "flac", "sphere"])
def test_whatever_a_header_says_the_file_is_read_or_named(tmp_path, kind):
    path, rng = tmp_path / "a.wav", np.random.default_rng(0)
    if kind == "flac":
        soundfile.write(path, SAMPLES, RATE, format="FLAC")
    else:
        path.write_bytes(wav_bytes(BYTES, extensible=True) if kind == "wav" else sphere_bytes(BYTES, 2000))
    whole, outcomes = path.read_bytes(), set()
    for _ in range(150):
        changed = bytearray(whole)
        for place in rng.integers(0, 200 if kind == "sphere" else 100, rng.integers(1, 4)):
            changed[place] = rng.choice([0, 1, 127, 128, 255, *b"0 9-\n"])
        path.write_bytes(changed[: rng.choice([len(changed), rng.integers(len(changed))])])
        try:
            samples = file_clip(tmp_path, "a.wav").decode()
            assert np.isfinite(samples).all()
            assert len(samples)
            outcomes.add("read")
        except BadRecording as fault:
            outcomes.add(fault.kind if str(fault).isprintable() else "not to be shown")
    assert {"read", "damaged"} <= outcomes
    assert "not to be shown" not in outcomes
