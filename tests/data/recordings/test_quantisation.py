"""Integers with noise, integers on a grid, and the companding law."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vrnn.data.recordings.quantisation import compress, dequantise, expand, quantise, waveform

ALL = np.arange(-32_768, 32_768, dtype=np.float32)  # every sample of 16 bits


def test_noise_is_uniform_within_half_a_step_of_the_integer():
    noise = dequantise(ALL, np.random.default_rng(0)) - ALL.astype(float)
    assert -0.5 <= noise.min() < -0.49
    assert 0.49 < noise.max() <= 0.5
    assert noise.mean() == pytest.approx(0, abs=0.005)
    assert noise.var() == pytest.approx(1 / 12, rel=0.01)
    assert np.abs(np.corrcoef(noise[:-1], noise[1:])[0, 1]) < 0.02


def test_rounding_gives_the_integers_back():
    """But for one in some thousand loud ones, whose noise rounds to the half step in single precision."""
    back = np.rint(dequantise(ALL, np.random.default_rng(0)))
    assert np.mean(back == ALL) > 0.999


def test_what_lies_between_or_beyond_the_integers_is_rounded_to_them():
    samples = np.array([0.4, -7.3, 40_000, -1e9], np.float32)
    noisy = dequantise(samples, np.random.default_rng(0))
    np.testing.assert_allclose(noisy, [0, -7, 32_767, -32_768], atol=0.5)


def test_all_levels_of_16_bits_are_the_samples_themselves():
    assert np.array_equal(quantise(ALL, 65_536, mu_law=False), ALL + 32_768)


@pytest.mark.parametrize("mu_law", [False, True])
@pytest.mark.parametrize("levels", [2, 3, 256, 1000])
def test_levels_are_integers_in_order_and_all_of_them_are_used(levels, mu_law):
    found = quantise(ALL, levels, mu_law)
    assert found.dtype == np.float32
    assert np.array_equal(np.unique(found), np.arange(levels))
    assert (np.diff(found) >= 0).all()
    mirrored = levels - 1 - quantise(-ALL, levels, mu_law)
    assert np.mean(found == mirrored) > 0.99  # but for samples on the border of two levels


def test_companding_is_undone_by_its_inverse():
    y = np.linspace(-1, 1, 1001)
    np.testing.assert_allclose(expand(torch.from_numpy(compress(y))), y, atol=1e-12)
    np.testing.assert_allclose(compress(np.array([-1.0, 0.0, 1.0])), [-1, 0, 1], atol=1e-12)
    assert expand(torch.tensor([-9.0, 9.0])).tolist() == pytest.approx([-1, 1])


def error(levels: int, mu_law: bool) -> np.ndarray:
    """How far the waveform of its levels is from every sample, in steps of 16 bits."""
    raw = torch.from_numpy(quantise(ALL, levels, mu_law)).double()
    return np.abs(waveform(raw, levels, mu_law).numpy() * 32_768 - ALL)


@pytest.mark.parametrize("levels", [2, 100, 256, 65_536])
def test_equal_steps_lose_half_a_step_at_most(levels):
    assert error(levels, mu_law=False).max() <= 32_768 / levels * (1 + 1e-12)


def test_companding_spends_its_levels_on_quiet_samples():
    lost = error(256, mu_law=True)
    assert lost[np.abs(ALL) < 200].max() < 8  # equal steps: 128
    loud = np.abs(ALL) > 2000
    assert (lost[loud] / np.abs(ALL[loud])).max() < 0.03
