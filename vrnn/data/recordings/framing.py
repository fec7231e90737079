"""From recordings to sequences of frames: the part that all datasets of real audio share."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from vrnn.data.recordings.clips import FULL_SCALE, Array, Clip
from vrnn.data.recordings.quantisation import STEPS, dequantise, quantise, waveform
from vrnn.data.recordings.soundness import BadRecording, OnBad
from vrnn.data.recordings.storage import Filled, Storage
from vrnn.data.recordings.tally import count, told
from vrnn.data.splits import Sequences, Splits
from vrnn.data.standardisation import Standardisation

PARTS = ("train", "valid", "test")
FORMAT = 2  # to be raised when the same files come to give other values, so that stored ones are not found again


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

    def raw(self, samples: Array, rng: np.random.Generator) -> Array:
        """Samples of whole sequences in steps of 16 bits -> their frames, in the units of raw x [sum of lengths, D]."""
        raw = dequantise(samples, rng) if self.quantize is None else quantise(samples, self.quantize, self.mu_law)
        return raw.reshape(-1, self.x_dim)

    def signal(self, raw: Tensor) -> Tensor:
        """Raw x [..., D] -> a waveform in [-1, 1] [..., D]."""
        return raw / FULL_SCALE if self.quantize is None else waveform(raw, self.quantize, self.mu_law)


def frame(
    parts: dict[str, list[Clip]],
    framing: Framing,
    storage: Storage | None = None,
    grouping: str = "file",
    on_bad: OnBad = "error",
    hidden: int = 0,
) -> Splits:
    """The sequences of train, valid and test, standardised by one scalar mean and standard deviation of train.

    Quantised x is not fitted to train but brought to [-1, 1], so that its levels are the same for all data.

    Args:
      parts: clips of "train", "valid" and "test".
      framing: how they are cut.
      storage: where x lies if it is large; None: in memory.
      grouping: what the clips' groups are, see `Splits`; the sequences of a clip always share one.
      on_bad: whether a clip that is no good (see `vrnn.data.recordings.soundness`) is an error, or skipped and counted.
      hidden: files that were passed over for their names, for the tally.

    Raises:
      ValueError: a clip that is no good, a part that no sequence can be cut from, or a cache that cannot be written or
        is damaged.
    """
    faults = [clip.fault for part in PARTS for clip in parts[part] if clip.fault is not None]
    if faults and on_bad == "error":
        raise explained(faults[0])
    lengths = {part: [framing.lengths(clip) for clip in parts[part]] for part in PARTS}
    for part in PARTS:
        require_sequences(part, parts[part], sum(map(len, lengths[part])), framing)
    shape = (sum(sum(each) for part in PARTS for each in lengths[part]), framing.x_dim)
    cache = None
    if storage is not None and storage.maps(shape):
        description = describe(parts, framing, on_bad)
        stored = storage.stored(shape, description, lambda values: fill(values, parts, framing, on_bad))
        values, filled, cache = stored.values, stored.filled, stored.folder
    else:
        values = np.empty(shape, np.float32)
        filled = fill(values, parts, framing, on_bad)
    used: dict[str, list[tuple[Clip, list[int]]]] = {}  # clips with the lengths of their sequences
    for part in PARTS:
        clips = zip(parts[part], lengths[part], filled.used[part], strict=True)
        used[part] = [(clip, each) for clip, each, is_used in clips if is_used]
    steps = {part: [length for _, each in used[part] for length in each] for part in PARTS}
    sizes = [sum(steps[part]) for part in PARTS]
    groups = {part: [clip.group or clip.name for clip, each in used[part] for _ in each] for part in PARTS}
    train, valid, test = (
        Sequences(x, torch.tensor(steps[part]), batch_device=None if cache is None else "cpu", groups=groups[part])
        for part, x in zip(PARTS, torch.from_numpy(values[: sum(sizes)]).split(sizes), strict=True)
    )
    files = {clip.file: clip.path for part in PARTS for clip, _ in used[part]}
    return Splits(
        train,
        valid,
        test,
        filled.standardisation,
        sample_rate=framing.sample_rate,
        levels=framing.quantize or STEPS,
        signal=framing.signal,
        grouping=grouping,
        files=[(name, path.stat().st_size) for name, path in files.items()],
        tally=told(filled.tally, hidden),
        skipped=filled.skipped,
        cache=cache,
    )


def require_sequences(part: str, clips: list[Clip], sequences: int, framing: Framing) -> None:
    """Raises ValueError if a part has no sequence, with the reason."""
    if sequences:
        return
    samples = framing.x_dim * (framing.num_frames or 1)
    bad = sum(clip.fault is not None for clip in clips)
    raise ValueError(
        f"x_dim leaves {part} without a sequence: none of its {len(clips)} clips has {samples} samples "
        f"at {framing.sample_rate} Hz, which one needs" + (f" ({bad} are no good, and were skipped)" if bad else "")
    )


def fill(values: Array, parts: dict[str, list[Clip]], framing: Framing, on_bad: OnBad = "error") -> Filled:
    """Writes x into values [frames of all parts, D], clip by clip, and returns how it was standardised.

    Each clip is decoded once. One that is no good leaves no row: the rows of those behind it move up, and rows at the
    end of `values` are left over.
    """
    row, total, squares = 0, 0.0, 0.0
    used: dict[str, list[bool]] = {part: [] for part in PARTS}
    tally: Counter[str] = Counter()
    skipped: list[str] = []
    for number, part in enumerate(PARTS):
        rng = np.random.default_rng([framing.seed, number])  # its own, so that no part depends on another
        for clip in parts[part]:
            lengths = framing.lengths(clip)
            samples = None
            tally["files found"] += 1
            try:
                samples = clip.samples_at(framing.sample_rate)
            except BadRecording as fault:
                if on_bad == "error":
                    raise explained(fault) from fault
                tally[f"files bad ({fault.kind})"] += 1
                skipped.append(str(fault))
            used[part].append(samples is not None and bool(lengths))
            if samples is None:
                continue
            count(tally, clip, samples, sum(lengths) * framing.x_dim, framing.sample_rate)
            frames = framing.raw(samples[: sum(lengths) * framing.x_dim], rng)
            values[row : row + len(frames)] = frames
            row += len(frames)
            if part == "train":
                total += float(frames.sum(dtype=np.float64))
                squares += float(np.square(frames, dtype=np.float64).sum())
        if not any(used[part]):
            raise ValueError(f"on_bad=skip leaves {part} without a sequence: {told(tally, 0)}")
        if part == "train":
            size = row * framing.x_dim
            mean, std = total / size, math.sqrt(squares / size - (total / size) ** 2)
    if framing.quantize is not None:
        mean = std = (framing.quantize - 1) / 2
    ones = torch.ones(framing.x_dim)
    standardisation = Standardisation(mean * ones, std * ones)
    for rows in blocks(row):
        values[rows] = standardisation.forward(torch.from_numpy(values[rows]))
    return Filled(standardisation, used, dict(tally), skipped)


def explained(fault: BadRecording) -> ValueError:
    """What is said of a recording that is no good, with what else can be done."""
    return ValueError(f"{fault} (on_bad=skip leaves out what is no good, and counts it)")


def describe(parts: dict[str, list[Clip]], framing: Framing, on_bad: OnBad) -> str:
    """Everything that the values follow from; files by place, size and time of change."""
    files = {
        part: [
            (clip.name, str(clip.path.absolute()), clip.rate, clip.num_samples, clip.channels, *stamp(clip.path))
            for clip in parts[part]
        ]
        for part in PARTS
    }
    return repr((FORMAT, framing, on_bad, files))


def stamp(path: Path) -> tuple[int, int]:
    """Size and time of the last change of a file; of a link that leads nowhere, 0."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return 0, 0
    return found.st_size, found.st_mtime_ns


def blocks(num: int, size: int = 8192) -> Iterator[slice]:
    """The numbers 0 to num - 1 as slices."""
    return (slice(start, min(start + size, num)) for start in range(0, num, size))
