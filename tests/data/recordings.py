"""Recordings made here: voices of a kind, in archives and audio files."""

from __future__ import annotations

from pathlib import Path

import numpy as np

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
