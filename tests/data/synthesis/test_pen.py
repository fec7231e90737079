"""The pen's line and its movement along it, against closed forms and the laws of the kinematic theory."""

from __future__ import annotations

from string import ascii_lowercase

import numpy as np
import pytest

from vrnn.data.synthesis.pen import (
    PACE,
    TREMOR_CUTOFF,
    curvature,
    sigma_lognormal,
    smooth_path,
    trace,
    tremor_noise,
    write,
)

FACES = ("cursive", "print")


def test_joined_letters_are_one_line_and_bars_wait():
    assert trace("eee", "cursive").ends.size == 1
    assert trace("eee", "print").ends.size == 3
    assert trace("v", "print").ends.size == 1  # two strokes of the font that meet
    path = trace("tune", "cursive")  # the line, then the bar
    assert path.ends.size == 2
    bar = path.points[path.stroke == 1]
    assert np.ptp(bar[:, 1]) < 1e-9 < np.ptp(bar[:, 0])


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("letter", ascii_lowercase)
def test_every_letter_is_written_at_its_place(face, letter):
    points = trace(letter, face).points
    assert points[:, 1].max() == pytest.approx(1.0, abs=0.15) or letter in "bdfhijklt"
    assert points[:, 1].min() == pytest.approx(0.0, abs=0.15) or letter in "fgjpqyz"
    assert 0.8 < np.ptp(points[:, 1]) < 4.0


def test_smooth_path_keeps_ends_and_straight_lines_and_rounds_corners():
    corner = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 2.0]])
    line = np.array([[3.0, 1.0], [4.0, 1.0]])
    path = smooth_path([corner, line])
    np.testing.assert_allclose(path.points[[0, path.ends[0]]], corner[[0, -1]], atol=1e-9)
    np.testing.assert_allclose(path.points[path.stroke == 1][:, 1], 1.0)
    distance = np.hypot(*(path.points - corner[1]).T).min()
    assert 0.03 < distance < 0.15


def test_curvature_of_a_circle_is_one_over_its_radius():
    angle = np.linspace(0, 2 * np.pi, 400)
    circle = 0.5 * np.stack([np.cos(angle), np.sin(angle)], axis=1)
    kappa = curvature(smooth_path([circle]))[20:-20]
    np.testing.assert_allclose(kappa, 2.0, rtol=0.1)


@pytest.mark.parametrize(("face", "exponent", "correlation"), [("cursive", -1 / 3, -0.6), ("print", -0.2, -0.3)])
def test_speed_falls_with_curvature_as_its_cube_root(face, exponent, correlation):
    """Log speed against log curvature, finely sampled, away from pen-down and pen-up, where the pen stands still.

    Printed strokes are short: most of their speed is starting and stopping, and the law shows less.
    """
    rng = np.random.default_rng(0)
    speeds, kappas = [], []
    for word in ("family", "moon", "bread", "justice", "vowel", "hurry", "puzzle") * 3:
        path = trace(word, face)
        points, pen_up = write(path, tempo=1.0, sample_rate=400, rng=rng)
        stroke = np.append(0, pen_up.cumsum()[:-1])
        for number in range(len(path.ends)):
            way, line = points[stroke == number], path.stroke == number
            speed = np.hypot(*np.diff(way, axis=0).T)
            along = np.append(0.0, np.hypot(*np.diff(path.points[line], axis=0).T).cumsum())
            middle = speed.cumsum() - 0.5 * speed
            kappa = np.interp(middle, along, curvature(path)[line])
            speeds.append(speed[40:-40])
            kappas.append(kappa[40:-40])
    speed, kappa = np.log(np.concatenate(speeds)), np.log(np.concatenate(kappas))
    assert np.corrcoef(speed, kappa)[0, 1] < correlation
    assert np.polyfit(kappa, speed, 1)[0] == pytest.approx(exponent, abs=0.1)
    sharp = kappa > np.quantile(kappa, 0.95)
    assert np.exp(speed[sharp]).mean() < 0.6 * np.exp(speed[~sharp]).mean()


def test_write_follows_the_path_from_end_to_end():
    path = trace("mix", "cursive")
    points, pen_up = write(path, tempo=1.0, sample_rate=30, rng=np.random.default_rng(0))
    assert pen_up.sum() == path.ends.size
    assert pen_up[-1]
    np.testing.assert_allclose(points[pen_up], path.points[path.ends], atol=1e-6)
    np.testing.assert_allclose(points[0], path.points[0], atol=1e-6)
    away = np.hypot(*(points[:, None] - path.points).transpose(2, 0, 1)).min(axis=1)
    assert away.max() < 0.05
    twice, _ = write(path, tempo=2.0, sample_rate=30, rng=np.random.default_rng(0))
    assert len(twice) == pytest.approx(len(points) / 2, abs=3)


def test_sigma_lognormal_covers_each_stroke_and_movements_overlap_by_half():
    sizes, stroke = np.ones(23), np.repeat([0, 1], [20, 3])
    u, on = sigma_lognormal(sizes, stroke, PACE, 1000.0, np.random.default_rng(0))
    assert u[0] == 0
    assert (np.diff(u) >= 0).all()
    assert u[on == 0][-1] == pytest.approx(20)
    assert u[on == 1][0] == pytest.approx(20)
    assert u[-1] == pytest.approx(23)
    # Twenty movements, each beginning half way through the last one, take 10.5 durations of 2 PACE.
    assert (on == 0).sum() / 1000 == pytest.approx(10.5 * 2 * PACE, rel=0.06)


def test_one_movement_has_a_log_normal_speed():
    """Its logarithm of time is normal about mu: the time of half the way is the median, and the rise is the faster."""
    u, _ = sigma_lognormal(np.ones(1), np.zeros(1, dtype=int), PACE, 4000.0, np.random.default_rng(0))
    speed = np.diff(u)
    peak = speed.argmax() / len(speed)
    median = np.searchsorted(u, 0.5) / len(u)
    assert 0.1 < peak < median < 0.45
    assert (np.diff(speed[: speed.argmax()]) > 0).all()
    assert (np.diff(speed[speed.argmax() :]) < 0).all()


@pytest.mark.parametrize("steps", [90, 91])
def test_tremor_has_unit_variance_and_nothing_above_its_cutoff(steps):
    rng = np.random.default_rng(0)
    noise = np.stack([tremor_noise(steps, 60.0, rng) for _ in range(400)])  # [400, steps, 2]
    assert noise.var() == pytest.approx(1.0, abs=0.03)
    power = np.abs(np.fft.rfft(noise, axis=1)).mean(axis=(0, 2))
    frequency = np.fft.rfftfreq(steps, 1 / 60.0)
    assert power[frequency > TREMOR_CUTOFF].max() < 1e-9 < power[frequency <= TREMOR_CUTOFF].min()
