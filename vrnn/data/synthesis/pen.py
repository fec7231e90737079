"""A word as a hand writes it: the line of its letters, its curvature, the pen's speed on it, and tremor.

The letters are single-line Hershey fonts (digitised by A. V. Hershey, public domain; read from the package
Hershey-Fonts), joined and smoothed to a hand's line. Lengths are in x-heights (the height of a lower-case x), times
in seconds.
"""

from __future__ import annotations

from functools import cache
from string import ascii_lowercase
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SPACING = 0.045  # x-heights between the points of a smooth path
ROUNDING = 0.09  # x-heights; standard deviation of the Gaussian that rounds corners
CURVATURE = (0.5, 20.0)  # per x-height; below and above, the power law of speed is flat, so that speed stays finite
PACE = 0.12  # seconds from one elementary stroke to the next, for a stroke of unit size
TAIL = 2.326  # standard normal quantile of 99 %: a log-normal stroke is cut off at its 1 % and its 99 %
LIFT = 1.0  # what u jumps by at a pen lift, so that no u stands for two places
TREMOR_CUTOFF = 10.0  # Hz

Face = Literal["cursive", "print"]
FONTS = {"cursive": "scripts", "print": "futural"}
X_HEIGHT = {"cursive": 9, "print": 14}  # font units
# Strokes that cursive writing leaves until the line breaks: dots and bars.
DELAYED = {"i": {0}, "j": {0}, "t": {2}, "x": {1}}
# Where a hand's order of the strokes of a printed letter is not the font's: bowl before stem, letter before dot.
PRINT_ORDER = {"a": (1, 0), "d": (1, 0), "g": (1, 0), "i": (1, 0), "j": (1, 0), "q": (1, 0), "z": (1, 0, 2)}
REACH = 6  # font units; a cursive letter that begins within it of the last one's end is joined to it


class Path(NamedTuple):
    """A smooth line on paper, as dense points of one or several strokes, each from pen-down to pen-up.

    Attributes:
      points: [M, 2], in x-heights.
      first: derivative of points by their number, within the stroke [M, 2].
      second: second derivative [M, 2].
      stroke: number of the stroke that each point is on [M], 0 to S - 1.
      ends: number of the last point of each stroke [S].
    """

    points: Array
    first: Array
    second: Array
    stroke: NDArray[np.int64]
    ends: NDArray[np.int64]

    def transformed(self, matrix: Array) -> Path:
        """The path under points @ matrix [2, 2], as for slant and aspect."""
        return Path(self.points @ matrix, self.first @ matrix, self.second @ matrix, self.stroke, self.ends)


def smooth_path(polylines: list[Array]) -> Path:
    """A smooth path along polylines, one a stroke, with the same ends.

    Each polyline is resampled at equal distances and convolved with a Gaussian, which rounds corners and, unlike an
    interpolating spline, never overshoots where the pen turns back on its own line.

    Args:
      polylines: vertices [N, 2] of each stroke, in x-heights; no stroke of length 0.
    """
    from scipy.ndimage import gaussian_filter1d

    sigma = ROUNDING / SPACING
    reach = round(4 * sigma)  # where the filter is cut off
    lines, sizes = [], []
    for polyline in polylines:
        distance = np.append(0.0, np.hypot(*(polyline[1:] - polyline[:-1]).T).cumsum())  # [N]
        size = max(reach + 2, round(distance[-1] / SPACING) + 1)
        at = np.arange(size) * (distance[-1] / (size - 1))
        x, y = np.interp(at, distance, polyline[:, 0]), np.interp(at, distance, polyline[:, 1])
        line = np.stack([x, y], axis=1)  # [size, 2]
        # Continued beyond its ends by point reflection, so that the filter leaves the ends where they are.
        lines += [2 * line[0] - line[reach:0:-1], line, 2 * line[-1] - line[-2 : -reach - 2 : -1]]
        sizes.append(size)
    padded = np.concatenate(lines)  # all strokes in one, for three filters in all
    stroke = np.repeat(np.arange(len(sizes)), sizes)
    kept = np.arange(len(stroke)) + reach * (2 * stroke + 1)  # [M]
    points, first, second = (gaussian_filter1d(padded, sigma, axis=0, order=order)[kept] for order in range(3))
    return Path(points, first, second, stroke, np.cumsum(sizes) - 1)


