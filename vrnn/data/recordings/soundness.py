"""What makes a recording unfit to be trained on: each such file is named, with the reason and the place in it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from vrnn.data.recordings.sphere_header import read_sphere_header
from vrnn.data.recordings.wav_header import read_wav_header
from vrnn.data.sources.files import shown

MIN_RATE, MAX_RATE = 1000, 768_000  # samples per second
MAX_PEAK = 8.0  # of full scale: some float files go beyond 1, integers that were stored as floats go far beyond
BLOCK = 65_536  # samples of which sums are taken at a time
CANCELLED = 0.01  # of the variance that the average of independent channels would have
MAX_SAMPLES_PER_BYTE = 8192  # FLAC stores silence in a few bytes per 65,535 samples

# What is done with a recording that is no good.
OnBad = Literal["error", "skip"]


class BadRecording(ValueError):
    """A recording that is no good; the message names the file and says why.

    Attributes:
      kind: what such recordings are counted as, in a few words.
    """

    def __init__(self, place: str, kind: str, reason: str):
        super().__init__(f"{place} {reason}")
        self.kind = kind


Refuse = Callable[[str, str], BadRecording]  # (kind, reason) -> the error, which names the place


def check_header(path: Path, refuse: Refuse) -> None:
    """Holds a file to its own header, as far as libsndfile does not.

    Raises:
      BadRecording: it is shorter than its header says, does not say how long it is, or is of a coding that cannot be
        read.
    """
    if (wav := read_wav_header(path)) is not None:
        check_rate(wav.rate, refuse)
        if wav.promised is None:
            raise refuse(
                "without a length",
                f"does not say in its header how long it is, and {wav.present} bytes follow (it was written as a "
                "stream, or the recorder was cut off); sox or ffmpeg can write it anew",
            )
        _require_bytes(wav.promised, wav.present, refuse)
        if not wav.has_whole_frames:
            raise refuse(
                "cut short",
                f"ends in the middle of a sample: {wav.promised} bytes are no multiple of {wav.frame_bytes}; sox or "
                "ffmpeg can write it anew",
            )
    elif (sphere := read_sphere_header(path)) is not None:
        if not sphere.is_readable:
            raise refuse("compressed", f"is a Sphere file of coding {sphere.coding!r}, not readable: {sphere.remedy}")
        if sphere.promised is not None:
            _require_bytes(sphere.promised, sphere.present, refuse)


def _require_bytes(promised: int, present: int, refuse: Refuse) -> None:
    if promised > present:
        raise refuse(
            "cut short",
            f"is cut short: its header promises {promised} bytes of samples, {present} are there; put a whole copy "
            "in its place",
        )


def check_rate(rate: int, refuse: Refuse) -> None:
    """Raises BadRecording unless a rate is one at which sound is recorded."""
    if not MIN_RATE <= rate <= MAX_RATE:
        raise refuse(
            "of an absurd rate",
            f"has {rate} samples per second by its header: expected from {MIN_RATE} to {MAX_RATE}; correct the header",
        )


def averaged(samples: NDArray[np.float32], rate: int, refuse: Refuse) -> NDArray[np.float32]:
    """The average of the channels of a recording [num_samples, channels] -> [num_samples], in units of full scale.

    Raises:
      BadRecording: a sample is NaN, infinite or far beyond full scale; all are the same; or channels cancel out.
    """
    high, low = float(samples.max()), float(samples.min())
    if not np.isfinite([high, low]).all():
        where = ~np.isfinite(samples)
        value = samples[where][0]
        raise refuse("not finite", f"holds {value} {_position(where, rate)}; correct it, or take it away")
    if max(high, -low) > MAX_PEAK:
        where = np.abs(samples) > MAX_PEAK
        raise refuse(
            "out of scale",
            f"holds {samples[where][0]:.6g} {_position(where, rate)}, where full scale is 1 (up to "
            f"{max(high, -low):.3g} in all): integers stored as floats must be divided by their full scale",
        )
    if high == low == 0:
        raise refuse("silent", "is silent: every sample is 0")
    if high == low:
        raise refuse("constant", f"is constant: every sample is {high:.6g} of full scale")
    if samples.shape[1] == 1:
        return samples[:, 0]
    average = samples.mean(1)
    if average.max() == average.min() or _cancel(samples, average):
        raise refuse(
            "of opposite channels",
            f"has {samples.shape[1]} channels that cancel out: their average is (nearly) silent or constant, they are "
            "not; turn one round, or keep one only",
        )
    return average


def _cancel(samples: NDArray[np.float32], average: NDArray[np.float32]) -> bool:
    """Whether channels [num_samples, channels] leave next to nothing in their average [num_samples]."""
    return _variance(average[:, None]) * samples.shape[1] ** 2 < CANCELLED * _variance(samples)


def _variance(samples: NDArray[np.float32]) -> float:
    """The variances of channels [num_samples, channels], summed.

    Means are taken away before the squares, in which a large offset would drown what is quiet. The sums of a block are
    products of float32, several times faster than numpy's along the first axis.
    """
    blocks = [samples[start : start + BLOCK] for start in range(0, len(samples), BLOCK)]
    ones = np.ones(BLOCK, np.float32)
    sums = [(ones[: len(block)] @ block).astype(np.float64) for block in blocks]
    means = functools.reduce(np.add, sums) / len(samples)  # [channels]
    centred = ((block - means.astype(np.float32)).ravel() for block in blocks)
    return sum(float(block @ block) for block in centred) / len(samples)


def _position(where: NDArray[np.bool_], rate: int) -> str:
    """In words, the place of the first True of [num_samples, channels]."""
    sample, channel = (int(number) for number in np.argwhere(where)[0])
    of = f" of channel {channel}" if where.shape[1] > 1 else ""
    return f"at sample {sample}{of} ({sample / rate:.3f} s)"


def refusing(path: Path, name: str | None = None) -> Refuse:
    """Makes errors that name a file, and what lies in it under a name of its own."""
    place = shown(path) if name is None else f"{name} in {shown(path)}"
    return lambda kind, reason: BadRecording(place, kind, reason)
