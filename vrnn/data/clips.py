"""Recordings: where they lie, and how one is decoded and brought to a sample rate."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vrnn.data.files import data_folder

Array = NDArray[np.float32]

LEAST_FOLDERS = 3  # fewer would be too few groups for any test of differences
FULL_SCALE = 32_768  # a sample of 1.0 in steps of 16 bits
SUFFIXES = {".wav", ".flac"}
UNKNOWN = 2**62  # libsndfile's length of a FLAC stream that was written without one is 2**63 - 1


class Clip(NamedTuple):
    """A recording, decoded whenever it is read.

    Attributes:
      name: what tells it from others of its dataset; for a file, its path below the dataset's folder, without suffix.
      path: the file that it lies in.
      rate: samples per second.
      num_samples: its length.
      decode: () -> the samples in steps of 16 bits [num_samples], one channel.
      group: what the clip shares with others, such as its speaker; empty: the clip is a group of its own.
    """

    name: str
    path: Path
    rate: int
    num_samples: int
    decode: Callable[[], Array]
    group: str = ""

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
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
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


def audio_files(folder: Path) -> list[str]:
    """The wav and flac files anywhere below a folder, as sorted paths below it."""
    paths = (path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in paths)


def file_clip(folder: Path, name: str) -> Clip:
    """The clip of the audio file `name` below `folder`, its channels averaged; only the header is read at once.

    A decoded file is held in memory whole, the largest one sets how much.

    Raises:
      ValueError: the file is damaged, or of a kind that libsndfile does not read.
    """
    import soundfile

    path = folder / name

    def refuse(reason: object) -> ValueError:
        return ValueError(f"{path.absolute()} is damaged or no audio file ({reason}); replace it or take it away")

    try:
        header = soundfile.info(path)
    except soundfile.SoundFileError as error:
        raise refuse(error) from error
    if header.frames >= UNKNOWN:
        raise refuse("its header does not say how long it is; flac can write it anew")

    def decode() -> Array:
        try:
            samples, _ = soundfile.read(path, dtype="float32", always_2d=True)  # [num_samples, channels]
        except soundfile.SoundFileError as error:
            raise refuse(error) from error
        if len(samples) != header.frames:
            raise refuse(f"its header promises {header.frames} samples, it holds {len(samples)}")
        return samples.mean(1) * np.float32(FULL_SCALE)

    return Clip(str(Path(name).with_suffix("")), path, header.samplerate, header.frames, decode)


def recordings(root: str | None, what: str, folders: tuple[str, ...], archive: str | None, advice: str) -> list[Clip]:
    """A dataset's clips by name, from the first of these places below root that holds any.

    Args:
      root: None: `data` in the working directory.
      what: the dataset, as a message calls it.
      folders: of wav or flac files.
      archive: comes last, see `archived_clips`.
      advice: what data.root may be.

    Raises:
      FileNotFoundError: there are none.
    """
    base = data_folder(root)
    for folder in (base / name for name in folders):
        if names := audio_files(folder):
            return sorted((file_clip(folder, name) for name in names), key=lambda clip: clip.name)
    if archive is not None and (base / archive).is_file():
        return sorted(archived_clips(base / archive), key=lambda clip: clip.name)
    places = [f"wav or flac files in {name}/" for name in folders] + ([archive] if archive else [])
    raise FileNotFoundError(
        f"{what} is not in {base.absolute()}: expected there {' or '.join(places)}. Give data.root=<{advice}>, "
        "or set VRNN_DATA_DIR to the folder that holds one of these"
    )


def by_seed(clips: list[Clip], valid_fraction: float, test_fraction: float, seed: int) -> dict[str, list[Clip]]:
    """Whole clips, drawn by seed; valid and test get their fractions of them, one at least, and train the others.

    Raises:
      ValueError: fractions out of range, or fewer than three clips.
    """
    for name, fraction in {"valid_fraction": valid_fraction, "test_fraction": test_fraction}.items():
        if not 0 < fraction < 1:
            raise ValueError(f"{name} must be between 0 and 1, got {fraction}")
    order = [clips[i] for i in np.random.default_rng(seed).permutation(len(clips))]
    valid, test = (max(1, round(fraction * len(clips))) for fraction in (valid_fraction, test_fraction))
    if valid + test >= len(clips):
        raise ValueError(
            f"valid_fraction and test_fraction leave nothing to train on: {valid} and {test} of {len(clips)} clips"
        )
    parts = {"valid": order[:valid], "test": order[valid : valid + test], "train": order[valid + test :]}
    return {part: sorted(chosen, key=lambda clip: clip.name) for part, chosen in parts.items()}


def grouped_by_folder(parts: dict[str, list[Clip]]) -> tuple[dict[str, list[Clip]], str]:
    """The clips with their groups, and what these are: "folder" or "file".

    A folder is often a speaker, a book or a session, whose clips are not independent. So clips of one folder are one
    group where those of "test" lie in several; else every clip is a group of its own.
    """
    if len({Path(clip.name).parent for clip in parts["test"]}) < LEAST_FOLDERS:
        return parts, "file"
    return {
        part: [clip._replace(group=Path(clip.name).parent.as_posix()) for clip in clips]
        for part, clips in parts.items()
    }, "folder"
