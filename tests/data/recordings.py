"""Recordings made here: voices of a kind, in archives and audio files."""

from __future__ import annotations

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
    """Writes clips as `vrnn.data.clips.archived_clips` reads them."""
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


def write_corpora(root: Path) -> None:
    """A few short recordings for each dataset of audio, where it looks for them."""
    write_digits(root, range(0, 24, 2))
    write_archive(
        root / "speech" / "ljspeech32_22k_int16.npz", {f"LJ{n}": clip(n, 9000, 22_050) for n in range(4)}, 22_050
    )
    write_timit(root / "TIMIT", num_samples=8100)
    for number in range(4):
        write_audio(root / "blizzard2013" / "book" / f"{number}.wav", clip(number, 9000, 16_000), 16_000)
