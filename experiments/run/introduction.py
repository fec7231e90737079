"""The first and last words of a run: what is trained on what, what became of the files, the bound, and all places."""

from __future__ import annotations

import textwrap
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from experiments.cli.terminal import Terminal
from experiments.run.directory import RunDirectory
from experiments.run.parts import Parts, cautions
from vrnn.training.metrics import Measurement
from vrnn.training.references import TRUTH

WIDTH = 80
MAX_SKIPPED = 3  # that are told one by one


def introduce(terminal: Terminal, parts: Parts, run: RunDirectory, seed: int) -> None:
    """Says what is trained on what, and where it is written."""
    splits = parts.splits
    counts = " / ".join(f"{len(part):,}" for part in (splits.train, splits.valid, splits.test))
    terminal.say(f"data        {counts} sequences (train / valid / test), x_dim {splits.x_dim}")
    for line in (*tally_lines(splits.tally), *skipped_lines(splits.skipped)):
        terminal.say(line)
    terminal.say(f"model       {parts.model.num_parameters:,} parameters, {parts.trainer.settings.device}, seed {seed}")
    terminal.say(f"run         {run}")
    for caution in cautions(splits, parts.model.likelihood):
        terminal.say(f"caution     {caution}")


def tally_lines(tally: Mapping[str, int]) -> list[str]:
    """What became of what was found, one line for each thing that is counted, which a key names first.

    {"files found": 9, "files used": 8, "samples cut at ends": 7} -> "files       9 found, 8 used" and so on.
    """
    things: dict[str, list[str]] = {}
    for key, count in tally.items():
        thing, _, fate = key.partition(" ")
        things.setdefault(thing, []).append(f"{count:,} {fate}")
    space = " " * 12
    return [
        line
        for thing, counts in things.items()
        for line in textwrap.wrap(f"{thing:<12}{', '.join(counts)}", WIDTH, subsequent_indent=space)
    ]


def skipped_lines(skipped: Sequence[str]) -> list[str]:
    """The first few files that were left out, with the reasons; the result has all."""
    lines = [f"skipped     {sentence}" for sentence in skipped[:MAX_SKIPPED]]
    more = len(skipped) - len(lines)
    return [*lines, f"skipped     and {more:,} more, which result.json names"] if more else lines


def conclude(
    terminal: Terminal, parts: Parts, run: RunDirectory, measurements: dict[str, Measurement], files: list[Path]
) -> None:
    """The last words: the bound beside its references, then where everything lies."""
    split = "test" if parts.trainer.settings.test else "valid"
    rows = {f"this model, {split}": measurements[f"{split}/log_likelihood"]}
    for key, measurement in measurements.items():
        kind, _, rest = key.partition("/")
        reference, _, name = rest.partition("/")
        if (kind, name) == ("reference", "log_likelihood"):
            rows[reference] = measurement
    if f"{split}/gap" in measurements:
        rows[f"gap to {TRUTH}"] = measurements[f"{split}/gap"]
    for words in ("per step", "per step by sequence"):
        if (name := f"{split}/log_likelihood_{words.replace(' ', '_')}") in measurements:
            rows[f"this model, {split}, {words}"] = measurements[name]
    terminal.table("Log-likelihood (higher is better)", rows)
    if parts.tracker.whereabouts():
        terminal.say(f"tracking    {parts.tracker.whereabouts()}")
    terminal.say(f"{split} bound  {measurements[f'{split}/log_likelihood']}")
    terminal.say(f"run         {run}")
    pictures = [path.name for path in files if path.suffix == ".png"]
    others = Counter(path.suffix[1:] for path in files if path.suffix != ".png")
    sounds = "".join(f" and {number} {suffix}" for suffix, number in others.items())
    terminal.say(f"figures     {run}/{run.figures.name}/: {' '.join(pictures)}{sounds}")
