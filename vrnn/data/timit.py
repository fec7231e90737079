"""TIMIT: 630 speakers of eight dialects read ten sentences each."""

from __future__ import annotations

import re

import numpy as np

from vrnn.data.recordings.clips import Clip, file_clips
from vrnn.data.recordings.corpora import SUFFIXES, Assignment
from vrnn.data.recordings.folders import files_below
from vrnn.data.recordings.framing import Framing, frame
from vrnn.data.recordings.soundness import OnBad
from vrnn.data.sources.files import data_folder, shown
from vrnn.data.sources.partition import place
from vrnn.data.splits import Splits

TOP = {"timit", "train", "test"}  # right below root
LAYOUT = re.compile(r"(?:timit/)?(train|test)/dr[1-8]/([fm]\w{4})/(s[aix])\d+\.wav")


def timit(
    x_dim: int = 200,
    sample_rate: int = 16_000,
    seed: int = 0,
    root: str | None = None,
    sa_sentences: bool = True,
    valid_fraction: float = 0.1,
    quantize: int | None = None,
    mu_law: bool = False,
    on_bad: OnBad = "error",
    assignment: Assignment = "order",
) -> Splits:
    """Read sentences in frames of x_dim samples, one sequence per utterance.

    LDC93S1 (Garofolo et al. 1993), under licence from the Linguistic Data Consortium; 16 bits, 16 kHz. Test is the
    corpus's own TEST; valid is the utterances of some speakers of TRAIN, drawn by `seed`, who are then not in train.
    Raw x is in steps of 16 bits with uniform noise, as in `vrnn.data.audio`; one scalar mean and standard deviation,
    of train. Whether Chung et al. 2015 left out the SA sentences, their paper does not say.

    Args:
      x_dim: samples per frame. What is left over at the end of an utterance is dropped.
      sample_rate: samples per second; the utterances have 16000, and are resampled to any other.
      seed: makes the validation set and the noise.
      root: the folder that holds `TRAIN/DR1/FCJF0/SA1.WAV` and so on, in upper or lower case, or a folder `TIMIT`
        with them; None: `data` in the working directory. The files may be NIST SPHERE, as they come, or RIFF.
      sa_sentences: whether the two sentences that all speakers read, those of train and those of test, take part.
      valid_fraction: share of the speakers of TRAIN in valid.
      quantize: levels of x instead of noise, see `Framing`.
      mu_law: whether companding comes before `quantize`.
      on_bad: whether a recording that is no good (cut short, silent, NaN..., see `vrnn.data.recordings.soundness`) is
        an error, or skipped and counted in the tally.
      assignment: how `seed` splits: `name`: each one by its own name, so that a new one moves no other, see
        `split_by_name`; `order`: by drawing an order of all of them, links to folders not followed, as before there
        was a choice.

    Raises:
      FileNotFoundError: the utterances are not there.
      ValueError: a recording is no good, or an argument is out of range.
    """
    framing = Framing(x_dim, sample_rate, seed, quantize=quantize, mu_law=mu_law)
    if not 0 < valid_fraction < 1:
        raise ValueError(f"valid_fraction must be between 0 and 1, got {valid_fraction}")
    folder = data_folder(root)
    found: dict[str, dict[str, list[Clip]]] = {"train": {}, "test": {}}  # part, speaker, utterances
    below = files_below(folder, SUFFIXES, follow_links=assignment == "name", top=TOP)
    for name in below.names:
        match = LAYOUT.fullmatch(name.lower())
        if match is not None and (sa_sentences or match[3] != "sa"):
            found[match[1]].setdefault(match[2], []).extend(
                clip._replace(group=match[2]) for clip in file_clips(folder, [name])
            )
    if not all(found.values()):
        raise FileNotFoundError(
            f"TIMIT is not in {shown(folder)}: expected there TRAIN/DR1/FCJF0/SA1.WAV and so on, and the same in "
            "TEST, or both in a folder TIMIT. Give root=<the folder that holds TRAIN and TEST>"
        )
    valid = _valid_speakers(sorted(found["train"]), valid_fraction, seed, assignment)
    parts = {
        "train": [clip for speaker, clips in found["train"].items() if speaker not in valid for clip in clips],
        "valid": [clip for speaker, clips in found["train"].items() if speaker in valid for clip in clips],
        "test": [clip for clips in found["test"].values() for clip in clips],
    }
    return frame(parts, framing, grouping="speaker", on_bad=on_bad, hidden=below.hidden)


def _valid_speakers(speakers: list[str], fraction: float, seed: int, assignment: Assignment) -> set[str]:
    """Those of the sorted speakers that are drawn for valid, one at least."""
    if assignment == "name":
        places = {speaker: place(speaker, seed) for speaker in speakers}
        drawn = {speaker for speaker in speakers if places[speaker] < fraction}
        valid = drawn or {min(speakers, key=places.__getitem__)}
    else:
        order = np.random.default_rng(seed).permutation(len(speakers))
        valid = {speakers[i] for i in order[: max(1, round(fraction * len(speakers)))]}
    if len(valid) == len(speakers):
        raise ValueError(f"valid_fraction leaves none of the {len(speakers)} speakers of TRAIN to train on")
    return valid
