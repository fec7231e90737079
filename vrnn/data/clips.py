"""Recordings: where they lie, and how one is decoded and brought to a sample rate."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

FULL_SCALE = 32_768  # a sample of 1.0 in steps of 16 bits


class Clip(NamedTuple):
    """A recording, decoded whenever it is read.

    Attributes:
      name: what tells it from others of its dataset; for a file, its path below the dataset's folder.
      path: the file that it lies in.
      rate: samples per second.
      num_samples: its length.
      decode: () -> the samples in steps of 16 bits [num_samples], one channel.
    """

    name: str
    path: Path
    rate: int
    num_samples: int
    decode: Callable[[], Array]

    def length_at(self, sample_rate: int) -> int:
        """Its number of samples at another rate."""
        up, down = _ratio(self.rate, sample_rate)
        return -(-self.num_samples * up // down)

    def samples_at(self, sample_rate: int) -> Array:
        """The samples at another rate [length_at(sample_rate)], by a polyphase filter where the rates differ."""
        samples = self.decode()
        if self.rate == sample_rate:
            return samples
        from scipy.signal import resample_poly

        return resample_poly(samples, *_ratio(self.rate, sample_rate)).astype(np.float32, copy=False)


def _ratio(rate: int, sample_rate: int) -> tuple[int, int]:
    """The smallest integers (up, down) with rate * up / down = sample_rate."""
    common = math.gcd(rate, sample_rate)
    return sample_rate // common, rate // common


def archived_clips(path: Path) -> list[Clip]:
    """The clips of an archive, in its order.

    It is an npz without pickled objects: `samples` int16, all clips end to end; `offsets` int64 [N + 1], where each
    clip begins and the last one ends; `names` [N]; `rate`.

    Raises:
      ValueError: the file is damaged or something else.
    """
    try:
        with np.load(path, allow_pickle=False) as archive:
            samples, offsets = archive["samples"], archive["offsets"].tolist()
            names, rate = archive["names"].tolist(), int(archive["rate"])
    except Exception as error:  # a damaged archive fails in zipfile, zlib or numpy, each in its own way
        raise ValueError(f"{path.absolute()} is damaged ({error}); put an intact copy in its place") from error
    if samples.dtype != np.int16 or offsets != sorted(offsets) or offsets[0] != 0 or offsets[-1] != len(samples):
        raise ValueError(
            f"{path.absolute()} must hold int16 samples and offsets that rise from 0 to their number, got "
            f"{len(samples)} samples of {samples.dtype} and offsets from {offsets[0]} to {offsets[-1]}"
        )
    return [
        Clip(name, path, rate, end - start, lambda start=start, end=end: samples[start:end].astype(np.float32))
        for name, start, end in zip(names, offsets[:-1], offsets[1:], strict=True)
    ]


def file_clips(folder: Path, paths: Iterable[Path]) -> list[Clip]:
    """Clips of the audio files `paths` below `folder`, in that order; several channels are averaged.

    Raises:
      ValueError: a file is damaged, or of a kind that libsndfile does not read.
    """
    return [_file_clip(path, str(path.relative_to(folder))) for path in paths]


def _file_clip(path: Path, name: str) -> Clip:
    """A clip of one audio file; only its header is read here."""
    import soundfile

    def refuse(reason: object) -> ValueError:
        return ValueError(f"{path.absolute()} is damaged or no audio file ({reason}); replace it or take it away")

    try:
        header = soundfile.info(path)
    except soundfile.SoundFileError as error:
        raise refuse(error) from error

    def decode() -> Array:
        try:
            samples, _ = soundfile.read(path, dtype="float32", always_2d=True)  # [num_samples, channels]
        except soundfile.SoundFileError as error:
            raise refuse(error) from error
        if len(samples) != header.frames:
            raise refuse(f"its header promises {header.frames} samples, it holds {len(samples)}")
        return samples.mean(1) * np.float32(FULL_SCALE)

    return Clip(name, path, header.samplerate, header.frames, decode)
