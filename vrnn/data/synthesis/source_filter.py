"""Speech by the source-filter model: glottal pulses and noise through resonators that move with time.

The cascade synthesiser of Klatt (1980), "Software for a cascade/parallel formant synthesizer", with the polynomial
glottal pulse of Rosenberg (1971) in the form of Klatt and Klatt (1990). Axes of this file: C controls in time
(`CONTROL_RATE` a second), N utterances, F = 4 moving formants. All utterances are filtered side by side, sample by
sample, so that no block has a border that could click.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]

CONTROL_RATE = 400  # controls per second: 2.5 ms, half of Klatt's usual 5 ms
BANDWIDTHS = np.array([60, 90, 150, 200, 300, 400, 500], np.float32)  # of F1 to F7, Hz
FIXED_FORMANTS = np.array([4500, 5500, 6500], np.float32)  # F5 to F7 of a tract of 17.5 cm, Hz; they hardly move
HIGHEST = 0.45  # fixed formants above this fraction of the sample rate are left out
FAINT = 1e-5  # -100 dB: noise that never stops, so that no filter decays into slow subnormal numbers


class Voice(NamedTuple):
    """What stays the same through an utterance; each field [N].

    Attributes:
      f0: median fundamental frequency, Hz.
      tract: factor on all formants, 1 for a vocal tract of 17.5 cm.
      rate: factor on speaking speed.
      liveliness: factor on the accents of the F0 contour.
      open_quotient: fraction of a glottal period that the glottis is open.
      tilt: corner frequency of the source's low-pass, Hz; low for soft voices.
      breath: aspiration noise while the glottis is open, relative to voicing.
      level: largest absolute sample value of an utterance, in 0..1.
    """

    f0: Array
    tract: Array
    rate: Array
    liveliness: Array
    open_quotient: Array
    tilt: Array
    breath: Array
    level: Array

    def of(self, index: NDArray[np.int64]) -> Voice:
        """The voices numbered `index`."""
        return Voice(*(field[index] for field in self))


class Controls(NamedTuple):
    """What moves in an utterance, at CONTROL_RATE; amplitudes are relative to a vowel's voicing.

    Attributes:
      f0: fundamental frequency, Hz [C, N].
      formants: F1 to F4 of a tract of 17.5 cm, Hz [C, F, N].
      damping: factor on the formants' bandwidths [C, N].
      voicing: amplitude of the glottal pulses [C, N].
      aspiration: amplitude of the noise at the glottis, which the formants shape [C, N].
      frication: amplitude of the noise at a constriction, which the two noise poles shape [C, N].
      noise_poles: centre frequencies of the frication noise, Hz [C, 2, N].
      noise_bandwidths: and their bandwidths, Hz [C, 2, N].
    """

    f0: Array
    formants: Array
    damping: Array
    voicing: Array
    aspiration: Array
    frication: Array
    noise_poles: Array
    noise_bandwidths: Array


def resonator(frequency: Array, bandwidth: Array, sample_rate: int) -> tuple[Array, Array, Array]:
    """Coefficients of y_t = a x_t + b y_{t-1} + c y_{t-2}, with gain 1 at 0 Hz (Klatt 1980, eq. 2).

    Args:
      frequency: of the resonance, Hz [...].
      bandwidth: -3 dB to -3 dB, Hz [...].
    """
    radius = np.exp(-np.pi / sample_rate * bandwidth)
    b = 2 * radius * np.cos(2 * np.pi / sample_rate * frequency)
    c = -(radius**2)
    return 1 - b - c, b, c


def glottal_flow(phase: Array, open_quotient: Array) -> Array:
    """Flow through the glottis, 27/4 u^2 (1 - u) with u = phase / open quotient while open, else 0; its maximum is 1.

    Args:
      phase: fraction of the period that has passed, in 0..1 [..., N].
      open_quotient: fraction of the period that the glottis is open [N].
    """
    u = np.minimum(phase / open_quotient, 1)
    return 6.75 * u * u * (1 - u)


def _coefficients(controls: Controls, voice: Voice, sample_rate: int) -> tuple[Array, Array, Array]:
    """a, b, c of the eleven stages: tilt, F1 to F7, a gap, two noise poles.

    Returns all stages, with what moves left zero [3, 11, N]; F1 to F4 at every control [C, 3, 4, N]; the noise poles
    at every control [C, 3, 2, N]. The gap is zero: it separates the cascade of the voice from that of the noise.
    """
    stages = np.zeros((3, 11, len(voice.f0)), np.float32)
    pole = np.exp(-2 * np.pi / sample_rate * voice.tilt)
    stages[0, 0], stages[1, 0] = 1 - pole, pole
    highest = FIXED_FORMANTS[:, None] * voice.tract  # [3, N]
    fixed = np.stack(np.broadcast_arrays(*resonator(highest, BANDWIDTHS[4:, None], sample_rate)))
    nothing = np.array([1, 0, 0])[:, None, None]  # y = x
    stages[:, 5:8] = np.where(highest < HIGHEST * sample_rate, fixed, nothing)

    damping = controls.damping[:, None]
    formants = resonator(controls.formants * voice.tract, damping * BANDWIDTHS[:4, None], sample_rate)
    _, b, c = resonator(controls.noise_poles, controls.noise_bandwidths, sample_rate)
    # The noise poles get gain 1 at their centre instead of at 0 Hz.
    radius, angle = np.sqrt(-c), 2 * np.pi / sample_rate * controls.noise_poles
    a = (1 - radius) * np.sqrt(1 - 2 * radius * np.cos(2 * angle) + radius**2)
    return stages, np.stack(formants, 1), np.stack((a, b, c), 1)


def synthesise(controls: Controls, voice: Voice, sample_rate: int, rng: np.random.Generator) -> Array:
    """Sound pressure of N utterances, without level or noise floor [N, C * step], step = sample_rate / CONTROL_RATE.

    Args:
      controls: what moves, C controls of N utterances.
      voice: what stays, N utterances.
      sample_rate: samples per second; a multiple of CONTROL_RATE.
      rng: source of the aspiration and frication noise.
    """
    num_controls, num = controls.f0.shape
    step = sample_rate // CONTROL_RATE
    stages, formants, noise = _coefficients(controls, voice, sample_rate)
    (a, b, c), moving = stages, stages[:, 1:5]
    signal = np.empty((num, num_controls * step), np.float32)
    source = _Source(controls, voice, sample_rate, rng)
    # Row k + 1 is the output of stage k, whose input is row k one sample earlier: the whole cascade is one update
    # over all rows, at the price of a delay of one sample a stage. Rows 0 and 9 hold the inputs.
    now, last, before = np.zeros((3, 12, num), np.float32)
    work = np.empty((11, num), np.float32)
    block = np.empty((step, num), np.float32)
    for i in range(num_controls):
        throat, constriction = source.block(i)
        # Formants move sample by sample: coefficients that jump click. What lies between two stable resonators is
        # stable, because the stable (b, c) form a triangle.
        moving[:], stages[:, 9:] = formants[i], noise[i]
        slope = (formants[min(i + 1, num_controls - 1)] - formants[i]) / step
        for t in range(step):
            last[0], last[9] = throat[t], constriction[t]
            np.multiply(a, last[:-1], out=now[1:])
            np.multiply(b, last[1:], out=work)
            now[1:] += work
            np.multiply(c, before[1:], out=work)
            now[1:] += work
            np.add(now[8], now[11], out=block[t])
            now, last, before = before, now, last
            moving += slope
        signal[:, i * step : (i + 1) * step] = block.T
    return signal


class _Source:
    """The two inputs of the filters, control by control; its state is what continues over a control's border."""

    def __init__(self, controls: Controls, voice: Voice, sample_rate: int, rng: np.random.Generator):
        self.controls = controls
        self.voice = voice
        self.sample_rate = sample_rate
        self.rng = rng
        num = len(voice.f0)
        self.step = sample_rate // CONTROL_RATE
        self.ramp = (np.arange(1, self.step + 1, dtype=np.float32) / self.step)[:, None]  # [step, 1]
        self.pole = np.exp(-2 * np.pi / sample_rate * voice.tilt).astype(np.float32)
        self.phase = rng.random(num, np.float32)
        self.flow = np.zeros((1, num), np.float32)
        self.noise = np.zeros((1, num), np.float32)

    def block(self, i: int) -> tuple[Array, Array]:
        """Input of the vocal tract and of the frication poles during control i, each [step, N]."""

        def ramp(track: Array) -> Array:
            before = track[max(i - 1, 0)]
            return before + self.ramp * (track[i] - before)

        f0, voice = self.controls.f0[i], self.voice
        phase = self.phase + self.ramp * (f0 * (self.step / self.sample_rate))
        phase -= np.floor(phase)
        flow = np.concatenate([self.flow, glottal_flow(phase, voice.open_quotient)])
        noise = np.concatenate([self.noise, self.rng.standard_normal(phase.shape, np.float32)])
        self.phase, self.flow, self.noise = phase[-1], flow[-1:], noise[-1:]

        voicing = ramp(self.controls.voicing)
        # Radiation from the lips is a first difference: +6 dB per octave. It is taken here, on the flow, in units of
        # the period, so that a voice's level does not depend on its F0.
        pulses = np.diff(flow, axis=0) * (voicing * (self.sample_rate / f0))
        # Aspiration is white: the difference undoes the tilt, which is the first stage of the filter.
        white = (noise[1:] - self.pole * noise[:-1]) / (1 - self.pole)
        aspiration = ramp(self.controls.aspiration) + voicing * voice.breath * (0.2 + flow[1:]) + FAINT
        # A first difference takes the low frequencies out of the frication noise.
        return pulses + white * aspiration, np.diff(noise, axis=0) * (ramp(self.controls.frication) + FAINT)
