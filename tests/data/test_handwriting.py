"""Words and writers: what the parts share and do not, how hands vary, and the standardisation."""

from __future__ import annotations

from string import ascii_lowercase

import numpy as np
import pytest
import torch

from vrnn.data.handwriting import (
    MAX_SLANT,
    Hand,
    draw_word_hand,
    draw_writer,
    handwriting,
    pen_points,
    split_words,
    split_writers,
)
from vrnn.data.synthesis.pen import trace

SMALL = {"train_sequences": 32, "valid_sequences": 13, "test_sequences": 7}
PLAIN = Hand(face="cursive", slant=0.0, scale=1.0, aspect=1.0, slope=0.0, tempo=1.0)


@pytest.fixture(scope="module")
def splits():
    return handwriting(**SMALL)


def parts(splits):
    return splits.train, splits.valid, splits.test


def test_same_seed_is_bit_identical_and_another_differs(splits):
    torch.manual_seed(3)  # neither torch's nor numpy's own generator has a part in it
    np.random.seed(3)
    again, other = handwriting(**SMALL), handwriting(seed=1, **SMALL)
    for one, two, three in zip(parts(splits), parts(again), parts(other), strict=True):
        assert torch.equal(one.values, two.values)
        assert torch.equal(one.lengths, two.lengths)
        assert not torch.equal(one.lengths, three.lengths)


def test_more_train_leaves_raw_valid_and_test_as_they_are(splits):
    more = handwriting(**SMALL | {"train_sequences": 40})
    assert torch.equal(more.train.lengths[:32], splits.train.lengths)
    for one, two in zip(parts(splits)[1:], parts(more)[1:], strict=True):
        raw = (splits.standardisation.inverse(one.values), more.standardisation.inverse(two.values))
        torch.testing.assert_close(*raw, atol=1e-5, rtol=0)


@pytest.mark.parametrize("seed", range(5))
def test_words_of_the_parts_are_disjoint_and_train_knows_every_letter(seed):
    train, valid, test = split_words(seed)
    words = train + valid + test
    assert len(words) == len(set(words))
    assert len(train) > 500
    assert min(len(valid), len(test)) > 60
    assert set("".join(train)) == set(ascii_lowercase) >= set("".join(valid + test))
    assert split_words(seed) == (train, valid, test) != split_words(seed + 1)


@pytest.mark.parametrize("seed", range(3))
def test_no_writer_is_in_two_parts(seed):
    train, valid, test = split_writers(seed, "mixed", (512, 64, 64))
    assert (len(train), len(valid), len(test)) == (512, 64, 64)
    assert len({(writer.slant, writer.scale, writer.aspect) for writer in train + valid + test}) == 640
    assert split_writers(seed, "mixed", (9, 64, 64)) == [train[:9], valid, test]


def test_sequences_are_ragged_and_masked(splits):
    for part, num in zip(parts(splits), (32, 13, 7), strict=True):
        assert len(part) == num
        assert part.x_dim == 3
        assert int(part.lengths.min()) < int(part.lengths.max())
    batch = splits.train.batch(torch.arange(32))
    assert torch.equal(batch.mask.sum(dim=1), splits.train.lengths)
    assert (batch.x[~batch.mask] == 0).all()
    assert batch.x.isfinite().all()


def test_typical_sequences_have_40_to_200_steps():
    lengths = handwriting(train_sequences=250, valid_sequences=1, test_sequences=1).train.lengths.double()
    assert 75 < lengths.mean() < 105
    assert lengths.quantile(0.05) > 40
    assert lengths.quantile(0.99) < 200


def test_pen_is_up_at_the_end_of_every_sequence_and_otherwise_rarely(splits):
    for part in parts(splits):
        pen = part.values[:, 2]
        assert set(pen.tolist()) == {0.0, 1.0}
        assert (pen[part.lengths.cumsum(0) - 1] == 1).all()
        assert pen.mean() < 0.15


