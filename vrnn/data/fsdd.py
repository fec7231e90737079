"""Free Spoken Digit Dataset: six speakers say the digits 0 to 9, fifty times each."""

from __future__ import annotations

import re

from vrnn.data.recordings.clips import Clip
from vrnn.data.recordings.corpora import recordings
from vrnn.data.recordings.framing import Framing, frame
from vrnn.data.recordings.soundness import OnBad
from vrnn.data.sources.files import shown
from vrnn.data.splits import Splits

ARCHIVE = "speech/fsdd_8k_int16.npz"
FOLDERS = ("recordings", "free-spoken-digit-dataset/recordings")
LAST_TEST_TAKE = 4  # takes 0 to 4 are the official test set, 5 to 49 its training set
LAST_VALID_TAKE = 9


def fsdd(
    x_dim: int = 200,
    sample_rate: int = 8000,
    seed: int = 0,
    root: str | None = None,
    quantize: int | None = None,
    mu_law: bool = False,
    on_bad: OnBad = "error",
) -> Splits:
    """Spoken digits in frames of x_dim samples, one sequence per recording (0.14 to 2.28 s at 8 kHz).

    github.com/Jakobovski/free-spoken-digit-dataset, 3000 recordings, CC BY-SA 4.0. Test is the official one, takes 0
    to 4 of every digit and speaker; valid is takes 5 to 9, train takes 10 to 49. All speakers are in all three.

    Raw x is in steps of 16 bits, with uniform noise from [-0.5, 0.5) drawn once from `seed`; so raw nats are a lower
    bound of the log-probability of the recorded integers. One scalar mean and standard deviation, of train.

    Args:
      x_dim: samples per frame. What is left over at the end of a recording is dropped.
      sample_rate: samples per second; the recordings have 8000, and are resampled to any other.
      seed: makes the noise.
      root: the folder that holds `speech/fsdd_8k_int16.npz` (see `archived_clips`), or the original
        `recordings/{digit}_{speaker}_{take}.wav`, or a clone of the repository; None: `data` in the working directory.
      quantize: levels of x instead of noise, see `Framing`.
      mu_law: whether companding comes before `quantize`.
      on_bad: whether a recording that is no good (cut short, silent, NaN..., see `vrnn.data.recordings.soundness`) is
        an error, or skipped and counted in the tally.

    Raises:
      FileNotFoundError: the recordings are not there.
      ValueError: a recording is no good or named otherwise, or an argument is out of range.
    """
    framing = Framing(x_dim, sample_rate, seed, quantize=quantize, mu_law=mu_law)
    parts: dict[str, list[Clip]] = {"train": [], "valid": [], "test": []}
    advice = "a clone of github.com/Jakobovski/free-spoken-digit-dataset"
    found = recordings(root, "the Free Spoken Digit Dataset", FOLDERS, ARCHIVE, advice)
    for clip in found.clips:
        match = re.fullmatch(r"\d_(\w+)_(\d+)", clip.name)
        if match is None:
            raise ValueError(f"{clip.name} in {shown(clip.path)} is not called {{digit}}_{{speaker}}_{{take}}")
        take, clip = int(match[2]), clip._replace(group=match[1])
        parts["test" if take <= LAST_TEST_TAKE else "valid" if take <= LAST_VALID_TAKE else "train"].append(clip)
    return frame(parts, framing, grouping="speaker", on_bad=on_bad, hidden=found.hidden)
