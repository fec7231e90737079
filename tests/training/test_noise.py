"""Evaluation noise: a function of (seed, sequence, sample) and of nothing else."""

from __future__ import annotations

import math

import torch
from scipy import stats

from vrnn.batch import Batch
from vrnn.training.noise import keyed_noise

Z = 2


def batch(index: list[int], lengths: list[int], padding: int = 0) -> Batch:
    return Batch.of(torch.zeros(len(index), max(lengths) + padding, 3), torch.tensor(lengths), torch.tensor(index))


def test_noise_depends_neither_on_the_batch_nor_on_the_padding():
    together = keyed_noise(0, batch([7, 3, 5], [4, 6, 2], padding=3), 1, Z)
    assert together.shape == (3, 9, Z)
    for row, (index, length) in enumerate(((7, 4), (3, 6), (5, 2))):
        alone = keyed_noise(0, batch([index], [length]), 1, Z)
        assert torch.equal(together[row, :length], alone[0])
        assert not together[row, length:].any()


def test_k_samples_begin_with_the_first_ones_and_lie_side_by_side():
    sequences = batch([7, 3], [4, 6])
    one, five = keyed_noise(0, sequences, 1, Z), keyed_noise(0, sequences, 5, Z)
    assert five.shape == (10, 6, Z)
    for row, length in enumerate((4, 6)):
        assert torch.equal(five[row * 5, :length], one[row, :length])
        samples = five[row * 5 : row * 5 + 5, :length]
        assert len(samples.unique()) == samples.numel()
    assert torch.equal(keyed_noise(0, sequences, 3, Z).unflatten(0, (2, 3)), five.unflatten(0, (2, 5))[:, :3])


def test_seeds_and_sequences_differ_and_repeat():
    draws = {(seed, index): keyed_noise(seed, batch([index], [5]), 2, Z) for seed in (0, 1, -1) for index in (0, 1)}
    values = torch.stack(list(draws.values()))
    assert len(values.unique()) == values.numel()
    assert torch.equal(draws[1, 1], keyed_noise(1, batch([1], [5]), 2, Z))


def test_the_global_generators_are_left_alone():
    state = torch.get_rng_state()
    keyed_noise(0, batch([0], [5]), 1, Z)
    assert torch.equal(torch.get_rng_state(), state)


def test_noise_is_standard_normal_and_independent():
    noise = keyed_noise(3, batch(list(range(400)), [40] * 400), 2, 3)  # [800, 40, 3]
    assert noise.dtype == torch.float32
    assert stats.kstest(noise.flatten().numpy(), "norm").pvalue > 1e-3
    pairs = (
        (noise[:, :-1], noise[:, 1:]),  # steps
        (noise[::2], noise[1::2]),  # samples
        (noise[:-2], noise[2:]),  # sequences
        (noise[..., :-1], noise[..., 1:]),  # dimensions
    )
    for a, b in pairs:
        correlation = float((a * b).mean())
        assert abs(correlation) < 4 / math.sqrt(a.numel())


def test_a_model_without_latents_needs_no_noise():
    assert keyed_noise(0, batch([0, 1], [3, 4]), 1, 0).shape == (2, 4, 0)
