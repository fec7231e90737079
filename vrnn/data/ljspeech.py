"""LJ Speech: one woman reads passages of seven books, 24 hours in 13,100 clips."""

from __future__ import annotations

from vrnn.data.marks import Place
from vrnn.data.recordings.corpora import Assignment, by_seed, recordings
from vrnn.data.recordings.framing import Framing, frame
from vrnn.data.recordings.soundness import OnBad
from vrnn.data.recordings.storage import Storage
from vrnn.data.splits import Splits

ARCHIVE = "speech/ljspeech32_22k_int16.npz"
FOLDERS = ("LJSpeech-1.1/wavs", "wavs")


def ljspeech(
    x_dim: int = 200,
    sample_rate: int = 22_050,
    num_frames: int | None = 40,
    seed: int = 0,
    root: str | None = None,
    valid_fraction: float = 0.1,
    test_fraction: float = 0.1,
    quantize: int | None = None,
    mu_law: bool = False,
    on_bad: OnBad = "error",
    assignment: Assignment = "order",
    max_memory_gb: float = 4.0,
    cache: Place = "outputs/.cache/audio",
) -> Splits:
    """Read English in frames of x_dim samples.

    keithito.com/LJ-Speech-Dataset, 16 bits, 22,050 Hz, public domain; it has no official split: whole clips are drawn
    for valid and test by `seed`. Raw x is in steps of 16 bits with uniform noise, as in `vrnn.data.audio`.

    Args:
      x_dim: samples per frame.
      sample_rate: samples per second; the clips have 22050, and are resampled to any other.
      num_frames: frames per sequence, cut end to end from a clip; None: each clip (1 to 10 s) is one sequence. What is
        left over at the end of a clip is dropped.
      seed: makes the split and the noise.
      root: the folder that holds `LJSpeech-1.1/wavs/*.wav`, or that corpus itself, or `speech/ljspeech32_22k_int16.npz`
        (its first 32 clips, see `archived_clips`); None: `data` in the working directory.
      valid_fraction: share of the clips in valid.
      test_fraction: share of the clips in test.
      quantize: levels of x instead of noise, see `Framing`.
      mu_law: whether companding comes before `quantize`.
      on_bad: whether a recording that is no good (cut short, silent, NaN..., see `vrnn.data.recordings.soundness`) is
        an error, or skipped and counted in the tally.
      assignment: how `seed` splits: `name`: each one by its own name, so that a new one moves no other, see
        `split_by_name`; `order`: by drawing an order of all of them, links to folders not followed, as before there
        was a choice.
      max_memory_gb: larger data are written once to `cache`, and mapped from there.
      cache: see `Storage`.

    Raises:
      FileNotFoundError: the recordings are not there.
      ValueError: a recording is no good, or an argument is out of range.
    """
    framing = Framing(x_dim, sample_rate, seed, num_frames, quantize, mu_law)
    found = recordings(
        root,
        "LJ Speech",
        FOLDERS,
        ARCHIVE,
        "the unpacked LJSpeech-1.1.tar.bz2 of keithito.com/LJ-Speech-Dataset",
        follow_links=assignment == "name",
    )
    # LJ001-0001 is the first clip of section LJ001, about half an hour that was recorded in one go.
    clips = [clip._replace(group=clip.name.rpartition("-")[0]) for clip in found.clips]
    parts = by_seed(clips, valid_fraction, test_fraction, seed, assignment)
    return frame(parts, framing, Storage(max_memory_gb, cache), "section", on_bad, found.hidden)
