"""Samples as integers: with the noise that makes a density of them honest, or on a grid of levels.

A density over integers has no ceiling: it may put ever more mass on ever smaller surroundings of each. With uniform
noise of one step it has one: by Jensen's inequality E_u log p(n + u) <= log P(n), where P(n) is the integral of p
over the step around n (Theis, van den Oord and Bethge 2016, "A note on the evaluation of generative models").
"""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor

from vrnn.data.recordings.clips import FULL_SCALE, Array

STEPS = 2 * FULL_SCALE  # values of a sample of 16 bits
MU = 255  # of the companding law of ITU-T G.711


def dequantise(samples: Array, rng: np.random.Generator) -> Array:
    """n + u: samples rounded to integers of 16 bits, and uniform noise from [-0.5, 0.5) [samples]."""
    noise = rng.random(samples.shape, np.float32)
    return np.rint(samples).clip(-FULL_SCALE, FULL_SCALE - 1) + (noise - np.float32(0.5))


def quantise(samples: Array, levels: int, mu_law: bool) -> Array:
    """Samples in steps of 16 bits -> 0 to levels - 1, equally wide, after companding where that is asked for."""
    y = samples.astype(np.float64) / FULL_SCALE  # in [-1, 1)
    y = compress(y.clip(-1, 1)) if mu_law else y
    return np.floor((y + 1) * (levels / 2)).clip(0, levels - 1).astype(np.float32)


def compress(y: np.ndarray) -> np.ndarray:
    """sign(y) ln(1 + mu |y|) / ln(1 + mu), the continuous law that G.711 follows; from [-1, 1] to [-1, 1]."""
    return np.sign(y) * np.log1p(MU * np.abs(y)) / np.log1p(MU)


def expand(y: Tensor) -> Tensor:
    """sign(y) ((1 + mu)^|y| - 1) / mu, the inverse of `compress`; what lies beyond [-1, 1] is held to it."""
    y = y.clamp(-1, 1)
    return y.sign() * torch.expm1(y.abs() * math.log1p(MU)) / MU


def waveform(raw: Tensor, levels: int, mu_law: bool) -> Tensor:
    """The middle of each level, in [-1, 1], as it was before `quantise`."""
    y = (raw + 0.5) * (2 / levels) - 1
    return expand(y) if mu_law else y
