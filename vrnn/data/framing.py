"""From recordings to sequences of frames: the part that all datasets of real audio share."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vrnn.data.clips import FULL_SCALE, Array, Clip
from vrnn.data.quantisation import STEPS, dequantise, quantise, waveform
from vrnn.data.splits import Sequences, Splits, Standardisation
from vrnn.data.storage import Storage

PARTS = ("train", "valid", "test")
FORMAT = 1  # to be raised when the same files come to give other values, so that stored ones are not found again


@dataclass(frozen=True)
class Framing:
    """How a clip becomes sequences of frames.

    What is left over at a clip's end is dropped, so that no sample is made up; a clip that is shorter than one
    sequence is dropped whole.

    Attributes:
      x_dim: samples per frame.
      sample_rate: samples per second, which clips are brought to.
      seed: makes the noise.
      num_frames: frames per sequence, cut end to end from a clip; None: each clip is one sequence of all its frames.
      quantize: levels of x; None: 16-bit steps with uniform noise of one step, drawn once.
      mu_law: whether companding (ITU-T G.711) comes before `quantize`.

    Raises:
      ValueError: a value is out of range, or mu_law without quantize.
    """

    x_dim: int
    sample_rate: int
    seed: int
    num_frames: int | None = None
    quantize: int | None = None
    mu_law: bool = False

    def __post_init__(self) -> None:
        for name, least in {"x_dim": 1, "sample_rate": 1, "seed": 0, "num_frames": 1, "quantize": 2}.items():
            value = getattr(self, name)
            if value is not None and value < least:
                raise ValueError(f"{name} must be at least {least}, got {value}")
        if self.quantize is not None and self.quantize > STEPS:
            raise ValueError(f"quantize must be at most {STEPS}, the levels of 16 bits, got {self.quantize}")
        if self.mu_law and self.quantize is None:
            raise ValueError("mu_law needs quantize, the number of levels after companding (256 in ITU-T G.711)")

    def lengths(self, clip: Clip) -> list[int]:
        """Frames of each sequence that the clip gives."""
        frames = clip.length_at(self.sample_rate) // self.x_dim
        if self.num_frames is None:
            return [frames] if frames else []
        return [self.num_frames] * (frames // self.num_frames)

    def raw(self, clip: Clip, rng: np.random.Generator) -> Array:
        """All frames of these sequences, in the units of raw x [sum of lengths, D]."""
        samples = clip.samples_at(self.sample_rate)[: sum(self.lengths(clip)) * self.x_dim]
        raw = dequantise(samples, rng) if self.quantize is None else quantise(samples, self.quantize, self.mu_law)
        return raw.reshape(-1, self.x_dim)

    def signal(self, raw: Tensor) -> Tensor:
        """Raw x [..., D] -> a waveform in [-1, 1] [..., D]."""
        return raw / FULL_SCALE if self.quantize is None else waveform(raw, self.quantize, self.mu_law)


def frame(
    parts: dict[str, list[Clip]], framing: Framing, storage: Storage | None = None, grouping: str = "file"
) -> Splits:
    """The sequences of train, valid and test, standardised by one scalar mean and standard deviation of train.

    Quantised x is not fitted to train but brought to [-1, 1], so that its levels are the same for all data.

    Args:
      parts: clips of "train", "valid" and "test".
      framing: how they are cut.
      storage: where x lies if it is large; None: in memory.
      grouping: what the clips' groups are, see `Splits`; the sequences of a clip always share one.

    Raises:
      ValueError: a part that no sequence can be cut from, or a cache that cannot be written.
    """
    lengths = {part: [length for clip in parts[part] for length in framing.lengths(clip)] for part in PARTS}
    for part in PARTS:
        if not lengths[part]:
            samples = framing.x_dim * (framing.num_frames or 1)
            raise ValueError(
                f"x_dim leaves {part} without a sequence: none of its {len(parts[part])} clips has {samples} samples "
                f"at {framing.sample_rate} Hz, which one needs"
            )
    sizes = [sum(lengths[part]) for part in PARTS]
    shape = (sum(sizes), framing.x_dim)
    mapped = storage is not None and storage.maps(shape)
    cache = None
    if mapped:
        values, standardisation = storage.stored(shape, describe(parts, framing), lambda x: fill(x, parts, framing))
        cache = Path(values.filename).parent
    else:
        values = np.empty(shape, np.float32)
        standardisation = fill(values, parts, framing)
    groups = {part: [clip.group or clip.name for clip in parts[part] for _ in framing.lengths(clip)] for part in PARTS}
    sequences = [
        Sequences(x, torch.tensor(lengths[part]), batch_device="cpu" if mapped else None, groups=groups[part])
        for part, x in zip(PARTS, torch.from_numpy(values).split(sizes), strict=True)
    ]
    return Splits(
        *sequences,
        standardisation,
        sample_rate=framing.sample_rate,
        levels=framing.quantize or STEPS,
        signal=framing.signal,
        grouping=grouping,
        cache=cache,
    )


def fill(values: Array, parts: dict[str, list[Clip]], framing: Framing) -> Standardisation:
    """Writes x into values [frames of all parts, D], clip by clip, and returns how it was standardised."""
    row, total, squares = 0, 0.0, 0.0
    for number, part in enumerate(PARTS):
        rng = np.random.default_rng([framing.seed, number])  # its own, so that no part depends on another
        for clip in parts[part]:
            frames = framing.raw(clip, rng)
            values[row : row + len(frames)] = frames
            row += len(frames)
            if part == "train":
                total += float(frames.sum(dtype=np.float64))
                squares += float(np.square(frames, dtype=np.float64).sum())
        if part == "train":
            count = row * framing.x_dim
            mean, std = total / count, math.sqrt(squares / count - (total / count) ** 2)
    if framing.quantize is not None:
        mean = std = (framing.quantize - 1) / 2
    ones = torch.ones(framing.x_dim)
    standardisation = Standardisation(mean * ones, std * ones)
    for rows in blocks(len(values)):
        values[rows] = standardisation.forward(torch.from_numpy(values[rows]))
    return standardisation


def describe(parts: dict[str, list[Clip]], framing: Framing) -> str:
    """Everything that the values follow from; files by name, size and time of change."""
    files = {
        part: [(clip.name, clip.rate, clip.num_samples, *stamp(clip.path)) for clip in parts[part]] for part in PARTS
    }
    return repr((FORMAT, framing, files))


def stamp(path: Path) -> tuple[int, int]:
    """Size and time of the last change of a file."""
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def blocks(num: int, size: int = 8192) -> Iterator[slice]:
    """The numbers 0 to num - 1 as slices."""
    return (slice(start, min(start + size, num)) for start in range(0, num, size))