class Letter(NamedTuple):
    """A letter in font units, from its left side on, y up, in a hand's order."""

    now: list[Array]  # polylines [N, 2] written at once
    late: list[Array]  # polylines [N, 2] that wait until the line breaks
    width: float


@cache
def alphabet(face: Face) -> dict[str, Letter]:
    """The letters a to z."""
    from HersheyFonts import HersheyFonts

    font = HersheyFonts()
    font.load_default_font(FONTS[face])
    letters = {}
    for name, glyph in zip(ascii_lowercase, font.glyphs_for_text(ascii_lowercase), strict=True):
        # The font's y points down and its baseline is at 9.
        strokes = [(np.array(s) - (glyph.left_offset, 9)) * (1, -1) for s in glyph.strokes]
        # The font's dot is a small closed diamond; a hand's is a dab.
        strokes = [s[[0, 2]] if len(s) == 5 and (s[0] == s[-1]).all() else s for s in strokes]
        order = PRINT_ORDER.get(name, range(len(strokes))) if face == "print" else range(len(strokes))
        late = DELAYED.get(name, set()) if face == "cursive" else set()
        letters[name] = Letter(
            [strokes[i] for i in order if i not in late], [strokes[i] for i in late], glyph.char_width
        )
    return letters


def trace(word: str, face: Face) -> Path:
    """The word's line as a pen would draw it, y up, the baseline at 0.

    Cursive letters are one line each and joined where the font's meet; bars and dots wait until the line breaks.
    Printed strokes are joined only where they end at the same point.

    Args:
      word: letters a to z.
      face: cursive or print.
    """
    strokes: list[Array] = []
    line: Array | None = None  # the stroke that is being written
    late: list[Array] = []
    left = np.zeros(2)  # of the letter
    for letter in (alphabet(face)[name] for name in word):
        for i, stroke in enumerate(letter.now):
            stroke = stroke + left
            reach = 0 if face == "print" else np.inf if i > 0 else REACH
            if line is not None and reach == 0 and (stroke[-1] == line[-1]).all():
                stroke = stroke[::-1]  # as in v: the second stroke is drawn upwards, without a lift
            if line is not None and np.hypot(*(stroke[0] - line[-1])) <= reach:
                line = np.concatenate([line, stroke])
                continue
            if line is not None:
                strokes += [line, *late]
                late = []
            line = stroke
        late += [stroke + left for stroke in letter.late]
        left[0] += letter.width
    last = [] if line is None else [line]
    return smooth_path([stroke / X_HEIGHT[face] for stroke in [*strokes, *last, *late]])


def curvature(path: Path) -> Array:
    """kappa = |x' y'' - y' x''| / (x'^2 + y'^2)^(3/2) per x-height [M], limited to `CURVATURE`."""
    low, high = CURVATURE
    cross = path.first[:, 0] * path.second[:, 1] - path.first[:, 1] * path.second[:, 0]
    kappa = np.abs(cross) / np.maximum(np.hypot(*path.first.T), 1e-6) ** 3
    return np.minimum(np.hypot(kappa, low), high)


def sigma_lognormal(
    sizes: Array, stroke: NDArray[np.int64], pace: float, sample_rate: float, rng: np.random.Generator
) -> tuple[Array, NDArray[np.int64]]:
    """u(t) = sum_j D_j Phi((log(t - t_j) - mu_j) / sigma_j) at equal times: how far along its way the pen is.

    Each elementary movement has a speed that is a log-normal function of time (Plamondon 1995, "A kinematic theory of
    rapid human movements", Part I; the sum is the sigma-lognormal model of O'Reilly and Plamondon 2009). A movement
    of size D lasts 2 pace sqrt(D), so that large ones are faster, as a hand's are (isochrony), and begins when the one
    before it is half over; only across a pen lift nothing overlaps.

    Args:
      sizes: D_j of the elementary movements [J].
      stroke: number of the pen stroke that each belongs to [J], not decreasing.
      pace: seconds from the start of one movement to that of the next, where D = 1.
      sample_rate: in Hz.
      rng: draws sigma_j, uniform in 0.2 to 0.4, and a jitter of the durations.

    Returns:
      u [N], the distance covered; the pen stroke of each sample [N]. The time of a pen stroke is rounded to whole
      samples, so that its first sample is on the pen-down and its last on the pen-up.
    """
    from scipy.special import ndtr

    sigma = rng.uniform(0.2, 0.4, len(sizes))  # [J]
    duration = 2 * pace * np.sqrt(sizes) * rng.lognormal(0.0, 0.08, len(sizes))  # [J], from 1 % to 99 %
    heads = np.flatnonzero(np.append(True, stroke[1:] != stroke[:-1]))  # the first movement of each pen stroke
    starts = 0.5 * (duration.cumsum() - duration)  # [J]
    starts -= starts[heads][stroke]
    total = np.maximum.reduceat(starts + duration, heads)  # seconds per pen stroke
    samples = np.maximum(1, np.rint(total * sample_rate)).astype(int)
    stretch = (samples / sample_rate / total)[stroke]
    duration, starts = duration * stretch, starts * stretch
    # One clock for all: the pen is in the air for one interval.
    starts += ((samples + 1).cumsum() - samples - 1)[stroke] / sample_rate
    median = duration / (2 * np.sinh(TAIL * sigma))  # exp(mu)
    onset = starts - median * np.exp(-TAIL * sigma)
    time = np.arange((samples + 1).sum())[:, None] / sample_rate  # [N, 1]
    done = (time > starts).astype(float)  # [N, J], 0 before, 1 from the start on
    now = (time > starts) & (time < starts + duration)
    j = np.nonzero(now)[1]
    quantile = np.log((time - onset)[now] / median[j]) / sigma[j]
    done[now] = (ndtr(quantile) - ndtr(-TAIL)) / (ndtr(TAIL) - ndtr(-TAIL))
    return done @ sizes, np.repeat(np.arange(len(samples)), samples + 1)


