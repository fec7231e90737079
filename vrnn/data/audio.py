"""Any folder of recordings, in frames of raw samples."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Literal

from vrnn.data.clips import Clip, audio_files, by_seed, file_clip, grouped_by_folder
from vrnn.data.files import data_folder
from vrnn.data.framing import PARTS, Framing, frame
from vrnn.data.splits import Corpus, Splits
from vrnn.data.storage import Storage

LISTS = {part: f"{part}.txt" for part in PARTS}


def audio(
    x_dim: int = 200,
    sample_rate: int = 16_000,
    num_frames: int | None = 40,
    seed: int = 0,
    root: Corpus = None,
    split: Literal["seed", "folders", "lists"] = "seed",
    valid_fraction: float = 0.05,
    test_fraction: float = 0.05,
    lists: dict[str, str] = LISTS,
    quantize: int | None = None,
    mu_law: bool = False,
    max_memory_gb: float = 4.0,
    cache: str = "outputs/.cache/audio",
) -> Splits:
    """The wav and flac files of a folder in frames of x_dim samples.

    The channels of a file are averaged; what has another rate is resampled by a polyphase filter. Raw x is in steps of
    16 bits: samples are rounded to them (deeper recordings and resampled ones, too), and uniform noise from
    [-0.5, 0.5) is added, drawn once from `seed`; so raw nats are a lower bound of the log-probability of the integers.
    One scalar mean and standard deviation, of train. A file is never divided between train, valid and test.
    Sequences of one folder, or else of one file, are a group, see `grouped_by_folder`.

    Args:
      x_dim: samples per frame.
      sample_rate: samples per second.
      num_frames: frames per sequence, cut end to end from a file; None: each file is one sequence. What is left over
        at the end of a file is dropped.
      seed: makes the noise, and the split where `split` says so.
      root: the folder; None: `data` in the working directory.
      split: files are drawn by `seed`; or lie in the sub-folders `train`, `valid` and `test`; or stand in lists.
      valid_fraction: share of the files in valid under split=seed.
      test_fraction: share of the files in test under split=seed.
      lists: under split=lists, the files below root that name the recordings of train, valid and test, one path below
        root a line.
      quantize: levels of x instead of noise, see `Framing`.
      mu_law: whether companding comes before `quantize`.
      max_memory_gb: larger data are written once to `cache`, and mapped from there.
      cache: see `Storage`; never the root.

    Raises:
      FileNotFoundError: no such folder, or a file that a list names is not there.
      ValueError: a file is damaged, or an argument is out of range or does not fit the folder.
    """
    framing = Framing(x_dim, sample_rate, seed, num_frames, quantize, mu_law)
    folder = data_folder(root)
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder.absolute()} is no folder: give data.root=<a folder of wav or flac files>, or set VRNN_DATA_DIR"
        )
    split_clips: dict[str, Callable[[], dict[str, list[Clip]]]] = {
        "seed": lambda: by_seed(_clips(folder, audio_files(folder)), valid_fraction, test_fraction, seed),
        "folders": lambda: {part: _clips(folder / part, audio_files(folder / part)) for part in PARTS},
        "lists": lambda: by_lists(folder, lists),
    }
    parts, grouping = grouped_by_folder(split_clips[split]())
    return frame(parts, framing, Storage(max_memory_gb, cache), grouping)


def _clips(folder: Path, names: list[str]) -> list[Clip]:
    """The clips of the files `names` below a folder; FileNotFoundError if there are none."""
    if not names:
        raise FileNotFoundError(
            f"no wav or flac file in {folder.absolute()} or below; data.root is a folder of such files, with "
            "sub-folders train, valid and test for data.split=folders"
        )
    return [file_clip(folder, name) for name in names]


def by_lists(folder: Path, lists: dict[str, str]) -> dict[str, list[Clip]]:
    """Clips as list files name them, in their order.

    Raises:
      FileNotFoundError: a list, or a file that it names, is not there.
      ValueError: a list is empty, one is missing, or a file is named twice.
    """
    if sorted(lists) != sorted(PARTS):
        raise ValueError(f"lists must name one file each for train, valid and test, got {', '.join(lists)}")
    parts, seen = {}, {}
    for part, name in lists.items():
        path = folder / name
        if not path.is_file():
            raise FileNotFoundError(
                f"{path.absolute()}, which data.lists.{part} names, is not there: data.split=lists needs files of one "
                "path below data.root a line"
            )
        entries = [line.strip() for line in path.read_text().splitlines() if line.strip()]
        if not entries:
            raise ValueError(f"lists leaves {part} empty: {path.absolute()} names no file")
        for entry in entries:
            if not (folder / entry).is_file():
                raise FileNotFoundError(f"{(folder / entry).absolute()}, which {name} names, is not there")
            place = (folder / entry).resolve()
            if place in seen:
                raise ValueError(f"lists must not name a file twice: {entry} is in {seen[place]} and in {name}")
            seen[place] = name
        parts[part] = [file_clip(folder, entry) for entry in entries]
    return parts
