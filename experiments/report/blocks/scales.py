"""A swept key's values as places on an axis: numbers on a linear or logarithmic one, words side by side."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal

import numpy as np

from experiments.text import as_number, tidy

FEW = 8  # numbers that are all named below an axis; of more, round ones are


class Scale:
    """The axis of a key.

    Args:
      texts: all its values, as one would type them.

    Attributes:
      values: the different ones, from the lowest to the highest; words as they come, after the numbers.
      numeric: whether all of them are numbers.
      kind: logarithmic where positive numbers span a decade or more; words where there are others, or a 0 among such.
    """

    def __init__(self, texts: Sequence[str]):
        found = list(dict.fromkeys(texts))
        numbers = {text: number for text in found if (number := as_number(text)) is not None}
        self.values = sorted(found, key=lambda text: numbers.get(text, math.inf))
        self.numeric = len(numbers) == len(found)
        self.kind: Literal["linear", "log", "words"] = "words"
        if self.numeric:
            positive = [number for number in numbers.values() if number > 0]
            wide = bool(positive) and max(positive) >= 10 * min(positive)
            whole = len(positive) == len(numbers)
            # 0 has no place on a logarithmic axis, and beside it the small ones would lie upon each other.
            self.kind = "linear" if not wide or not (whole or len(found) <= FEW) else "log" if whole else "words"

    def places(self, texts: Sequence[str]) -> np.ndarray:
        """Where values lie on the axis [N]; of a logarithmic one, log10."""
        if self.kind == "words":
            return np.array([self.values.index(text) for text in texts], dtype=float)
        numbers = np.array([as_number(text) for text in texts], dtype=float)
        return np.log10(numbers) if self.kind == "log" else numbers

    @property
    def ends(self) -> tuple[float, float]:
        """Lowest and highest place; never the same."""
        places = self.places(self.values)
        low, high = float(places.min()), float(places.max())
        return (low, high) if high > low else (low - 0.5, high + 0.5)

    def ticks(self, gap: float) -> list[tuple[float, str]]:
        """Places with their names, none of them nearer to another than `gap` of the axis."""
        if self.kind == "words" or len(self.values) <= FEW:
            found = [
                (float(place), tidy(text)) for place, text in zip(self.places(self.values), self.values, strict=True)
            ]
            return found if self.kind == "words" else self._apart(found, gap)
        return self._apart(self._round(), gap)

    def _round(self) -> list[tuple[float, str]]:
        """Round numbers between the ends."""
        from matplotlib.ticker import MaxNLocator

        low, high = self.ends
        if self.kind == "log":
            powers = range(math.floor(low), math.ceil(high) + 1)
            few = sum(low <= power <= high for power in powers) < 2
            numbers = [first * 10.0**power for power in powers for first in ((1, 2, 5) if few else (1,))]
            return [(math.log10(x), f"{x:.3g}") for x in numbers if low <= math.log10(x) <= high]
        return [(float(x), f"{x:.6g}") for x in MaxNLocator(5).tick_values(low, high) if low <= x <= high]

    def _apart(self, ticks: list[tuple[float, str]], gap: float) -> list[tuple[float, str]]:
        low, high = self.ends
        kept: list[tuple[float, str]] = []
        for place, name in ticks:
            if not kept or place - kept[-1][0] >= gap * (high - low):
                kept.append((place, name))
        return kept
