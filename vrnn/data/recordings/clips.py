"""Recordings: how one is decoded and brought to a sample rate."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vrnn.data.recordings.soundness import (
    MAX_SAMPLES_PER_BYTE,
    BadRecording,
    averaged,
    check_header,
    check_rate,
    refusing,
)
from vrnn.data.sources.files import printable, require_archive

Array = NDArray[np.float32]

FULL_SCALE = 32_768  # a sample of 1.0 in steps of 16 bits
UNKNOWN = 2**62  # libsndfile's length of a FLAC stream that was written without one is 2**63 - 1


class Clip(NamedTuple):
    """A recording, decoded whenever it is read.

    Attributes:
      name: what tells it from others of its dataset; for a file, its path below the dataset's folder, without suffix.
      path: the file that it lies in.
      rate: samples per second.
      num_samples: its length.
      decode: () -> the samples in steps of 16 bits [num_samples], one channel; raises BadRecording if they are no good.
      file: what the file is called below the dataset's folder.
      channels: that `decode` averages.
      group: what the clip shares with others, such as its speaker; empty: the clip is a group of its own.
      fault: why it cannot be decoded at all; its length is 0 then.
    """

    name: str
    path: Path
    rate: int
    num_samples: int
    decode: Callable[[], Array]
    file: str = ""
    channels: int = 1
    group: str = ""
    fault: BadRecording | None = None

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
        require_archive(path)
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

    def decode(name: str, start: int, end: int) -> Array:
        refuse = refusing(path, printable(name))
        if start == end:
            raise refuse("empty", "holds no sample")
        return averaged(samples[start:end, None].astype(np.float32) / FULL_SCALE, rate, refuse) * np.float32(FULL_SCALE)

    check_rate(rate, refusing(path))
    return [
        Clip(name, path, rate, end - start, partial(decode, name, start, end), path.name)
        for name, start, end in zip(names, offsets[:-1], offsets[1:], strict=True)
    ]


def file_clip(folder: Path, name: str) -> Clip:
    """The clip of the audio file `name` below `folder`, its channels averaged; only the header is read at once.

    A decoded file is held in memory whole, the largest one sets how much.

    Raises:
      BadRecording: the file is damaged, shorter than its header says, empty, or of a kind or rate that is not read; its
        `decode` raises it for what samples alone tell, see `averaged`.
    """
    import soundfile

    path = folder / name
    refuse = refusing(path)

    def damaged(reason: object) -> BadRecording:
        return refuse("damaged", f"is damaged or no audio file ({reason}); replace it or take it away")

    try:
        check_header(path, refuse)
        header = soundfile.info(os.fsencode(path))
    except OSError as error:
        raise damaged(error.strerror) from error
    except soundfile.SoundFileError as error:
        raise damaged(_reason(error)) from error
    if header.frames >= UNKNOWN:
        raise damaged("its header does not say how long it is; flac can write it anew")
    if header.frames == 0:
        raise refuse("empty", "holds no sample; take it away")
    if header.frames > MAX_SAMPLES_PER_BYTE * path.stat().st_size:
        raise damaged(f"its header promises {header.frames} samples, more than {path.stat().st_size} bytes can hold")
    check_rate(header.samplerate, refuse)

    def decode() -> Array:
        try:
            samples, _ = soundfile.read(os.fsencode(path), dtype="float32", always_2d=True)  # [num_samples, channels]
        except soundfile.SoundFileError as error:
            raise damaged(_reason(error)) from error
        except MemoryError as error:
            raise refuse("too large", f"is too large for memory: {header.frames} samples; cut it in parts") from error
        if len(samples) != header.frames:
            raise damaged(f"its header promises {header.frames} samples, it holds {len(samples)}")
        return averaged(samples, header.samplerate, refuse) * np.float32(FULL_SCALE)

    stem = printable(str(Path(name).with_suffix("")))
    return Clip(stem, path, header.samplerate, header.frames, decode, printable(name), header.channels)


def _reason(error: Exception) -> str:
    """What libsndfile says, without the path, which may be bytes."""
    return str(error).rpartition(": ")[2].strip().rstrip(".")


def file_clips(folder: Path, names: Sequence[str]) -> list[Clip]:
    """The clips of audio files below a folder; one that is no good has its `fault` instead of samples."""
    return [_clip_or_fault(folder, name) for name in names]


def _clip_or_fault(folder: Path, name: str) -> Clip:
    try:
        return file_clip(folder, name)
    except BadRecording as fault:

        def decode(fault: BadRecording = fault) -> Array:
            raise fault

        return Clip(
            printable(str(Path(name).with_suffix(""))), folder / name, 1, 0, decode, printable(name), fault=fault
        )