def write(path: Path, tempo: float, sample_rate: float, rng: np.random.Generator) -> tuple[Array, Array]:
    """Positions of the pen at equal times while it follows a path.

    The elementary movements are the pieces between maxima of the curvature. Along them the pen moves by
    `sigma_lognormal` in the coordinate u with du = kappa^(1/3) ds, so that its speed is
    ds/dt = kappa^(-1/3) du/dt: slow in sharp turns, by the power law of Lacquaniti, Terzuolo and Viviani (1983).

    Args:
      path: M dense points.
      tempo: 1 is an average hand; 2 writes twice as fast.
      sample_rate: in Hz.
      rng: draws the movements' shapes and durations.

    Returns:
      points [N, 2], with the first and the last point of every stroke; pen_up [N], 1 on the last of every stroke.
    """
    from scipy.signal import find_peaks

    ends, heads = path.ends, np.append(0, path.ends[:-1] + 1)  # [S]
    kappa = curvature(path)
    density = np.cbrt(kappa) * np.hypot(*path.first.T)  # du per point
    gain = 0.5 * (density[1:] + density[:-1])
    gain[ends[:-1]] = LIFT
    u = np.append(0.0, gain.cumsum())  # [M]
    turns, _ = find_peaks(np.log(kappa), prominence=0.4)
    # Pieces shorter than a twentieth of a unit are no movement of their own.
    on = path.stroke[turns]
    turns = turns[np.minimum(u[turns] - u[heads][on], u[ends][on] - u[turns]) > 0.05]
    bounds = np.sort(np.concatenate([heads, turns, ends]))
    stroke = path.stroke[bounds]
    inside = stroke[1:] == stroke[:-1]
    sizes = (u[bounds[1:]] - u[bounds[:-1]])[inside]  # [J]
    covered, stroke = sigma_lognormal(sizes, stroke[1:][inside], PACE / tempo, sample_rate, rng)
    at = covered + LIFT * stroke  # [N]
    points = np.stack([np.interp(at, u, path.points[:, 0]), np.interp(at, u, path.points[:, 1])], axis=1)
    return points, np.append(stroke[1:] != stroke[:-1], True)


def tremor_noise(steps: int, sample_rate: float, rng: np.random.Generator) -> Array:
    """Gaussian noise [steps, 2] of expected variance 1 per coordinate with nothing above `TREMOR_CUTOFF`."""
    spectrum = np.fft.rfft(rng.standard_normal((steps, 2)), axis=0)
    passed = np.fft.rfftfreq(steps, 1 / sample_rate) <= TREMOR_CUTOFF  # [steps // 2 + 1]
    # Each frequency but 0 and the highest of an even number of steps stands for two coefficients of the transform.
    pairs = np.where(np.arange(len(passed)) * 2 % steps == 0, 1, 2)
    kept = (pairs * passed).sum() / steps  # share of the variance that passes
    return np.fft.irfft(spectrum * passed[:, None], n=steps, axis=0) / np.sqrt(kept)
