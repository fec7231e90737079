"""Evaluation noise that belongs to a sequence, not to a batch."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from vrnn.batch import Batch


def keyed_noise(seed: int, batch: Batch, num_samples: int, noise_dim: int) -> Tensor:
    """Standard normal noise [B * K, T, `noise_dim`], keyed by (seed, sequence index, sample).

    Sample k of sequence b is row b K + k.

    A counter-based generator (Philox, Salmon et al. 2011) gives each sequence a stream of its own, so that a bound
    depends neither on the evaluation's batch size nor on its order, and K samples begin with the first K - 1. Padding
    gets zeros and consumes nothing.
    """
    noise = np.zeros((batch.size, num_samples, batch.steps, noise_dim), dtype=np.float32)
    for row, index, length in zip(noise, batch.index.tolist(), batch.lengths.tolist(), strict=True):
        stream = np.random.Generator(np.random.Philox(key=np.array([seed % 2**64, index], np.uint64)))
        row[:, :length] = stream.standard_normal((num_samples, length, noise_dim), dtype=np.float32)
    return torch.from_numpy(noise).flatten(0, 1).to(batch.x.device)
