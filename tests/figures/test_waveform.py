"""The waveform figure writes a PNG that shows the signal, and wav files that play it."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.io import wavfile

from vrnn.figures.waveform import DYNAMIC_RANGE, GAP_SECONDS, Waveform

RATE = 16_000


def tone(hertz: float, steps: int = 12, x_dim: int = 200, amplitude: float = 0.5) -> np.ndarray:
    """A sine in frames [T, D]."""
    time = np.arange(steps * x_dim) / RATE
    return (amplitude * np.sin(2 * np.pi * hertz * time)).astype(np.float32).reshape(steps, x_dim)


def colours(path) -> np.ndarray:
    return imread(path)[..., :3]


def test_writes_a_png_and_a_wav_per_label(tmp_path):
    rows = {"input": [tone(500), tone(1500)], "Reconstruction (mean)": [tone(510), tone(1400)]}
    paths = Waveform(RATE).draw(rows, tmp_path / "speech.png", title="Speech")
    assert [path.name for path in paths] == ["speech.png", "speech_input.wav", "speech_reconstruction_mean.wav"]
    picture = colours(paths[0])
    assert picture.std() > 0.05
    assert len(np.unique(picture)) > 50


def test_a_wav_holds_the_first_examples_with_gaps_in_16_bits(tmp_path):
    examples = [tone(500), tone(800, steps=7), tone(900)]
    _, path = Waveform(RATE, num_examples=2).draw({"input": examples}, tmp_path / "a.png", title="")
    rate, samples = wavfile.read(path)
    gap = round(GAP_SECONDS * RATE)
    assert rate == RATE
    assert samples.dtype == np.int16
    assert len(samples) == 12 * 200 + 7 * 200 + 2 * gap
    np.testing.assert_allclose(samples[:2400] / 32767, examples[0].reshape(-1), atol=1e-4)  # not rescaled
    assert not samples[2400 : 2400 + gap].any()
    np.testing.assert_allclose(samples[2400 + gap :][:1400] / 32767, examples[1].reshape(-1), atol=1e-4)


def test_a_wav_never_clips(tmp_path):
    loud = tone(500, amplitude=3.0)
    _, path = Waveform(RATE).draw({"sample": [loud]}, tmp_path / "a.png", title="")
    samples = wavfile.read(path)[1].astype(np.int64)
    assert 32_000 < np.abs(samples).max() <= 32_767
    np.testing.assert_allclose(samples[:2400] / 32767, loud.reshape(-1) / max(1, np.abs(loud).max()), atol=1e-4)


def test_samples_that_are_not_finite_become_silence(tmp_path):
    broken = tone(500)
    broken[3], broken[5, 0] = np.nan, np.inf
    png, path = Waveform(RATE).draw({"sample": [broken, np.full((12, 200), np.nan)]}, tmp_path / "a.png", title="")
    samples = wavfile.read(path)[1]
    assert not samples[600:800].any()
    assert samples[:600].any()
    assert colours(png).std() > 0.03


def test_the_spectrogram_is_dark_where_the_tone_is():
    level = Waveform(RATE)._decibel(tone(3000, steps=40).reshape(-1))[:, 10:-10]  # away from the ends
    frequency = np.linspace(0, RATE / 2, len(level))
    assert np.all(np.abs(frequency[level.argmax(0)] - 3000) < 30)
    far = np.abs(frequency - 3000) > 500
    assert np.all(level[far].max(0) < level.max(0) - 0.8 * DYNAMIC_RANGE)


def test_ragged_rows_and_lengths_and_very_short_sequences(tmp_path):
    rows = {"input": [tone(500), tone(900, steps=1)], "sample": [tone(400, steps=1, x_dim=3)]}
    paths = Waveform(RATE).draw(rows, tmp_path / "a.png", title="ragged")
    assert all(path.stat().st_size > 0 for path in paths)


def test_a_red_line_ends_the_prefix(tmp_path):
    def red(prefix: int | None) -> int:
        path = Waveform(RATE).draw({"sample": [tone(500)]}, tmp_path / "a.png", title="", prefix=prefix)[0]
        r, g, b = np.moveaxis(colours(path), -1, 0)
        columns = ((r > 0.6) & (g < 0.4) & (b < 0.4)).sum(0)
        return int(columns.argmax()) if columns.any() else -1

    assert red(None) == -1
    early, late = red(3), red(9)
    assert 0 < early < late


@pytest.mark.parametrize("wrong", [{"sample_rate": 0}, {"sample_rate": RATE, "num_examples": 0}])
def test_wrong_arguments_are_answered_by_name(wrong):
    with pytest.raises(ValueError, match="must be at least 1, got 0"):
        Waveform(**wrong)
