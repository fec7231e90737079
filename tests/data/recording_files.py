"""Recordings made here: voices of a kind, in archives and audio files."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import soundfile

Clip = np.ndarray  # int16 [samples] or [samples, channels]


def clip(seed: int, num_samples: int, rate: int) -> Clip:
    """A swelling tone in noise, with a pitch of its own."""
    rng = np.random.default_rng(seed)
    time = np.arange(num_samples) / rate
    tone = np.sin(2 * np.pi * rng.uniform(100, 300) * time) * np.hanning(num_samples)
    return np.rint(8000 * tone + 20 * rng.standard_normal(num_samples)).astype(np.int16)


def write_archive(path: Path, clips: dict[str, Clip], rate: int) -> None:
    """Writes clips as `vrnn.data.recordings.clips.archived_clips` reads them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    offsets = np.cumsum([0, *map(len, clips.values())])
    np.savez(path, samples=np.concatenate([*clips.values()]), offsets=offsets, names=[*clips], rate=rate)


def write_audio(path: Path, clip: Clip, rate: int, kind: str = "WAV") -> None:
    """Writes a clip as 16-bit WAV, FLAC or NIST (SPHERE)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, clip, rate, format=kind, subtype="PCM_16")


def write_digits(root: Path, takes: range) -> None:
    """The archive of the Free Spoken Digit Dataset: seven, by one speaker."""
    digits = {f"7_anna_{take}": clip(take, 900 + 70 * take, 8000) for take in takes}
    write_archive(root / "speech" / "fsdd_8k_int16.npz", digits, 8000)


def write_timit(root: Path, num_speakers: int = 3, num_samples: int = 3300) -> None:
    """The folders of TIMIT: speakers of TRAIN and of TEST, who utter a sentence of each kind."""
    for part in ("TRAIN", "TEST"):
        for speaker in range(num_speakers):
            for number, sentence in enumerate(("SA1", "SI20", "SX3")):
                path = root / part / f"DR{1 + speaker}" / f"F{part[:3]}{speaker}" / f"{sentence}.WAV"
                seed = 10 * speaker + number + (100 if part == "TEST" else 0)
                write_audio(path, clip(seed, num_samples + seed, 16_000), 16_000, "NIST")


def wav_bytes(samples: bytes, promised: int | None = None, rate: int = 16_000, channels: int = 1, **changes) -> bytes:
    """A WAV file of 16 bits, by default, whose header may promise something else than it holds.

    Args:
      samples: the content.
      promised: bytes that the header promises; None: those that are there.
      rate: samples per second.
      channels: their number.
      changes: `bits` of a sample, `coding` (1: integers, 3: floats), `extensible`.
    """
    bits, coding = changes.get("bits", 16), changes.get("coding", 1)
    promised = len(samples) if promised is None else promised
    frame = channels * bits // 8
    form = struct.pack("<HHIIHH", coding, channels, rate, min(rate * frame, 2**32 - 1), frame, bits)
    if changes.get("extensible"):
        guid = bytes.fromhex("000000001000800000aa00389b71")
        form = struct.pack("<H", 0xFFFE) + form[2:] + struct.pack("<HHIH", 22, bits, 4, coding) + guid
    body = b"WAVEfmt " + struct.pack("<I", len(form)) + form + b"LIST\5\0\0\0notes\0"
    body += b"data" + struct.pack("<I", promised)
    return b"RIFF" + struct.pack("<I", min(len(body) + promised, 2**32 - 1)) + body + samples


def sphere_bytes(samples: bytes, promised: int, coding: str | None = "pcm", order: str = "01", width: int = 2) -> bytes:
    """A Sphere file of one channel whose header promises a number of samples; `order` as in sample_byte_format."""
    lines = ["NIST_1A", "   1024", f"sample_count -i {promised}", "sample_rate -i 16000", "channel_count -i 1"]
    lines += [f"sample_n_bytes -i {width}", f"sample_byte_format -s{len(order)} {order}"]
    lines += [] if coding is None else [f"sample_coding -s{len(coding)} {coding}"]
    return "\n".join([*lines, "end_head", ""]).encode().ljust(1024) + samples
