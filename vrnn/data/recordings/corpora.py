"""Corpora of recordings: where their clips lie, and how whole clips are divided between train, valid and test."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np

from vrnn.data.recordings.clips import Clip, archived_clips, file_clips
from vrnn.data.recordings.folders import files_below
from vrnn.data.sources.files import data_folder, shown
from vrnn.data.sources.partition import split_by_name

SUFFIXES = {".wav", ".flac"}
LEAST_FOLDERS = 3  # fewer would be too few groups for any test of differences
Assignment = Literal["order", "name"]


class Recordings(NamedTuple):
    """Clips of a dataset.

    Attributes:
      clips: in the order of their names.
      hidden: files that were passed over for their names, see `files_below`.
    """

    clips: list[Clip]
    hidden: int = 0


def recordings(
    root: str | None,
    what: str,
    folders: tuple[str, ...],
    archive: str | None,
    advice: str,
    *,
    follow_links: bool = True,
) -> Recordings:
    """A dataset's clips by name, from the first of these places below root that holds any.

    Args:
      root: None: `data` in the working directory.
      what: the dataset, as a message calls it.
      folders: of wav or flac files.
      archive: comes last, see `archived_clips`.
      advice: what root may be.
      follow_links: see `files_below`.

    Raises:
      FileNotFoundError: there are none.
    """
    base = data_folder(root)
    for folder in (base / name for name in folders):
        found = files_below(folder, SUFFIXES, follow_links=follow_links)
        if found.names:
            clips = file_clips(folder, found.names)
            return Recordings(sorted(clips, key=lambda clip: clip.name), found.hidden)
    if archive is not None and (base / archive).is_file():
        return Recordings(sorted(archived_clips(base / archive), key=lambda clip: clip.name))
    places = [f"wav or flac files in {name}/" for name in folders] + ([archive] if archive else [])
    raise FileNotFoundError(
        f"{what} is not in {shown(base)}: expected there {' or '.join(places)}. Give root=<{advice}>"
    )


def by_seed(
    clips: list[Clip], valid_fraction: float, test_fraction: float, seed: int, assignment: Assignment = "order"
) -> dict[str, list[Clip]]:
    """Whole clips, drawn by seed; valid and test get their fractions of them, one at least, and train the others.

    Args:
      clips: to be divided.
      valid_fraction: share of valid.
      test_fraction: share of test.
      seed: makes the split.
      assignment: `name`: each clip by its own name, so that a new one moves no other, see `split_by_name`; `order`: by
        drawing an order of all of them, as before there was a choice.

    Raises:
      ValueError: fractions out of range, or fewer than three clips.
    """
    for name, fraction in {"valid_fraction": valid_fraction, "test_fraction": test_fraction}.items():
        if not 0 < fraction < 1:
            raise ValueError(f"{name} must be between 0 and 1, got {fraction}")
    if assignment == "name":
        names = split_by_name([clip.name for clip in clips], valid_fraction, test_fraction, seed)
        place = {name: part for part, chosen in names.items() for name in chosen}
        return {part: [clip for clip in clips if place[clip.name] == part] for part in ("train", "valid", "test")}
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