def test_standardisation_is_one_joint_scalar_fitted_on_train_only(splits):
    fitted = splits.standardisation
    raw = fitted.inverse(splits.train.values)[:, :2].double()
    mean = raw.sum() / len(raw)
    std = ((raw**2).sum() / len(raw) - mean**2).sqrt()
    torch.testing.assert_close(fitted.mean.double(), torch.tensor([mean, mean, 0.0], dtype=torch.float64))
    torch.testing.assert_close(fitted.std.double(), torch.tensor([std, std, 1.0], dtype=torch.float64))
    other = handwriting(**SMALL | {"valid_sequences": 3, "test_sequences": 2}).standardisation
    assert torch.equal(other.mean, fitted.mean)
    assert torch.equal(other.std, fitted.std)


def test_slant_stays_within_its_limit_and_varies():
    rng = np.random.default_rng(0)
    writers = [draw_writer("mixed", rng) for _ in range(500)]
    words = [draw_word_hand(writer, rng) for writer in writers]
    slants = np.array([word.slant for word in words])
    assert np.abs(slants).max() <= MAX_SLANT == 15
    assert 4 < slants.std() < 8
    assert 0.4 < np.mean([writer.face == "print" for writer in writers]) < 0.6
    # A writer's words are more alike than those of different writers.
    assert np.std(slants - [writer.slant for writer in writers]) < 0.5 * slants.std()


def test_a_writer_slants_the_line_by_the_stated_angle():
    """An l is a straight line: its direction is the slant."""
    path = trace("l", "print")
    for slant in (-15.0, 0.0, 9.0):
        hand = PLAIN._replace(face="print", slant=slant)
        points, _ = pen_points(path, hand, 30, 0.0, np.random.default_rng(1))
        dx, dy = points[0] - points[-1]
        assert np.degrees(np.arctan2(dx, dy)) == pytest.approx(slant, abs=1e-6)


@pytest.mark.parametrize(("style", "lifts"), [("cursive", 3), ("print", 7)])
def test_styles_differ_in_their_pen_lifts(style, lifts):
    train = handwriting(**SMALL, style=style).train
    assert float(train.values[:, 2].sum()) / len(train) == pytest.approx(lifts, abs=1.3)


def test_tremor_is_a_share_of_the_x_height_of_the_word():
    path, hand = trace("minimum", "cursive"), PLAIN._replace(scale=3.0)
    still, shaken = (pen_points(path, hand, 30, size, np.random.default_rng(5))[0] for size in (0.0, 0.02))
    assert (shaken - still).std() == pytest.approx(3.0 * 0.02, rel=0.3)


def test_sample_rate_sets_the_number_of_steps():
    path = trace("evening", "cursive")
    coarse, fine = (len(pen_points(path, PLAIN, rate, 0.01, np.random.default_rng(2))[0]) for rate in (30, 90))
    assert fine == pytest.approx(3 * coarse, rel=0.05)


@pytest.mark.parametrize(
    ("argument", "value", "message"),
    [
        ("x_dim", 2, "x_dim must be 3"),
        ("seed", -1, "seed must be at least 0, got -1"),
        ("style", "gothic", "style must be one of cursive, mixed, print, got 'gothic'"),
        ("sample_rate", 5, "sample_rate must be at least 10, got 5"),
        ("tremor", -0.1, "tremor must be a share"),
        ("tremor", float("nan"), "tremor must be a share"),
        ("words_per_writer", 0, "words_per_writer must be at least 1, got 0"),
        ("train_sequences", 0, "train_sequences must be at least 1, got 0"),
        ("valid_sequences", 0, "valid_sequences must be at least 1, got 0"),
        ("test_sequences", -3, "test_sequences must be at least 1, got -3"),
    ],
)
def test_values_out_of_range_are_named(argument, value, message):
    with pytest.raises(ValueError, match=message):
        handwriting(**{argument: value})
