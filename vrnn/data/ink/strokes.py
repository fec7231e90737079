"""Pen strokes as sequences: from points of the pen to standardised offsets."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from vrnn.data.splits import Sequences, Splits, Standardisation

FLOAT32_MAX = float(np.finfo(np.float32).max)


class Ink(NamedTuple):
    """What a pen drew.

    Attributes:
      points: positions of the pen, y up [N, 2].
      pen_up: 1 on the last point of every stroke, else 0 [N].
      name: what a message calls it.
      group: what it shares with others, such as its writer or drawer.
    """

    points: NDArray[np.float64]
    pen_up: NDArray[np.float64]
    name: str = ""
    group: str = ""

    @classmethod
    def of(cls, strokes: Sequence[NDArray[np.float64]], name: str = "") -> Ink:
        """From the points [n, 2] of each stroke, no stroke empty."""
        pen_up = np.zeros(sum(map(len, strokes)))
        pen_up[np.cumsum([len(stroke) for stroke in strokes]) - 1] = 1.0
        return cls(np.concatenate(strokes), pen_up, name)

    def offsets(self) -> NDArray[np.float64]:
        """(dx, dy, pen-up) of every step [N - 1, 3].

        The first point is the origin and no step: its offset would be the same for all, and have no finite density.
        """
        return np.column_stack([np.diff(self.points, axis=0), self.pen_up[1:]])

    def dequantised(self, rng: np.random.Generator) -> Ink:
        """With uniform noise in [-1/2, 1/2) on both coordinates of every point but the first.

        Noise on points and not on offsets, whose sum would wander away from the drawing. The density has a ceiling
        nevertheless: given the past, each point is spread evenly over a square of area 1.
        """
        noise = rng.uniform(-0.5, 0.5, self.points.shape)
        noise[0] = 0.0
        return self._replace(points=self.points + noise)


def require_pen(x_dim: int, seed: int) -> None:
    """Raises ValueError unless x_dim is that of pen strokes, and seed one of numpy's."""
    if x_dim != 3:
        raise ValueError(f"x_dim must be 3 (dx, dy and pen-up) for pen strokes, got {x_dim}")
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")


def require_whole_units(parts: Sequence[Sequence[Ink]], source: str) -> None:
    """Raises ValueError unless all coordinates are whole numbers, over which noise of one unit may be spread."""
    for name, part in zip(("train", "valid", "test"), parts, strict=True):
        for ink in part:
            if (odd := ink.points % 1.0 != 0.0).any():
                raise ValueError(
                    f"dequantise must be false for {source}, whose coordinates are no whole numbers: {name}, "
                    f"{ink.name}, has {ink.points[odd][0]}"
                )


def ink_splits(
    parts: Sequence[Sequence[Ink]],
    dequantise: bool,
    seed: int,
    what: str = "drawings",
    empty: int = 0,
    grouping: str | None = None,
) -> Splits:
    """Standardised offsets of train, valid and test.

    Args:
      parts: the ink of each part; what has a single point, and so no step, is left out and counted.
      dequantise: add noise of one unit to the points, drawn once.
      seed: makes the noise.
      what: what they are, in the plural, for the tally.
      empty: how many there were without a point, which are not in `parts`.
      grouping: what the groups of the ink are, see `Splits`; None: it has none.

    Raises:
      ValueError: a part has nothing to learn from, or an offset is not finite.
    """
    raw = []
    for number, (name, part) in enumerate(zip(("train", "valid", "test"), parts, strict=True)):
        rng = np.random.default_rng([seed, 1, number])
        drawn = [ink for ink in part if len(ink.points) > 1]
        rows = [(ink.dequantised(rng) if dequantise else ink).offsets() for ink in drawn]
        if not rows:
            raise ValueError(f"there is no sequence of two points or more in {name}")
        for ink, steps in zip(drawn, rows, strict=True):
            if not (np.abs(steps) < FLOAT32_MAX).all():
                step = int((~(np.abs(steps) < FLOAT32_MAX)).any(axis=1).argmax())
                raise ValueError(f"{name}, {ink.name}: step {step + 1} of {len(steps)} is {steps[step].tolist()}")
        values, lengths = torch.from_numpy(np.concatenate(rows)).float(), torch.tensor([len(row) for row in rows])
        raw.append(Sequences(values, lengths, groups=[ink.group for ink in drawn] if grouping else None))
    standardisation = fit_joint_scalar(raw[0].values[:, :2])
    train, valid, test = (
        Sequences(standardisation.forward(part.values), part.lengths, groups=part.groups) for part in raw
    )
    found, used = sum(map(len, parts)), sum(map(len, raw))
    dropped = {f"{what} empty": empty, f"{what} of a single point": found - used}
    tally = {f"{what} found": found + empty, **{key: number for key, number in dropped.items() if number}}
    return Splits(train, valid, test, standardisation, grouping=grouping, tally={**tally, f"{what} used": used})


def fit_joint_scalar(offsets: torch.Tensor) -> Standardisation:
    """One mean and one std for dx and dy together: mean = sum(dx + dy) / n, std^2 = E[dx^2 + dy^2] - mean^2.

    As the VRNN's authors did with IAM-OnDB: it keeps the shape of letters, and log-likelihoods are in the unit of
    theirs (the std is about sqrt(2) times that of a coordinate). The pen stays exactly 0 or 1.

    Args:
      offsets: (dx, dy) of all n steps of train [n, 2].

    Raises:
      ValueError: all offsets are the same, or they drift so far that there is no such std.
    """
    offsets = offsets.double()
    mean = offsets.sum() / len(offsets)
    variance = offsets.square().sum() / len(offsets) - mean.square()
    if bool((offsets == offsets[0]).all()) or not 0 < variance < torch.inf:
        raise ValueError(
            f"the offsets of train cannot be standardised: from {offsets.amin(0).tolist()} to "
            f"{offsets.amax(0).tolist()}, their joint variance E[dx^2 + dy^2] - E[dx + dy]^2 is {float(variance):.6g}; "
            "drawings whose steps are all alike, or all go one way, are nothing to learn from"
        )
    std = variance.sqrt()
    return Standardisation(
        mean=torch.stack([mean, mean, torch.zeros_like(mean)]).float(),
        std=torch.stack([std, std, torch.ones_like(std)]).float(),
    )
