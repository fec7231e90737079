"""Digits: what is drawn where, in dots of the PNG."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.image import imread
from omegaconf import OmegaConf

from vrnn.figures import digits as module
from vrnn.figures.digits import EDGE, GIVEN, IMAGE, INK, LINE, MISSING, PAPER, SEPARATOR, Digits

CELL = IMAGE + LINE
PIXEL = IMAGE // 28
CONF = Path(__file__).parents[2] / "conf" / "figures" / "digits.yaml"


@pytest.fixture
def images() -> list[np.ndarray]:
    return list(np.random.default_rng(0).integers(0, 2, (12, 28, 28)).astype(np.float32))


def draw(tmp_path: Path, rows, side: int = 28, **options) -> np.ndarray:
    """The PNG as an array [height, width, 3], cut at the first and the last separator."""
    path = tmp_path / "digits.png"
    assert Digits(side).draw(rows, path, **{"title": "Digits", **options}) == [path]
    assert path.read_bytes().startswith(b"\x89PNG")
    picture = imread(path)[..., :3]
    lines = close(picture, SEPARATOR)
    down, across = np.flatnonzero(lines.sum(1) >= IMAGE), np.flatnonzero(lines.sum(0) >= IMAGE)
    return picture[down[0] : down[-1] + 1, across[0] : across[-1] + 1]


def close(picture: np.ndarray, colour) -> np.ndarray:
    """Where a picture [..., 3] has the colour."""
    return (np.abs(picture - np.array(colour)) < 0.01).all(-1)


def cell(picture: np.ndarray, row: int, column: int) -> np.ndarray:
    """The dots of one image [IMAGE, IMAGE, 3]."""
    top, left = row * CELL + LINE, column * CELL + LINE
    return picture[top : top + IMAGE, left : left + IMAGE]


def test_every_pixel_is_a_crisp_square_of_equal_size(tmp_path, images):
    picture = draw(tmp_path, {"sample": images[:4]})
    for k, image in enumerate(images[:4]):
        ink = image.astype(bool).repeat(PIXEL, 0).repeat(PIXEL, 1)
        drawn = cell(picture, k // 2, k % 2)
        assert close(drawn[ink], INK).all()
        assert close(drawn[~ink], PAPER).all()


@pytest.mark.parametrize("x_dim", [1, 4, 14, 28, 56, 784])
def test_layouts_of_the_same_image_look_alike(tmp_path, images, x_dim):
    rows = draw(tmp_path, {"sample": images[:2]})
    other = draw(tmp_path, {"sample": [image.reshape(-1, x_dim) for image in images[:2]]})
    assert np.array_equal(rows, other)


@pytest.mark.parametrize(("number", "across", "down"), [(1, 1, 1), (5, 3, 2), (9, 3, 3), (12, 4, 3)])
def test_a_single_label_is_a_square_grid(tmp_path, images, number, across, down):
    picture = draw(tmp_path, {"sample": images[:number]})
    assert picture.shape[:2] == (down * CELL + LINE, across * CELL + LINE)


def test_pairs_stand_above_each_other(tmp_path, images):
    picture = draw(tmp_path, {"input": images[:3], "reconstruction": [1 - image for image in images[:3]]})
    assert picture.shape[:2] == (2 * CELL + LINE, 3 * CELL + LINE)
    for column in range(3):
        top, below = cell(picture, 0, column), cell(picture, 1, column)
        assert np.array_equal(close(top, INK), close(below, PAPER))


def test_many_pairs_go_on_in_a_new_block(tmp_path, images):
    many = (images * 2)[:20]
    picture = draw(tmp_path, {"input": many, "reconstruction": many})
    block = 2 * CELL + LINE
    assert picture.shape[:2] == (2 * block + module.BLOCK, module.COLUMNS * CELL + LINE)
    second = picture[block + module.BLOCK :]
    for column in range(4):
        assert np.array_equal(cell(second, 0, column), cell(picture, 0, column + 16 - 12))  # the list repeats after 12
    assert close(picture[block : block + module.BLOCK], PAPER).all()
    assert close(second[:, 4 * CELL + LINE :], PAPER).all()


def test_grey_values_lie_between_paper_and_ink_and_are_clipped(tmp_path):
    values = np.array([-3.0, 0.0, 0.5, 1.0, 7.0], dtype=np.float32)
    drawn = cell(draw(tmp_path, {"sample": [values.repeat(28).reshape(5, 28)]}), 0, 0)[PIXEL // 2 :: PIXEL, 0]
    expected = [PAPER, PAPER, (np.array(PAPER) + INK) / 2, INK, INK]
    assert all(close(got, colour) for got, colour in zip(drawn, expected, strict=False))


@pytest.mark.parametrize("x_dim", [1, 28])
def test_missing_steps_and_nan_are_grey(tmp_path, images, x_dim):
    short = images[0].reshape(-1, x_dim)[: 14 * 28 // x_dim].copy()
    short[0] = np.nan
    drawn = cell(draw(tmp_path, {"sample": [short]}), 0, 0)
    assert close(drawn[14 * PIXEL :], MISSING).all()
    missing = close(drawn[: 14 * PIXEL], MISSING)
    assert missing.sum() == x_dim * PIXEL**2
    assert missing[:PIXEL, : x_dim * PIXEL].all()


@pytest.mark.parametrize(("x_dim", "prefix"), [(28, 12), (1, 12 * 28), (1, 12 * 28 + 5), (28, 28), (28, 40)])
def test_the_given_part_is_tinted_and_ends_at_a_line(tmp_path, x_dim, prefix):
    blank = np.zeros((784 // x_dim, x_dim), dtype=np.float32)
    picture = draw(tmp_path, {"input": [blank], "continuation": [blank]}, prefix=prefix)
    given = (np.arange(784) < prefix * x_dim).reshape(28, 28).repeat(PIXEL, 0).repeat(PIXEL, 1)
    for row in range(2):
        drawn = cell(picture, row, 0)
        edge = close(drawn, EDGE)
        assert np.array_equal(close(drawn, GIVEN) | edge, given)
        assert np.array_equal(close(drawn, PAPER), ~given)
        if given.all():
            assert not edge.any()
        else:
            last = given.sum(0) - 1  # the lowest given dot of each column
            assert edge[last, np.arange(IMAGE)].all()
            assert edge.sum() < 4 * LINE * IMAGE


def test_without_a_prefix_nothing_is_marked(tmp_path, images):
    picture = draw(tmp_path, {"input": images[:2], "reconstruction": images[:2]})
    assert not close(picture, GIVEN).any()
    assert not close(picture, EDGE).any()


def test_labels_and_title_are_written(tmp_path, images):
    path = tmp_path / "digits.png"

    def ink(rows, title: str) -> float:
        Digits().draw(rows, path, title=title)
        return float((1 - imread(path)[..., 0]).sum())

    blank = [np.zeros((28, 28))]
    rows = {"a": blank, "b": blank}
    assert ink(rows, "Reconstructions") > ink(rows, "R") + 100
    assert ink({"input": blank, "reconstruction": blank}, "R") > ink(rows, "R") + 100
    assert ink(rows, "$x_") > 0  # no formula, no error


def test_other_sides_are_drawn(tmp_path):
    picture = draw(tmp_path, {"sample": [np.ones((8, 8))]}, side=8)
    assert picture.shape[:2] == (IMAGE + 2 * LINE, IMAGE + 2 * LINE)


def test_config_is_the_default():
    assert OmegaConf.load(CONF) == {"_target_": "vrnn.figures.digits.Digits", "side": 28}


@pytest.mark.parametrize("shape", [(785, 1), (29, 28), (40, 3), (10, 200), (784,), (28, 28, 1)])
def test_what_is_no_image_is_refused(tmp_path, shape):
    with pytest.raises(ValueError, match=r"T\*D at most 784.*28 x 28 pixels.*set figures.side"):
        Digits().draw({"sample": [np.zeros(shape)]}, tmp_path / "x.png", title="")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("rows", [{}, {"sample": []}])
def test_nothing_to_draw_is_refused(tmp_path, rows):
    with pytest.raises(ValueError, match="rows must hold at least one sequence"):
        Digits().draw(rows, tmp_path / "x.png", title="")


def test_a_side_below_one_is_refused():
    with pytest.raises(ValueError, match="side must be at least 1, got 0"):
        Digits(side=0)
