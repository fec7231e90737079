"""Ink and offsets: what becomes of points, noise and statistics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from vrnn.data.ink.strokes import Ink, fit_joint_scalar, ink_splits, require_pen


def scribble(points: int, seed: int = 0) -> Ink:
    """Whole-numbered points, the pen up on some of them and on the last."""
    rng = np.random.default_rng(seed)
    pen_up = (rng.random(points) < 0.3).astype(float)
    pen_up[-1] = 1.0
    return Ink(rng.integers(-50, 50, (points, 2)).astype(float), pen_up)


def test_sums_of_offsets_are_the_points_seen_from_the_first():
    ink = scribble(20)
    steps = ink.offsets()
    assert steps.shape == (19, 3)
    np.testing.assert_allclose(ink.points[0] + steps[:, :2].cumsum(axis=0), ink.points[1:])
    assert steps[:, 2].tolist() == ink.pen_up[1:].tolist()


def test_pen_is_up_on_the_last_point_of_each_stroke_and_nowhere_else():
    strokes = [np.zeros((3, 2)), np.ones((1, 2)), np.full((4, 2), 2.0)]
    ink = Ink.of(strokes)
    assert ink.pen_up.tolist() == [0, 0, 1, 1, 0, 0, 0, 1]
    np.testing.assert_allclose(ink.points, np.concatenate(strokes))


def test_dequantised_points_round_back_and_do_not_drift():
    ink = scribble(4000)
    noisy = ink.dequantised(np.random.default_rng(1))
    noise = noisy.points - ink.points
    assert noise[0].tolist() == [0.0, 0.0]
    assert -0.5 <= noise.min() < -0.49 < 0.49 < noise.max() < 0.5
    np.testing.assert_allclose(noise[1:].mean(axis=0), 0.0, atol=0.02)
    np.testing.assert_allclose(noise[1:].std(axis=0), 12**-0.5, rtol=0.03)
    sums = ink.points[0] + noisy.offsets()[:, :2].cumsum(axis=0)
    np.testing.assert_array_equal(sums.round(), ink.points[1:])


def test_statistics_are_those_of_train_alone():
    train = [scribble(9, seed) for seed in range(5)]
    one = ink_splits((train, [scribble(5, 7)], [scribble(6, 8)]), False, 0)
    two = ink_splits((train, [Ink(1000 * scribble(5, 9).points, np.ones(5))], [scribble(3, 8)]), False, 0)
    raw = torch.cat([torch.from_numpy(ink.offsets()) for ink in train])
    expected = fit_joint_scalar(raw[:, :2])
    for splits in (one, two):
        assert torch.equal(splits.standardisation.mean, expected.mean)
        assert torch.equal(splits.standardisation.std, expected.std)
    torch.testing.assert_close(one.standardisation.inverse(one.train.values), raw.float(), atol=1e-4, rtol=0)


def test_joint_scalar_in_closed_form():
    fitted = fit_joint_scalar(torch.tensor([[1.0, 2.0], [3.0, -2.0]]))  # mean 2, E[dx^2 + dy^2] = 9
    assert fitted.mean.tolist() == [2.0, 2.0, 0.0]
    torch.testing.assert_close(fitted.std, torch.tensor([5.0**0.5, 5.0**0.5, 1.0]))


def test_noise_is_the_seeds_and_each_part_has_its_own():
    part = [scribble(30)]
    one, same, other = (ink_splits((part, part, part), True, seed) for seed in (1, 1, 2))
    assert torch.equal(one.train.values, same.train.values)
    assert not torch.equal(one.train.values, other.train.values)
    assert not torch.equal(one.train.values, one.valid.values)


def test_a_single_point_has_no_step_and_is_left_out():
    point = Ink(np.zeros((1, 2)), np.ones(1))
    splits = ink_splits(([scribble(9), point], [scribble(4)], [point, scribble(5), point]), False, 0)
    assert [part.lengths.tolist() for part in (splits.train, splits.valid, splits.test)] == [[8], [3], [4]]
    with pytest.raises(ValueError, match="no sequence of two points or more in valid"):
        ink_splits(([scribble(9)], [point], [scribble(5)]), False, 0)


def test_what_was_found_and_dropped_is_told():
    point = Ink(np.zeros((1, 2)), np.ones(1))
    parts = ([scribble(9), point], [scribble(4)], [point, scribble(5), point])
    assert ink_splits(parts, False, 0, "lines", empty=4).tally == {
        "lines found": 10,
        "lines empty": 4,
        "lines of a single point": 3,
        "lines used": 3,
    }
    assert ink_splits([part[:1] for part in (parts[0], parts[1], parts[0])], False, 0).tally == {
        "drawings found": 3,
        "drawings used": 3,
    }


@pytest.mark.parametrize(
    "points",
    [np.zeros((5, 2)), np.outer(np.arange(5.0), (3, -3)), np.outer(np.arange(5.0), (1, 0))],
    ids=["at rest", "one direction", "along x"],
)
def test_a_constant_corpus_is_named(points):
    ink = Ink(points, np.array([0, 0, 0, 0, 1.0]))
    with pytest.raises(ValueError, match=r"the offsets of train cannot be standardised: from .* nothing to learn from"):
        ink_splits(([ink, ink], [scribble(4)], [scribble(5)]), False, 0)


def test_a_drift_that_leaves_no_variance_is_named_instead_of_nan():
    with pytest.raises(ValueError, match=r"joint variance E\[dx\^2 \+ dy\^2\] - E\[dx \+ dy\]\^2 is -2"):
        fit_joint_scalar(torch.tensor([[1.0, 1.0], [1.0, 1.0], [1.0, 1.0 + 1e-6]]))


@pytest.mark.parametrize("part", range(3))
@pytest.mark.parametrize("value", [np.nan, np.inf, 1e39], ids=["nan", "infinite", "too large for float32"])
def test_an_offset_that_is_not_finite_is_named(part, value):
    parts = [[scribble(9), scribble(6, seed)._replace(name="cat 17")] for seed in range(3)]
    parts[part][1].points[4, 0] = value
    name = ("train", "valid", "test")[part]
    with pytest.raises(ValueError, match=rf"{name}, cat 17: step 4 of 5 is \[") as caught:
        ink_splits(parts, True, 0)
    assert str(caught.value).endswith(("0]", "1.0]"))


def test_x_dim_is_three():
    require_pen(3, 0)
    with pytest.raises(ValueError, match="x_dim must be 3"):
        require_pen(2, 0)
