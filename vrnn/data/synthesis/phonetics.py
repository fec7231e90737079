"""What synthetic speech says: phones, the syllables they make, and the prosody of phrases.

Axes beyond those of `source_filter`: P phones of an utterance, one after the other; K syllables of an utterance.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vrnn.data.synthesis.source_filter import CONTROL_RATE, Array, Controls, Voice

ANY = (math.nan,) * 4  # formants of the vowel of the same syllable


class Phone(NamedTuple):
    """A stretch of sound with constant targets; amplitudes are relative to a vowel's voicing.

    Attributes:
      seconds: usual duration.
      formants: F1 to F4, Hz.
      voicing, aspiration, frication: amplitudes of the three sources.
      noise: centre and bandwidth of the first, then of the second frication pole, Hz.
      damping: factor on the formants' bandwidths.
    """

    seconds: float
    formants: tuple[float, ...] = ANY
    voicing: float = 0.0
    aspiration: float = 0.0
    frication: float = 0.0
    noise: tuple[float, ...] = (4000, 4000, 6000, 4000)
    damping: float = 1.0


HISS, HUSH = (5200, 1000, 6800, 1400), (2700, 600, 4300, 2200)  # s: 4 to 8 kHz; S: 2 to 6 kHz
FLAT, LOW, MIDDLE = (3000, 7000, 7000, 5000), (900, 1200, 3000, 5000), (1900, 500, 3500, 4000)  # f, p, k
LABIAL, ALVEOLAR = (280, 900, 2200, 3400), (300, 1750, 2650, 3500)  # where formants point to at a closure (locus)
PALATAL, VELAR = (300, 2050, 2750, 3500), (280, 2100, 2350, 3400)

# Vowels: Peterson and Barney (1952), men, with F4 near 3500 Hz. Consonants: after the tables of Klatt (1980).
VOWELS = {
    "i": (270, 2290, 3010, 3500),
    "I": (390, 1990, 2550, 3500),
    "E": (530, 1840, 2480, 3500),
    "ae": (660, 1720, 2410, 3500),
    "A": (730, 1090, 2440, 3400),
    "O": (570, 840, 2410, 3300),
    "U": (440, 1020, 2240, 3300),
    "u": (300, 870, 2240, 3300),
    "V": (640, 1190, 2390, 3400),
    "3r": (490, 1350, 1690, 3300),
}
PHONES = {name: Phone(0.06, formants, voicing=1) for name, formants in VOWELS.items()} | {
    "-": Phone(0.0),  # an empty slot of a syllable
    "pause": Phone(0.22),
    "h": Phone(0.06, aspiration=0.5, damping=2),
    "puff": Phone(0.035, aspiration=0.45, damping=2),  # between the burst of p, t, k and the vowel
    "s": Phone(0.1, ALVEOLAR, frication=5.0, noise=HISS),
    "z": Phone(0.08, ALVEOLAR, voicing=0.2, frication=2.5, noise=HISS),
    "S": Phone(0.1, PALATAL, frication=9.0, noise=HUSH),
    "f": Phone(0.09, LABIAL, frication=0.55, noise=FLAT),
    "v": Phone(0.06, LABIAL, voicing=0.3, frication=0.25, noise=FLAT),
    "m": Phone(0.07, (270, 1050, 2150, 3300), voicing=0.7, damping=2.5),
    "n": Phone(0.065, (270, 1500, 2500, 3400), voicing=0.7, damping=2.5),
    "l": Phone(0.06, (350, 1050, 2700, 3500), voicing=0.6),
    "r": Phone(0.06, (330, 1060, 1400, 3300), voicing=0.6),
    "w": Phone(0.06, (290, 610, 2150, 3300), voicing=0.6),
    "j": Phone(0.06, (260, 2070, 3020, 3600), voicing=0.6),
    "p_closure": Phone(0.065, LABIAL),
    "t_closure": Phone(0.06, ALVEOLAR),
    "k_closure": Phone(0.06, VELAR),
    "b_closure": Phone(0.06, (200, 900, 2200, 3400), voicing=0.08, damping=3),
    "d_closure": Phone(0.05, (200, 1750, 2650, 3500), voicing=0.08, damping=3),
    "g_closure": Phone(0.055, (200, 2100, 2350, 3400), voicing=0.08, damping=3),
    "p_burst": Phone(0.012, LABIAL, frication=2.5, noise=LOW),
    "t_burst": Phone(0.014, ALVEOLAR, frication=2.2, noise=(4500, 2500, 6000, 3000)),
    "k_burst": Phone(0.016, VELAR, frication=5.0, noise=MIDDLE),
}
NAMES = list(PHONES)

# What may stand in a syllable, each as the phones of its slots: onset (3 slots), nucleus (2) and coda (2).
# Written twice: twice as frequent.
ONSETS = ["", "h", "s", "z", "S", "f", "v", "m", "n", "l", "r", "w", "j", "s t_closure t_burst", "t_closure t_burst r"]
ONSETS += ["p_closure p_burst puff", "t_closure t_burst puff", "k_closure k_burst puff"]
ONSETS += ["b_closure p_burst", "d_closure t_burst", "g_closure k_burst"] * 2 + ["", "m", "n", "l", "r", "w"]
NUCLEI = [*(f"{vowel} {vowel}" for vowel in VOWELS), "A I", "A U", "E i", "O U"]  # four diphthongs
CODAS = ["n", "m", "s", "z", "l", "f", "S", "t_closure t_burst", "k_closure k_burst", "d_closure", "n t_burst"]
CODAS += ["n", "m", "l"] + [""] * 12
SLOTS = 3 + 2 + 2 + 1  # and a pause
LOUDNESS = (-1, -1, -1, 0, -1, -3, -4, 0)  # of the slots of a syllable, dB
ACCENT = (0, 0, 0.2, 1, 0.6, 0.1, 0, 0)  # how much of an accent's rise the slots have


class Score(NamedTuple):
    """What N utterances say: P phones one after the other, with their prosody.

    Attributes:
      phones: numbers in NAMES [N, P].
      seconds: durations, 0 where a slot is empty [N, P].
      formants: F1 to F4 of a tract of 17.5 cm, Hz [N, P, F].
      semitones: F0 over the voice's median [N, P].
      loudness: factor on all amplitudes [N, P].
    """

    phones: NDArray[np.int64]
    seconds: Array
    formants: Array
    semitones: Array
    loudness: Array


def _phrases(num: int, syllables: int, rng: np.random.Generator) -> tuple[Array, NDArray[np.bool_]]:
    """Where each syllable stands in its phrase of 4 to 9 syllables, 0 to 1, and whether it is the last, [N, K]."""
    lengths = rng.integers(4, 10, (num, syllables))
    ends = lengths.cumsum(1)
    syllable = np.arange(syllables)
    phrase = (ends[:, None, :] <= syllable[:, None]).sum(-1)  # [N, K]
    end, length = np.take_along_axis(ends, phrase, 1), np.take_along_axis(lengths, phrase, 1)
    return (syllable - end + length) / (length - 1), syllable == end - 1


def _choose(choices: list[str], slots: int, shape: tuple[int, int], rng: np.random.Generator) -> NDArray[np.int64]:
    """Numbers in NAMES of the phones of randomly chosen parts of syllables [*shape, slots]."""
    table = [[NAMES.index(name) for name in (choice.split() + ["-"] * slots)[:slots]] for choice in choices]
    return np.array(table)[rng.integers(len(choices), size=shape)]


def draw_score(voice: Voice, seconds: float, rng: np.random.Generator) -> Score:
    """Random syllables in phrases, enough for `seconds` of each voice."""
    num, syllables = len(voice.f0), math.ceil(seconds / 0.1)
    position, last = _phrases(num, syllables, rng)  # [N, K]
    stressed = rng.random((num, syllables)) < 0.4
    parts = [
        _choose(choices, slots, (num, syllables), rng) for choices, slots in ((ONSETS, 3), (NUCLEI, 2), (CODAS, 2))
    ]
    pause = np.where(last, NAMES.index("pause"), NAMES.index("-"))[..., None]
    phones = np.concatenate([*parts, pause], 2)  # [N, K, slots]

    seconds_each = np.array([phone.seconds for phone in PHONES.values()])[phones]
    seconds_each *= np.exp(0.15 * rng.standard_normal(phones.shape)) / voice.rate[:, None, None]
    seconds_each[:, :, 3:7] *= np.where(last, 1.5, np.where(stressed, 1.25, 0.9))[..., None]  # phrases end slowly

    formants = np.array([phone.formants for phone in PHONES.values()])[phones]  # [N, K, slots, F]
    vowel = formants[:, :, [3, 3, 3, 3, 4, 4, 4, 4]]
    formants = np.where(np.isnan(formants), vowel, formants) * np.exp(0.03 * rng.standard_normal(formants.shape))

    # Declination over the phrase and a final fall; an accent rises from it in the nucleus of a stressed syllable.
    accent = np.where(stressed, rng.uniform(2, 6, stressed.shape), rng.normal(0, 0.7, stressed.shape))
    semitones = (2.5 - 4 * position)[..., None] + accent[..., None] * ACCENT
    semitones[:, :, 4:] -= 2.5 * last[..., None]
    decibel = np.where(stressed, 2, -1) - 4 * position + rng.normal(0, 1, stressed.shape)

    def flat(values: NDArray[np.float64]) -> Array:
        return values.reshape(num, syllables * SLOTS, *values.shape[3:]).astype(np.float32)

    return Score(
        phones.reshape(num, -1),
        flat(seconds_each),
        flat(formants),
        flat(semitones) * voice.liveliness[:, None],
        flat(10 ** ((decibel[..., None] + LOUDNESS) / 20)),
    )


def controls_of(score: Score, voice: Voice, seconds: float, rng: np.random.Generator) -> Controls:
    """The score as smooth tracks, from a random point of its first second on; jitter and shimmer added."""
    from scipy.ndimage import uniform_filter1d

    num_controls = math.ceil(seconds * CONTROL_RATE)
    ends = score.seconds.cumsum(1) - rng.random((len(score.phones), 1), np.float32)
    times = np.arange(num_controls, dtype=np.float32) / CONTROL_RATE
    at = np.stack([np.searchsorted(row, times, side="right") for row in ends])  # [N, C], which phone sounds
    at = np.minimum(at, score.phones.shape[1] - 1)
    phones = np.take_along_axis(score.phones, at, 1)

    def smooth(track: Array, width: float) -> Array:
        """A track [N, C] -> [C, N], steps spread over twice `width` seconds without a corner."""
        size = max(round(width * CONTROL_RATE), 1)
        for _ in range(2):
            track = uniform_filter1d(track, size, axis=1, mode="nearest")
        return np.ascontiguousarray(track.T)

    def field(name: str) -> Array:
        return np.array([getattr(phone, name) for phone in PHONES.values()], np.float32)[phones]

    loudness = np.take_along_axis(score.loudness, at, 1)
    noise = field("noise")  # [N, C, 4]
    semitones = smooth(np.take_along_axis(score.semitones, at, 1), 0.05)
    jitter, shimmer = 1 + np.array([0.006, 0.03], np.float32)[:, None, None] * rng.standard_normal(
        (2, *semitones.shape), np.float32
    )
    formants = (np.take_along_axis(score.formants[..., k], at, 1) for k in range(4))
    return Controls(
        f0=voice.f0 * 2 ** (semitones / 12) * jitter,
        formants=np.stack([smooth(track, 0.025) for track in formants], 1),
        damping=smooth(field("damping"), 0.01),
        voicing=smooth(field("voicing") * loudness, 0.015) * shimmer,
        aspiration=smooth(field("aspiration") * loudness, 0.01),
        frication=smooth(field("frication") * loudness, 0.0075),
        noise_poles=np.stack([smooth(noise[..., k], 0.01) for k in (0, 2)], 1),
        noise_bandwidths=np.stack([smooth(noise[..., k], 0.01) for k in (1, 3)], 1),
    )
