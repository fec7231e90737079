"""Speech as a person looks at it and listens to it: waveforms, spectrograms and wav files."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

Array = NDArray[np.float32]

WINDOW_SECONDS = 0.025  # long enough to show the harmonics of a voice, short enough for formants that move
HOP_SECONDS = 0.002
DYNAMIC_RANGE = 70.0  # dB from white to black
QUIETEST_TOP = -50.0  # dB below full scale
TOP_FREQUENCY = 8000.0  # Hz
GAP_SECONDS = 0.25  # silence between the examples of a wav file


# Inches; with layout="constrained", matplotlib would find such places by drawing all of it three times.
LEFT, RIGHT, TOP, BOTTOM = 0.95, 0.95, 0.75, 0.55  # margins; the right one holds the colour bar
WAVE, BETWEEN, SPECTROGRAM, BELOW = 0.7, 0.16, 1.4, 0.35  # heights of a label's block, and the gap to the next one
WIDTH, BESIDE = 2.9, 0.3  # of a picture, and the gap to the next one
SINGLE = 4.6  # width of a picture that stands alone: that of a title
NAME = 0.7  # from an axis to its name


class Waveform:
    """Waveforms over their spectrograms, one column per example, and one wav file per label.

    Args:
      sample_rate: samples per second of the signal that a sequence [T, D] makes, read row by row.
      num_examples: examples drawn at most, the first ones.

    Raises:
      ValueError: sample_rate or num_examples is below 1.
    """

    def __init__(self, sample_rate: int, num_examples: int = 4):
        for name, value in {"sample_rate": sample_rate, "num_examples": num_examples}.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, got {value}")
        self.sample_rate = sample_rate
        self.num_examples = num_examples

    def draw(
        self, rows: dict[str, list[Array]], path: Path | str, *, title: str, prefix: int | None = None
    ) -> list[Path]:
        """Writes the PNG and the wav files `<stem>_<label>.wav`, and returns their paths, the PNG first.

        A wav file holds the drawn examples one after the other, with short gaps; it is scaled down to full scale only
        where a sample exceeds 1, and a note on the drawing says by how much. A sample that is not finite is a gap in
        the waveform, and silence elsewhere.

        Args:
          rows: {label: sequences [T, D]}.
          path: of the PNG.
          title: one line.
          prefix: first steps that were given rather than generated; a line marks their end.
        """
        path = Path(path)
        signals = {
            label: [np.asarray(x, np.float32).reshape(-1) for x in sequences[: self.num_examples]]
            for label, sequences in rows.items()
        }
        given = None
        if prefix is not None:
            x_dim = next(x.shape[1] for sequences in rows.values() for x in sequences)
            given = prefix * x_dim / self.sample_rate
        wavs, notes = [], {}
        for label, examples in signals.items():
            wav = path.with_name(f"{path.stem}_{re.sub(r'[^a-z0-9]+', '_', label.lower()).strip('_')}.wav")
            gain = self._write_wav(wav, examples)
            notes[label] = f"  (wav scaled by {gain:.2g})" if gain < 1 else ""
            wavs.append(wav)
        self._figure(signals, notes, title, given).savefig(path, dpi=150)
        return [path, *wavs]

    def _write_wav(self, path: Path, examples: list[Array]) -> float:
        """Writes the examples as 16-bit samples; returns the factor that kept them from clipping, 1 if none did."""
        from scipy.io import wavfile

        gap = np.zeros(round(GAP_SECONDS * self.sample_rate), np.float32)
        signal = np.concatenate([part for example in examples for part in (_finite(example), gap)] or [gap])
        gain = 1 / max(1.0, float(np.abs(signal).max()))
        wavfile.write(path, self.sample_rate, np.round(signal * (gain * 32767)).astype(np.int16))
        return gain

    def _figure(
        self, signals: dict[str, list[Array]], notes: dict[str, str], title: str, given: float | None
    ) -> Figure:
        """The drawing; two rows of axes per label."""
        columns = max(len(examples) for examples in signals.values())
        figure, axes, colours = _empty(columns, len(signals), title)
        levels = {label: [self._decibel(x) for x in examples] for label, examples in signals.items()}
        # Black is the loudest bin of the first label, unless that is silence.
        top = max(QUIETEST_TOP, *(level.max() for level in next(iter(levels.values()))))
        images: list[AxesImage] = []
        for row, (label, examples) in enumerate(signals.items()):
            peak = 1.05 * max(np.abs(_finite(x)).max() for x in examples) or 1.0
            for column in range(columns):
                wave, spectrogram = axes[2 * row : 2 * row + 2, column]
                if column >= len(examples):
                    wave.set_axis_off(), spectrogram.set_axis_off()
                    continue
                self._draw_wave(wave, examples[column], peak)
                images.append(self._draw_spectrogram(spectrogram, levels[label][column], examples[column], top))
                if given is not None:
                    self._mark(wave, spectrogram, given)
            axes[2 * row, 0].set_ylabel("amplitude")
            axes[2 * row + 1, 0].set_ylabel("frequency (kHz)")
            axes[2 * row, 0].set_title(label + notes[label], loc="left", fontweight="bold", fontsize="medium")
        for column, ax in enumerate(axes[-1]):
            ax.set_xlabel("time (s)")
            longest = max(len(examples[column]) for examples in signals.values() if column < len(examples))
            ax.set_xlim(0, longest / self.sample_rate)
        figure.colorbar(images[-1], cax=colours, label=f"level (dB re loudest of “{next(iter(signals))}”)")
        return figure

    def _draw_wave(self, ax: Axes, signal: Array, peak: float) -> None:
        ax.plot(np.arange(len(signal)) / self.sample_rate, signal, color="black", linewidth=0.4)
        ax.set_ylim(-peak, peak)
        ax.locator_params(axis="y", nbins=3)
        ax.yaxis.set_major_formatter("{x:g}")

    def _draw_spectrogram(self, ax: Axes, level: NDArray[np.float64], signal: Array, top: float) -> AxesImage:
        seconds = len(signal) / self.sample_rate
        image = ax.imshow(
            level - top,
            origin="lower",
            aspect="auto",
            cmap="gray_r",
            vmin=-DYNAMIC_RANGE,
            vmax=0,
            extent=(0, seconds, 0, self.sample_rate / 2000),
            interpolation="bilinear",
        )
        ax.set_ylim(0, min(TOP_FREQUENCY, self.sample_rate / 2) / 1000)
        return image

    def _mark(self, wave: Axes, spectrogram: Axes, given: float) -> None:
        """Marks where the given part ends, in seconds, and the generated one begins."""
        for ax in (wave, spectrogram):
            ax.axvline(given, color="tab:red", linewidth=1)
        text: dict[str, Any] = {
            "color": "tab:red",
            "fontsize": "x-small",
            "va": "bottom",
            "transform": wave.get_xaxis_transform(),
        }
        wave.text(given, 0, "given ", ha="right", clip_on=True, **text)
        wave.text(given, 0, " generated", ha="left", clip_on=True, **text)

    def _decibel(self, signal: Array) -> NDArray[np.float64]:
        """Short-time power of a signal in dB, [frequencies from 0 to half the sample rate, frames]."""
        from scipy.signal import ShortTimeFFT
        from scipy.signal.windows import hann

        window = hann(max(round(WINDOW_SECONDS * self.sample_rate), 2), sym=False)
        hop = max(round(HOP_SECONDS * self.sample_rate), 1)
        transform = ShortTimeFFT(window, hop, self.sample_rate, mfft=4 * len(window), scale_to="magnitude")
        padded = np.pad(_finite(signal).astype(np.float64), (0, max(len(window) - len(signal), 0)))
        power = transform.spectrogram(padded, p0=0, p1=max(len(signal) // hop, 1), padding="even")
        return 10 * np.log10(power + 1e-12)


def _finite(signal: Array) -> Array:
    """The signal with zeros where it is not finite."""
    return np.nan_to_num(signal, nan=0.0, posinf=0.0, neginf=0.0)


def _empty(columns: int, labels: int, title: str) -> tuple[Figure, NDArray[np.object_], Axes]:
    """A figure without contents; its axes [2 * labels, columns], those of a column sharing their time; the bar's."""
    from matplotlib.figure import Figure

    heights = ([WAVE, BETWEEN, SPECTROGRAM, BELOW] * labels)[:-1]
    wide = WIDTH if columns > 1 else SINGLE
    width, height = LEFT + columns * (wide + BESIDE) - BESIDE + RIGHT, TOP + sum(heights) + BOTTOM
    figure = Figure(figsize=(width, height))
    figure.suptitle(title, y=1 - 0.12 / height, va="top")
    edges = {"left": LEFT / width, "right": 1 - RIGHT / width, "top": 1 - TOP / height, "bottom": BOTTOM / height}
    grid = figure.add_gridspec(len(heights), columns, height_ratios=heights, hspace=0.0, wspace=BESIDE / wide, **edges)
    axes: NDArray[np.object_] = np.empty((2 * labels, columns), object)
    for row, column in np.ndindex(axes.shape):
        ax = figure.add_subplot(grid[2 * row, column], sharex=axes[0, column])
        ax.yaxis.set_label_coords(-NAME / wide, 0.5)
        axes[row, column] = ax
        ax.tick_params(labelsize="small", labelleft=column == 0, labelbottom=row == 2 * labels - 1)
    bar = (edges["right"] + 0.12 / width, edges["bottom"], 0.09 / width, edges["top"] - edges["bottom"])
    return figure, axes, figure.add_axes(bar)
