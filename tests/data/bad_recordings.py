"""Recordings of every kind that is no good, made here."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import soundfile

from tests.data.recording_files import clip, sphere_bytes, wav_bytes

RATE = 16_000
SAMPLES = clip(0, 2000, RATE)
BYTES = SAMPLES.astype("<i2").tobytes()


def floats(**changes: float) -> np.ndarray:
    """A recording in float, with samples of other values where the changes say, `at_7=nan`."""
    samples = SAMPLES.astype(np.float64) / 32_768  # float32 has no 1e300
    for name, value in changes.items():
        samples[int(name.removeprefix("at_"))] = value
    return samples


def sound(samples: np.ndarray, subtype: str = "FLOAT", kind: str = "WAV") -> Callable[[Path], None]:
    return lambda path: soundfile.write(path, samples, RATE, format=kind, subtype=subtype)


def content(data: bytes) -> Callable[[Path], None]:
    return lambda path: path.write_bytes(data)


def cut_flac(path: Path) -> None:
    soundfile.write(path, clip(0, 50_000, RATE), RATE, format="FLAC")
    path.write_bytes(path.read_bytes()[:20_000])


def cut_long(path: Path) -> None:
    """RF64, whose sizes have 64 bits."""
    soundfile.write(path, SAMPLES, RATE, format="RF64", subtype="PCM_16")
    path.write_bytes(path.read_bytes()[:-1000])


def shortened_flac(path: Path) -> None:
    """Its header promises 2500 samples, its last frame is whole."""
    soundfile.write(path, SAMPLES, RATE, format="FLAC")
    whole = bytearray(path.read_bytes())
    whole[24:26] = (2500).to_bytes(2)
    path.write_bytes(whole)


def short_flac(path: Path) -> None:
    """Its header promises 2**33 samples."""
    soundfile.write(path, SAMPLES, RATE, format="FLAC")
    whole = bytearray(path.read_bytes())
    whole[21] = whole[21] & 0xF0 | 2
    path.write_bytes(whole)


STEREO = np.stack([SAMPLES, -SAMPLES], 1)
NOISY = STEREO + np.random.default_rng(0).integers(-200, 200, STEREO.shape).astype(np.int16)
SHORTEN = "pcm,embedded-shorten-v2.00"
# What is written, what it is counted as, and what is said of it.
BAD = {
    "nan": (sound(floats(at_7=np.nan)), "not finite", r"holds nan at sample 7 \(0\.000 s\)"),
    "inf": (sound(floats(at_1600=-np.inf)), "not finite", r"holds -inf at sample 1600 \(0\.100 s\)"),
    "float64": (sound(floats(at_3=1e300), "DOUBLE"), "not finite", r"holds inf at sample 3 "),
    "integers": (
        sound(SAMPLES.astype(np.float32) * 20_000),
        "out of scale",
        r"holds -?\d+ at sample 0 \(0\.000 s\), where full scale is 1 \(up to 1\.\d*e\+08 in all\): integers stored as",
    ),
    "loud": (sound(floats(at_9=8.5)), "out of scale", r"holds 8\.5 at sample 9 "),
    "channel": (
        sound(np.stack([floats(), floats(at_5=np.nan)], 1)),
        "not finite",
        r"holds nan at sample 5 of channel 1 \(",
    ),
    "half": (content(wav_bytes(BYTES[:2000], 4000)), "cut short", r"promises 4000 bytes of samples, 2000 are there"),
    "half24": (content(wav_bytes(BYTES[:600], 1200, bits=24)), "cut short", r"promises 1200 bytes of samples, 600"),
    "long": (cut_long, "cut short", r"promises 4000 bytes of samples, 3000 are there"),
    "extensible": (content(wav_bytes(BYTES[:600], 1200, extensible=True)), "cut short", r"promises 1200 bytes"),
    "stream": (content(wav_bytes(BYTES, 0)), "without a length", r"how long it is, and 4000 bytes follow"),
    "pipe": (content(wav_bytes(BYTES, 2**32 - 1)), "without a length", r"how long it is, and 4000 bytes follow"),
    "odd": (content(wav_bytes(BYTES[:-1])), "cut short", r"in the middle of a sample: 3999 bytes are no multiple of 2"),
    "odd6": (content(wav_bytes(BYTES, bits=24, channels=2)), "cut short", r"4000 bytes are no multiple of 6"),
    "opposite": (sound(STEREO, "PCM_16"), "of opposite channels", r"has 2 channels that cancel out"),
    "nearly": (sound(NOISY, "PCM_16"), "of opposite channels", r"has 2 channels that cancel out"),
    "1 Hz": (content(wav_bytes(BYTES, rate=1)), "of an absurd rate", r"has 1 samples per second by its header"),
    "0 Hz": (content(wav_bytes(BYTES, rate=0)), "of an absurd rate", r"has 0 samples per second by its header"),
    "1 MHz": (content(wav_bytes(BYTES, rate=10**6)), "of an absurd rate", r"has 1000000 samples per second"),
    "3 GHz": (content(wav_bytes(BYTES, rate=3 * 10**9)), "of an absurd rate", r"has 3000000000 samples per second"),
    "flac rate": (
        lambda path: soundfile.write(path, SAMPLES, 900, format="FLAC"),
        "of an absurd rate",
        r"has 900 samples per second",
    ),
    "silent": (sound(0 * SAMPLES, "PCM_16"), "silent", r"is silent: every sample is 0"),
    "constant": (sound(0 * SAMPLES + 512, "PCM_16"), "constant", r"every sample is 0\.015625 of full scale"),
    "empty": (content(wav_bytes(b"")), "empty", r"holds no sample"),
    "cut flac": (cut_flac, "damaged", r"is damaged or no audio file \("),
    "shortened": (shortened_flac, "damaged", r"is damaged or no audio file \("),
    "short flac": (short_flac, "damaged", r"promises 8589936592 samples, more than \d+ bytes can hold"),
    "cut sphere": (content(sphere_bytes(BYTES[:1500], 2000)), "cut short", r"promises 4000 bytes of samples, 1500 are"),
    "shorten": (
        content(sphere_bytes(b"ajkg\2" + BYTES, 2000, SHORTEN)),
        "compressed",
        rf"is a Sphere file of coding '{SHORTEN}', not readable: `sph2pipe -f wav IN OUT` \(LDC\) or `ffmpeg",
    ),
    "wavpack": (
        content(sphere_bytes(BYTES, 2000, "pcm,embedded-wavpack")),
        "compressed",
        r"of coding 'pcm,embedded-wavpack', not readable: `w_decode -o pcm IN OUT`",
    ),
    "ulaw shorten": (content(sphere_bytes(BYTES, 2000, "ulaw,embedded-shorten-v1.09")), "compressed", "sph2pipe"),
    "nothing": (content(b""), "damaged", r"is damaged or no audio file \("),
    "link": (lambda path: path.symlink_to("gone"), "damaged", r"is damaged or no audio file \(No such file"),
}
