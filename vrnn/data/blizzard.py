"""Blizzard 2013: one actress reads audiobooks, the main corpus of Chung et al. 2015."""

from __future__ import annotations

from vrnn.data.marks import Place
from vrnn.data.recordings.corpora import Assignment, by_seed, grouped_by_folder, recordings
from vrnn.data.recordings.framing import Framing, frame
from vrnn.data.recordings.soundness import OnBad
from vrnn.data.recordings.storage import Storage
from vrnn.data.splits import Splits

FOLDER = "blizzard2013"


def blizzard(
    x_dim: int = 200,
    sample_rate: int = 16_000,
    num_frames: int | None = 40,
    seed: int = 0,
    root: str | None = None,
    valid_fraction: float = 0.05,
    test_fraction: float = 0.05,
    quantize: int | None = None,
    mu_law: bool = False,
    on_bad: OnBad = "error",
    assignment: Assignment = "order",
    max_memory_gb: float = 4.0,
    cache: Place = "outputs/.cache/audio",
) -> Splits:
    """Audiobooks in frames of x_dim samples, as the paper cut them: 16 kHz, 40 frames of 200 samples, 0.5 s.

    The Blizzard Challenge 2013 (King and Karaiskos 2013) has some 300 hours of one speaker; they are had under licence
    from its organisers. Departures from the authors' code (github.com/jych/nips2015_vrnn), which cuts the first 90 %
    of one long signal for training: whole files are drawn for valid and test by `seed`, so that no sentence is in two
    of them, and uniform noise of one 16-bit step is added, as in `vrnn.data.audio`. As there, one scalar mean and
    standard deviation. Sequences of one folder (a book, as the corpus comes), or else of one file, are a group, see
    `grouped_by_folder`.

    Args:
      x_dim: samples per frame.
      sample_rate: samples per second; files of any other are resampled.
      num_frames: frames per sequence, cut end to end from a file. The paper carries the state over four sequences:
        160 frames with tbptt=40 of the trainer. None: each file is one sequence.
      seed: makes the split and the noise.
      root: the folder that holds `blizzard2013/`, in which wav or flac segments lie at any depth; None: `data` in the
        working directory.
      valid_fraction: share of the files in valid.
      test_fraction: share of the files in test.
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
        "the Blizzard 2013 corpus",
        (FOLDER,),
        None,
        f"the folder that holds {FOLDER}",
        follow_links=assignment == "name",
    )
    parts, grouping = grouped_by_folder(by_seed(found.clips, valid_fraction, test_fraction, seed, assignment))
    return frame(parts, framing, Storage(max_memory_gb, cache), grouping, on_bad, found.hidden)
