"""Free Spoken Digit Dataset: six speakers say the digits 0 to 9, fifty times each."""

from __future__ import annotations

import re
from pathlib import Path

from vrnn.data.clips import Clip, archived_clips, file_clips
from vrnn.data.framing import Framing, frame
from vrnn.data.splits import Splits

ARCHIVE = Path("speech", "fsdd_8k_int16.npz")
FOLDERS = (Path("recordings"), Path("free-spoken-digit-dataset", "recordings"))
LAST_TEST_TAKE = 4  # takes 0 to 4 are the official test set, 5 to 49 its training set
LAST_VALID_TAKE = 9


def fsdd(
    x_dim: int = 200,
    sample_rate: int = 8000,
    seed: int = 0,
    root: str | None = None,
    quantize: int | None = None,
    mu_law: bool = False,
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

    Raises:
      FileNotFoundError: the recordings are not there.
      ValueError: a file is damaged or named otherwise, or an argument is out of range.
    """
    parts: dict[str, list[Clip]] = {"train": [], "valid": [], "test": []}
    for clip in recordings(Path("data" if root is None else root).expanduser()):
        match = re.fullmatch(r"\d_\w+_(\d+)", Path(clip.name).stem)
        if match is None:
            raise ValueError(f"{clip.name} in {clip.path.absolute()} is not called {{digit}}_{{speaker}}_{{take}}")
        take = int(match[1])
        parts["test" if take <= LAST_TEST_TAKE else "valid" if take <= LAST_VALID_TAKE else "train"].append(clip)
    return frame(parts, Framing(x_dim, sample_rate, seed, quantize=quantize, mu_law=mu_law))


def recordings(root: Path) -> list[Clip]:
    """All recordings below `root`, by name."""
    if (root / ARCHIVE).is_file():
        return sorted(archived_clips(root / ARCHIVE), key=lambda clip: clip.name)
    for folder in (root / name for name in FOLDERS):
        if paths := sorted(folder.glob("*.wav"), key=lambda path: path.stem):
            return file_clips(folder, paths)
    raise FileNotFoundError(
        f"the Free Spoken Digit Dataset is not in {root.absolute()}: expected there {ARCHIVE}, or wav files in "
        f"{FOLDERS[0]}/ or {FOLDERS[1]}/. Give data.root=<a clone of github.com/Jakobovski/free-spoken-digit-dataset>, "
        "or set VRNN_DATA_DIR to the folder that holds one of these"
    )
