"""What became of the recordings that were found: counted while they are read, told at the start and in the result."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

import numpy as np

from vrnn.data.recordings.clips import FULL_SCALE, Array, Clip


def count(tally: Counter[str], clip: Clip, samples: Array, kept: int, sample_rate: int) -> None:
    """Counts a recording that is good.

    Args:
      tally: to be added to. "files ..." counts files, "samples ..." samples at the data's own rate.
      clip: the recording.
      samples: of it, in steps of 16 bits, at that rate.
      kept: those that belong to sequences, at the begin; the others are cut.
      sample_rate: the data's rate.
    """
    if not kept:
        tally["files too short"] += 1
        return
    tally["files used"] += 1
    tally["files resampled"] += clip.rate != sample_rate
    tally["files of several channels, averaged"] += clip.channels > 1
    tally["samples cut at ends"] += len(samples) - kept
    tally["samples at full scale"] += at_full_scale(samples[:kept])


def at_full_scale(samples: Array) -> int:
    """How many samples in steps of 16 bits are the largest or smallest of these, or beyond: rounded or clipped."""
    highest, lowest = FULL_SCALE - 1.5, 0.5 - FULL_SCALE
    if samples.max() < highest and samples.min() > lowest:  # the usual case, and quick
        return 0
    return int(np.count_nonzero(samples >= highest) + np.count_nonzero(samples <= lowest))


def told(tally: Mapping[str, int], hidden: int) -> dict[str, int]:
    """The counts in the order in which they are told, without those of nothing, but for files found and used.

    Args:
      tally: what was counted.
      hidden: files that were passed over for their names.
    """
    bad = sorted(key for key in tally if key.startswith("files bad"))
    order = ["files found", "files used", "files too short", *bad, "files resampled"]
    order += ["files of several channels, averaged", "files hidden", "samples cut at ends", "samples at full scale"]
    counts = {**tally, "files hidden": hidden}
    always = ("files found", "files used")
    return {key: counts.get(key, 0) for key in order if counts.get(key) or key in always}
