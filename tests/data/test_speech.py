"""Synthetic speech: what is measured on the sound must be what the model of the voice was told to say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.signal import find_peaks, lfilter, welch

from vrnn.data.speech import NOISE_FLOOR, allot, draw_voices, speak, speech
from vrnn.data.synthesis.phonetics import NAMES, PHONES, VOWELS, draw_score
from vrnn.data.synthesis.source_filter import BANDWIDTHS, CONTROL_RATE, Controls, Voice, resonator, synthesise

RATE = 16_000
SMALL = {"train_sequences": 24, "valid_sequences": 9, "test_sequences": 7, "num_speakers": 20}


@pytest.fixture(scope="module")
def small():
    return speech(**SMALL)


def hold(name: str, voice: Voice, seconds: float = 0.4, **changes) -> np.ndarray:
    """A phone held with a steady pitch [N, samples], without the first 0.1 s; `changes` are fields of the phone."""
    phone, num, count = PHONES[name]._replace(**changes), len(voice.f0), round(seconds * CONTROL_RATE)
    ones = np.ones((count, num), np.float32)
    noise = np.array(phone.noise, np.float32)[:, None] * ones[:, None]  # [C, 4, N]
    formants = np.array(phone.formants, np.float32).reshape(4, -1)  # [4, 1] or [4, N]
    controls = Controls(
        f0=ones * voice.f0,
        formants=formants * ones[:, None],
        damping=ones * phone.damping,
        voicing=ones * phone.voicing,
        aspiration=ones * phone.aspiration,
        frication=ones * phone.frication,
        noise_poles=noise[:, [0, 2]],
        noise_bandwidths=noise[:, [1, 3]],
    )
    return synthesise(controls, voice, RATE, np.random.default_rng(0))[:, RATE // 10 :]


def voices(f0: list[float], **fields: float) -> Voice:
    """Plain voices with the given F0."""
    usual = {"tract": 1, "rate": 1, "liveliness": 1, "open_quotient": 0.6, "tilt": 3000, "breath": 0.003, "level": 0.5}
    num = len(f0)
    return Voice(
        f0=np.array(f0, np.float32),
        **{name: np.full(num, value, np.float32) for name, value in (usual | fields).items()},
    )


def pitch(signal: np.ndarray, lowest: float = 60, highest: float = 600) -> tuple[float, float]:
    """F0 in Hz and the autocorrelation at its lag, of a short stretch of signal."""
    signal = signal - signal.mean()
    full = np.correlate(signal, signal, "full")[len(signal) - 1 :]
    full /= full[0] * np.linspace(1, 1e-3, len(signal))  # unbiased
    lags = np.arange(int(RATE / highest), int(RATE / lowest))
    # The first lag that is nearly as good as the best: multiples of a period are periods as well.
    peaks = lags[find_peaks(full[lags])[0]]
    if len(peaks) == 0:
        return 0.0, 0.0
    best = next(lag for lag in peaks if full[lag] > 0.9 * full[peaks].max())
    return RATE / best, float(full[best])


def band(signal: np.ndarray, low: float, high: float) -> float:
    """Power between two frequencies."""
    frequency, power = welch(signal, RATE, nperseg=512)
    return float(power[(frequency >= low) & (frequency < high)].sum())


def test_shapes_and_sample_rate(small):
    assert small.sample_rate == RATE
    assert small.x_dim == 200
    assert [len(part) for part in (small.train, small.valid, small.test)] == [24, 9, 7]
    assert small.train.batch(torch.arange(3)).x.shape == (3, 40, 200)
    assert small.train.values.dtype == torch.float32


def test_same_seed_same_data_and_another_seed_other_data(small):
    torch.manual_seed(1), np.random.seed(1)
    again, other = speech(**SMALL), speech(**SMALL, seed=1)
    for part in ("train", "valid", "test"):
        assert torch.equal(getattr(again, part).values, getattr(small, part).values)
        assert not torch.equal(getattr(other, part).values, getattr(small, part).values)


def test_standardised_by_one_scalar_of_train_only(small):
    mean, std = small.standardisation.mean, small.standardisation.std
    assert mean.shape == std.shape == (200,)
    assert mean.unique().numel() == std.unique().numel() == 1
    assert abs(float(small.train.values.mean())) < 1e-4
    assert float(small.train.values.std(correction=0)) == pytest.approx(1, abs=1e-4)
    assert float(small.test.values.std()) != pytest.approx(1, abs=1e-3)


def test_raw_samples_lie_in_minus_one_to_one(small):
    for part in (small.train, small.valid, small.test):
        raw = small.standardisation.inverse(part.values)
        assert 0.2 < float(raw.abs().max()) <= 1


def test_no_frame_is_silent_and_pauses_lie_at_the_noise_floor(small):
    raw = torch.cat([small.standardisation.inverse(part.values) for part in (small.train, small.valid, small.test)])
    quietest = float(raw.std(1).min())
    assert 0.7 * NOISE_FLOOR < quietest < 1.3 * NOISE_FLOOR
    assert -67 < 20 * np.log10(quietest / float(raw.abs().max())) < -54


@pytest.mark.parametrize(
    ("num", "utterances"), [(3, (1, 1, 1)), (12, (3, 2, 1)), (160, (512, 64, 64)), (5, (1, 1, 98))]
)
def test_no_speaker_is_in_two_splits(num, utterances):
    parts = [set(part.tolist()) for part in allot(num, utterances)]
    assert all(parts)
    assert len(set.union(*parts)) == sum(len(part) for part in parts)
    assert set.union(*parts) <= set(range(num))


def test_speakers_differ():
    drawn = draw_voices(50, np.random.default_rng(0))
    for field in drawn:
        assert len(np.unique(field)) == 50


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"x_dim": 0}, "x_dim must be at least 1, got 0"),
        ({"num_frames": 0}, "num_frames must be at least 1"),
        ({"valid_sequences": 0}, "valid_sequences must be at least 1"),
        ({"num_speakers": 2}, "num_speakers must be at least 3"),
        ({"sample_rate": 8000}, "sample_rate must be a multiple of 400 from 16000"),
        ({"sample_rate": 22_050}, "sample_rate must be a multiple of 400"),
        ({"seed": -1}, "seed must be at least 0"),
    ],
)
def test_wrong_arguments_are_answered_by_name(wrong, message):
    with pytest.raises(ValueError, match=message):
        speech(**wrong)


def test_a_higher_sample_rate_has_the_same_bands():
    spoken = voices([120.0, 210.0])
    signal = speak(spoken, 1.0, 24_000, np.random.default_rng(0))
    assert np.isfinite(signal).all()
    frequency, power = welch(signal, 24_000, nperseg=512)
    assert power[:, frequency < 8000].sum() > 0.95 * power.sum()


def test_pitch_of_phrases_lies_in_the_speakers_range():
    spoken = voices([110, 210])
    signals = speak(spoken, 3.0, RATE, np.random.default_rng(3))
    for signal, f0 in zip(signals, spoken.f0, strict=True):
        frames = signal[: 3 * RATE].reshape(-1, 800)  # 50 ms
        voiced = [p for p in map(pitch, frames[frames.std(1) > 0.3 * frames.std()]) if p[1] > 0.7]
        semitones = 12 * np.log2(np.array([p[0] for p in voiced]) / f0)
        assert len(voiced) > 8
        assert abs(np.median(semitones)) < 3
        assert np.mean(np.abs(semitones) < 10) > 0.9
        assert np.ptp(np.quantile(semitones, [0.1, 0.9])) > 1.5  # it moves


def test_f0_falls_over_a_phrase_and_starts_anew_after_the_pause():
    score = draw_score(voices([120] * 50), 5.0, np.random.default_rng(0))
    row, slot = np.nonzero(score.phones[:, :-1] == NAMES.index("pause"))
    assert len(row) > 200
    assert np.mean(score.semitones[row, slot + 1] - score.semitones[row, slot]) > 4


def test_speech_has_voice_noise_and_silence(small):
    raw = small.standardisation.inverse(small.train.values).numpy()
    level = 20 * np.log10(raw.std(1) / raw.std())
    assert 0.05 < np.mean(level < -30) < 0.5  # closures and pauses
    loud = raw[level > -6]
    assert len(loud) > 0.15 * len(raw)
    hissing = raw[(level > -30) & (level < -3)]
    spectrum = np.abs(np.fft.rfft(hissing * np.hanning(200))) ** 2  # 80 Hz a bin
    high = spectrum[:, 50:].sum(1) / spectrum.sum(1)
    assert 0.02 < np.mean(high > 0.8) < 0.5  # fricatives


@pytest.mark.parametrize("f0", [100.0, 160.0, 240.0])
def test_a_steady_vowel_has_its_pitch_and_only_harmonics(f0):
    (signal,) = hold("A", voices([f0]), seconds=1.1)
    assert pitch(signal[:1600])[0] == pytest.approx(f0, rel=0.01)
    power = np.abs(np.fft.rfft(signal[:RATE] * np.hanning(RATE))) ** 2  # 1 Hz a bin
    harmonics = np.arange(1, int(3000 / f0) + 1) * int(f0)
    on = np.array([power[k - 3 : k + 4].max() for k in harmonics])
    off = np.array([np.median(power[k + int(f0 / 2) - 10 : k + int(f0 / 2) + 10]) for k in harmonics])
    assert np.all(on > 100 * off)  # 20 dB


def test_formants_of_steady_vowels_peak_at_their_targets():
    """Whispered vowels, of a man's tract and of a woman's: no harmonics hide the peaks of the spectrum."""
    tract = np.repeat(np.array([1, 1.17], np.float32), len(VOWELS))
    targets = np.array(list(VOWELS.values()) * 2, np.float32).T  # [F, N]
    spoken = voices([120.0] * len(tract))._replace(tract=tract)
    whispers = hold("A", spoken, seconds=3, voicing=0, aspiration=1, formants=targets)
    frequency, power = welch(whispers, RATE, nperseg=512)
    for spectrum, target in zip(10 * np.log10(power), (targets * tract).T, strict=True):
        peaks = frequency[find_peaks(spectrum, prominence=0.8)[0]]
        for formant, tolerance in zip(target[:3], (60, 90, 120), strict=True):
            assert np.abs(peaks - formant).min() < tolerance, (target, peaks)


def test_fricatives_lie_where_they_should():
    spoken = voices([120.0])
    (s,), (hush,), (f,) = hold("s", spoken), hold("S", spoken), hold("f", spoken)
    assert band(s, 4000, 8000) > 0.9 * band(s, 0, 8000)
    assert band(hush, 2000, 6000) > 0.9 * band(hush, 0, 8000)
    assert band(hush, 2000, 4000) > 5 * band(s, 2000, 4000)
    assert f.std() < 0.5 * s.std()
    assert pitch(s[:1600])[1] < 0.5


def test_levels_of_phones_are_in_order():
    names = ("A", "n", "s", "t_closure", "d_closure")
    vowel, nasal, hiss, closure, voiced = (hold(name, voices([120.0])).std() for name in names)
    assert vowel > nasal > voiced > 1000 * closure
    assert 0.05 * vowel < hiss < 0.6 * vowel


def test_moving_formants_do_not_click():
    """Coefficients that jump at every control would put -65 dB above 6 kHz, where the soft source has next to none."""
    spoken, count = voices([120.0], tilt=100.0, breath=0.0), 400
    ones = np.ones((count, 1), np.float32)
    glide = np.abs(np.linspace(0, 20, count, dtype=np.float32) % 2 - 1)[:, None, None]  # 50 ms from end to end
    start, end = (np.array(VOWELS[vowel], np.float32)[:, None] for vowel in ("i", "A"))
    noise = np.full((count, 2, 1), 4000, np.float32)
    controls = Controls(120 * ones, start + glide * (end - start), ones, ones, 0 * ones, 0 * ones, noise, noise)
    (signal,) = synthesise(controls, spoken, RATE, np.random.default_rng(0))
    assert 10 * np.log10(band(signal[1600:], 6000, 8000) / band(signal[1600:], 0, 1000)) < -72


def test_the_scan_is_the_cascade_of_scipys_filters():
    """Of the same noise, the ratio of two voices' spectra is the ratio of their formants, exactly."""
    spoken = voices([120.0])
    one, other = (hold("A", spoken, voicing=0, aspiration=1, formants=VOWELS[vowel])[0] for vowel in ("A", "i"))
    for vowel, signal in (("A", other), ("i", one)):
        for frequency, bandwidth in zip(VOWELS[vowel], BANDWIDTHS, strict=False):
            a, b, c = (float(part) for part in resonator(np.float32(frequency), bandwidth, RATE))
            signal = lfilter([a], [1, -b, -c], signal)
        if vowel == "A":
            expected = signal
    late = slice(RATE // 5, None)  # the start of the second filters has died away
    np.testing.assert_allclose(signal[late], expected[late], atol=2e-3 * np.abs(expected).max())
