"""The first words of a run: what is trained on what, what became of the files, and where it is written."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence

from experiments.cli.terminal import Terminal
from experiments.run.directory import RunDirectory
from experiments.run.parts import Parts, cautions

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
