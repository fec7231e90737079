"""Any folder of recordings, in frames of raw samples."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Literal

from vrnn.data.marks import Corpus, Place
from vrnn.data.recordings.clips import Clip, file_clips
from vrnn.data.recordings.corpora import SUFFIXES, Assignment, Recordings, by_seed, grouped_by_folder
from vrnn.data.recordings.folders import files_below
from vrnn.data.recordings.framing import PARTS, Framing, frame
from vrnn.data.recordings.soundness import OnBad
from vrnn.data.recordings.storage import Storage
from vrnn.data.sources.files import data_folder, printable, shown
from vrnn.data.sources.lists import find_below, read_list
from vrnn.data.splits import Splits

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
    on_bad: OnBad = "error",
    assignment: Assignment = "order",
    max_memory_gb: float = 4.0,
    cache: Place = "outputs/.cache/audio",
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
      on_bad: whether a recording that is no good (cut short, silent, NaN..., see `vrnn.data.recordings.soundness`) is
        an error, or skipped and counted in the tally.
      assignment: how `seed` splits: `name`: each one by its own name, so that a new one moves no other, see
        `split_by_name`; `order`: by drawing an order of all of them, links to folders not followed, as before there
        was a choice.
      max_memory_gb: larger data are written once to `cache`, and mapped from there.
      cache: see `Storage`; never the root.

    Raises:
      FileNotFoundError: no such folder, or a file that a list names is not there.
      ValueError: a recording is no good, or an argument is out of range or does not fit the folder.
    """
    framing = Framing(x_dim, sample_rate, seed, num_frames, quantize, mu_law)
    folder = data_folder(root)
    if not folder.is_dir():
        raise FileNotFoundError(f"{shown(folder)} is no folder: give root=<a folder of wav or flac files>")
    follow = split != "seed" or assignment == "name"
    if split == "seed":
        found = _recordings(folder, follow)
        parts = by_seed(found.clips, valid_fraction, test_fraction, seed, assignment)
        hidden = found.hidden
    elif split == "folders":
        each = {part: _recordings(folder, follow, part) for part in PARTS}
        parts = {part: found.clips for part, found in each.items()}
        hidden = sum(found.hidden for found in each.values())
    else:
        parts, hidden = by_lists(folder, lists), 0
    parts, grouping = grouped_by_folder(parts)
    return frame(parts, framing, Storage(max_memory_gb, cache), grouping, on_bad, hidden)


def _recordings(folder: Path, follow_links: bool, part: str = "") -> Recordings:
    """All recordings below a folder, or below the sub-folder `part`; FileNotFoundError if there are none."""
    found = files_below(folder / part, SUFFIXES, follow_links=follow_links)
    if not found.names:
        raise FileNotFoundError(
            f"no wav or flac file in {shown(folder / part)} or below; give root=<a folder of such files>, with "
            "sub-folders train, valid and test for split=folders"
        )
    return Recordings(file_clips(folder, [os.path.join(part, name) for name in found.names]), found.hidden)


def by_lists(folder: Path, lists: dict[str, str]) -> dict[str, list[Clip]]:
    """Clips as list files name them, in their order.

    Raises:
      FileNotFoundError: a list, or a file that it names, is not there.
      ValueError: a list is empty, one is missing, a file is named twice, or a name leads out of the folder.
    """
    if sorted(lists) != sorted(PARTS):
        raise ValueError(f"lists must name one file each for train, valid and test, got {', '.join(lists)}")
    parts: dict[str, list[Clip]] = {}
    seen: dict[Path, str] = {}
    for part, name in lists.items():
        path = _below(folder, name, f"lists.{part}")
        if not path.is_file():
            raise FileNotFoundError(
                f"{shown(path)}, which lists.{part} names, is not there: split=lists needs files of one "
                "path below root a line"
            )
        entries = read_list(path)
        if not entries:
            raise ValueError(f"lists leaves {part} empty: {shown(path)} names no file")
        names = []
        for entry in entries:
            found = _below(folder, entry, printable(name))
            if not found.is_file():
                raise FileNotFoundError(f"{shown(found)}, which {printable(name)} names, is not there")
            place = found.resolve()
            if place in seen:
                raise ValueError(
                    f"lists must not name a file twice: {printable(entry)} is in {seen[place]} and in {printable(name)}"
                )
            seen[place] = printable(name)
            names.append(os.path.relpath(found, folder.absolute()))
        parts[part] = file_clips(folder, names)
    return parts


def _below(folder: Path, entry: str, source: str) -> Path:
    try:
        return find_below(folder, entry)
    except ValueError as error:
        raise ValueError(f"lists must name files below the folder; in {source}, {error}") from error
