"""Synthetic speech-like waveforms: speakers who utter random phrases, by the source-filter model."""

from __future__ import annotations

import math

import numpy as np
import torch
from numpy.typing import NDArray

from vrnn.data.splits import Sequences, Splits, Standardisation
from vrnn.data.synthesis.phonetics import controls_of, draw_score
from vrnn.data.synthesis.source_filter import CONTROL_RATE, Array, Voice, synthesise
from vrnn.memory import require_memory

UTTERANCE_SECONDS = 4.0
SHORTEST_SECONDS = 2.0  # spoken even where less is used, so that it is a vowel that sets an utterance's level
LEAD_SECONDS = 0.1  # synthesised and dropped: the filters start at rest
NOISE_FLOOR = 6e-4  # standard deviation of the room noise: -60 dB below the middle of the speakers' peak levels


def draw_voices(num: int, rng: np.random.Generator) -> Voice:
    """`num` speakers: men, women and some children, by the averages of Peterson and Barney (1952)."""
    kind = rng.choice(3, num, p=[0.45, 0.45, 0.1])
    fields = {
        "f0": np.array([130, 220, 265])[kind] * np.exp(rng.normal(0, 0.12, num)),
        "tract": np.array([1, 1.17, 1.3])[kind] * np.exp(rng.normal(0, 0.03, num)),
        "rate": np.exp(rng.normal(0, 0.12, num)),
        "liveliness": rng.uniform(0.6, 1.4, num),
        "open_quotient": rng.uniform(0.5, 0.75, num),
        "tilt": np.exp(rng.uniform(math.log(1000), math.log(4000), num)),
        "breath": np.exp(rng.uniform(math.log(0.003), math.log(0.03), num)),
        "level": rng.uniform(0.3, 0.9, num),
    }
    return Voice(**{name: field.astype(np.float32) for name, field in fields.items()})


def allot(num_speakers: int, utterances: tuple[int, ...]) -> list[NDArray[np.int64]]:
    """Who speaks each utterance of each split [utterances of the split]; no speaker is in two splits."""
    spare = num_speakers - len(utterances)  # beyond the one that each split must have
    speakers = [1 + spare * count // sum(utterances) for count in utterances]
    first = np.cumsum([0, *speakers])
    return [first[i] + np.arange(count) % speakers[i] for i, count in enumerate(utterances)]


def speak(voice: Voice, seconds: float, sample_rate: int, rng: np.random.Generator) -> Array:
    """Utterances of the voices with room noise, in [-1, 1] up to that noise [N, samples >= seconds * sample_rate]."""
    seconds = max(seconds, SHORTEST_SECONDS)
    score = draw_score(voice, seconds + 1, rng)
    signal = synthesise(controls_of(score, voice, seconds + LEAD_SECONDS, rng), voice, sample_rate, rng)
    signal = signal[:, round(LEAD_SECONDS * sample_rate) :]
    for row, level in zip(signal, voice.level, strict=True):
        row *= level / max(row.max(), -row.min())
        row += NOISE_FLOOR * rng.standard_normal(len(row), np.float32)
    return signal


def speech(
    x_dim: int = 200,
    num_frames: int = 40,
    sample_rate: int = 16_000,
    train_sequences: int = 4096,
    valid_sequences: int = 512,
    test_sequences: int = 512,
    num_speakers: int = 160,
    seed: int = 0,
) -> Splits:
    """Synthetic speech in frames of x_dim samples.

    Sequences are cut end to end from utterances of about 4 s, so that they start at any point of a phrase; the cuts
    of one utterance stay in one split. Standardised by one scalar mean and standard deviation, as in the paper's
    experiments on speech (Chung et al. 2015, section 4).

    Args:
      x_dim: samples per frame.
      num_frames: frames per sequence.
      sample_rate: samples per second.
      train_sequences: sequences to train on.
      valid_sequences: sequences to validate on.
      test_sequences: sequences to test on.
      num_speakers: speakers of all three splits together, shared out in proportion to the sequences.
      seed: makes speakers, texts and noise.

    Raises:
      ValueError: a size below 1, fewer than 3 speakers, or a sample rate that the synthesis cannot make.
    """
    sizes = {"train_sequences": train_sequences, "valid_sequences": valid_sequences, "test_sequences": test_sequences}
    for name, value in {"x_dim": x_dim, "num_frames": num_frames, **sizes}.items():
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}")
    if num_speakers < 3:
        raise ValueError(f"num_speakers must be at least 3, one each for train, valid and test, got {num_speakers}")
    if not 16_000 <= sample_rate <= 48_000 or sample_rate % CONTROL_RATE:
        raise ValueError(
            f"sample_rate must be a multiple of {CONTROL_RATE} from 16000 to 48000 Hz, got {sample_rate}: "
            f"the seven formants need 16000; choose 16000 unless you have a reason"
        )
    if seed < 0:
        raise ValueError(f"seed must be at least 0, got {seed}")

    samples = x_dim * num_frames
    largest = {**sizes, "x_dim": x_dim, "num_frames": num_frames}
    require_memory(4 * samples * sum(sizes.values()), "the data", largest)
    require_memory(32 * num_speakers, "the speakers", {"num_speakers": num_speakers})
    # Sequences cut from one utterance; fewer in a small set, so that every speaker has an utterance.
    cuts = max(1, min(round(UTTERANCE_SECONDS * sample_rate / samples), sum(sizes.values()) // num_speakers))
    utterances = tuple(math.ceil(size / cuts) for size in sizes.values())
    rng = np.random.default_rng(seed)
    voices = draw_voices(num_speakers, rng)
    allotted = allot(num_speakers, utterances)
    speakers = np.concatenate(allotted)
    signal = speak(voices.of(speakers), cuts * samples / sample_rate, sample_rate, rng)
    signal = signal[:, : cuts * samples].reshape(-1, cuts, num_frames, x_dim)

    first = np.cumsum([0, *utterances])
    parts = []
    for i, size in enumerate(sizes.values()):
        # First cuts first: neighbours in a split, and so the first few that a figure shows, are different speakers.
        part = signal[first[i] : first[i + 1]].swapaxes(0, 1).reshape(-1, num_frames, x_dim)[:size]
        parts.append(torch.from_numpy(np.ascontiguousarray(part)))
    std, mean = torch.std_mean(parts[0], correction=0)
    standardisation = Standardisation(mean.expand(x_dim).clone(), std.expand(x_dim).clone())
    # The order of the cuts: the first of all utterances, then the second.
    groups = [np.tile(part, cuts)[:size].astype(str) for part, size in zip(allotted, sizes.values(), strict=True)]
    train, valid, test = (
        Sequences.of_equal_length(standardisation.forward(part), groups=[f"speaker {number}" for number in numbers])
        for part, numbers in zip(parts, groups, strict=True)
    )
    return Splits(train, valid, test, standardisation, sample_rate=sample_rate, grouping="speaker")
