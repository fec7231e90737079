"""What models make, as part of a page: samples, reconstructions and continuations, to be seen and heard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.report.blocks.media import embed_pngs, embed_wav, own, size
from experiments.report.blocks.page import Details, Picture, Pictures, Prose, Sound
from experiments.tracking.guard import Guard

# Parts of the page, and whether they wait for a click.
HEADINGS = {"samples": "", "reconstructions": "Reconstructions", "continuations": "Continuations of given beginnings"}
# For each part, so that the page stays below 10 MB.
PICTURES_BUDGET = 1_800_000  # characters
SOUNDS_BUDGET = 1_000_000  # bytes


def gallery(folders: Mapping[str, Path], intro: str) -> list[Pictures | Details | Prose]:
    """Samples, and what is reconstructed and continued; nothing where there are no pictures, or one cannot be read.

    Args:
      folders: label: the figures of the run that stands for it.
      intro: says which run that is.
    """
    blocks: list[Pictures | Details | Prose] = []
    guard = Guard("pictures of the runs", "the report is written without them")
    for name, heading in HEADINGS.items():
        runs = {label: folder for label, folder in folders.items() if own([folder / f"{name}.png"], folder.parent)}
        if not runs:
            continue
        with guard:
            block = part(runs, name)
            blocks += [Details(heading, block)] if heading else block
    return [Prose([intro]), *blocks] if blocks else []


def part(runs: Mapping[str, Path], name: str) -> list[Pictures | Prose]:
    """One kind of picture of every run, with its sounds."""
    files = [folder / f"{name}.png" for folder in runs.values()]
    sounds = [own(sorted(folder.glob(f"{name}_*.wav")), folder.parent) for folder in runs.values()]
    quiet = sum(sound.stat().st_size for each in sounds for sound in each) > SOUNDS_BUDGET
    pictures = [
        Picture(uri, label, [] if quiet else [Sound(sound_title(sound), embed_wav(sound)) for sound in each])
        for label, uri, each in zip(runs, embed_pngs(files, PICTURES_BUDGET), sounds, strict=True)
    ]
    block: list[Pictures | Prose] = [Pictures(pictures, room(files))]
    return block + ([Prose(["Too large to be heard here: the sounds lie in the runs' figures/."])] if quiet else [])


def room(files: Sequence[Path]) -> int:
    """Pixels across that pictures need: what was drawn large has small letters, and a line to itself if it is wide."""
    shapes = [size(file) for file in files]
    if max(across for across, _ in shapes) <= 1200:
        return 340
    return 900 if max(across / down for across, down in shapes) > 1.5 else 500


def sound_title(file: Path) -> str:
    """continuations_continuation_1.wav -> continuation 1."""
    return file.stem.partition("_")[2].replace("_", " ")
