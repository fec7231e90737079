"""Ink on paper: what is drawn where, and that nothing makes the drawing fail."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.image import imread
from scipy.ndimage import label

from vrnn.figures.strokes import PAGE, Drawing, Page, Strokes

ZIGZAG = np.array([[1, 1, 0], [1, -1, 1], [2, 0, 0], [0, 1, 1]], dtype=np.float32)


def scribble(steps: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    offsets = rng.normal([0.3, 0.0], 0.3, (steps, 2))
    pen = rng.random(steps) < 0.1
    return np.column_stack([offsets, pen]).astype(np.float32)


def picture(path) -> np.ndarray:
    image = imread(path)[..., :3]
    assert image.shape[0] > 150
    assert image.shape[1] > 500
    assert 0.0005 < (image.min(axis=-1) < 0.9).mean() < 0.5  # something is drawn, on white paper
    return image


def test_positions_are_cumulative_sums_and_the_move_after_a_lift_is_in_the_air():
    drawing = Drawing.of(ZIGZAG)
    np.testing.assert_allclose(drawing.points, [[0, 0], [1, 1], [2, 0], [4, 0], [4, 1]])
    assert drawing.on_paper.tolist() == [True, True, False, True]
    np.testing.assert_allclose(drawing.extent, [4, 1])
    np.testing.assert_allclose(drawing.distance, [2**0.5, 2**0.5, 2, 1])


def test_pen_above_one_half_is_up():
    soft = ZIGZAG.copy()
    soft[:, 2] = [0.5, 0.51, -3.0, 0.9]
    assert Drawing.of(soft).on_paper.tolist() == [True, True, False, True]


def test_placing_shrinks_what_is_too_large_and_never_enlarges():
    drawing = Drawing.of(ZIGZAG)
    same = drawing.placed(10.0, -3.0, np.array([8.0, 8.0]))
    np.testing.assert_allclose([same.points.min(axis=0), same.points.max(axis=0)], [[10, -3.5], [14, -2.5]])
    half = drawing.placed(0.0, 0.0, np.array([2.0, 8.0]))
    np.testing.assert_allclose(half.extent, [2, 0.5])


@pytest.mark.parametrize("labels", [1, 2, 3, 4, 7])
@pytest.mark.parametrize("width", [0.0, 50.0, 100.0, 300.0, 6000.0])
def test_every_drawing_has_a_cell_of_its_own_on_the_page(width, labels):
    page = Page.of([np.array([width, 100.0])] * 9, labels, examples=9)
    corners = np.array([page.corner(label, example) for example in range(page.examples) for label in range(labels)])
    assert len({tuple(corner) for corner in corners.round(6).tolist()}) == labels * page.examples
    columns, rows = page.size
    last = np.array([columns - 1, 1 - rows]) * page.pitch
    np.testing.assert_allclose([corners[:, 0].min(), corners[:, 1].max()], [0.0, 0.0])
    np.testing.assert_allclose([corners[:, 0].max(), corners[:, 1].min()], last)
    assert columns * page.pitch[0] * page.scale <= PAGE * (1 + 1e-9)


def test_characters_share_the_width_of_the_page_and_a_line_has_all_of_it():
    square, word, line = (Page.of([np.array([width, 100.0])], 2, 8) for width in (100.0, 300.0, 2000.0))
    assert (square.size[0], word.size[0], line.size[0]) == (6, 2, 1)
    assert [page.stacked for page in (square, word, line)] == [False, False, True]
    assert line.scale * 2000 > 0.85 * PAGE


def test_loops_of_long_lines_stay_open(tmp_path):
    """Three lines of 600 steps in 40 loops, each crossing its neighbours: the ink must leave two holes a loop."""
    angle = np.linspace(0, 80 * np.pi, 601)
    points = np.stack([60 * angle / np.pi + 90 * np.cos(angle), 90 * np.sin(angle)], axis=1)
    line = np.column_stack([np.diff(points, axis=0), np.zeros(600)])
    Strokes().draw({"a": [line], "b": [line], "c": [line]}, tmp_path / "lines.png", title="t")
    paper = label(picture(tmp_path / "lines.png").min(axis=-1) >= 0.9)[0]
    assert (np.bincount(paper.ravel()) >= 9).sum() > 2 * 40 * 3


@pytest.mark.parametrize("prefix", [None, 20])
@pytest.mark.parametrize("labels", [1, 2, 4])
def test_draws_one_picture(tmp_path, labels, prefix):
    rows = {f"label {i}": [scribble(40 + 7 * k, seed=k + i) for k in range(5)] for i in range(labels)}
    path = tmp_path / "strokes.png"
    assert Strokes().draw(rows, path, title="Five scribbles", prefix=prefix) == [path]
    picture(path)


def test_prefix_has_a_colour_of_its_own(tmp_path):
    rows = {"data": [scribble(60, seed=0)]}
    Strokes().draw(rows, tmp_path / "half.png", title="t", prefix=30)
    Strokes().draw(rows, tmp_path / "none.png", title="t")

    def blue(image):
        return ((image[..., 2] > 0.55) & (image[..., 0] < 0.25)).sum()

    assert blue(picture(tmp_path / "half.png")) > 100 > blue(picture(tmp_path / "none.png"))


@pytest.mark.parametrize(
    "sequences",
    [
        [np.zeros((1, 3))],
        [np.full((4, 3), np.nan)],
        [np.array([[np.inf, 1.0, 0.0], [1e30, 1.0, 1.0]])],
        [np.ones((9, 3))],  # the pen is always up
        [np.column_stack([np.ones((9, 1)), np.zeros((9, 2))])],  # a straight line, never lifted
        [ZIGZAG, np.zeros((1, 3)), 1e6 * ZIGZAG],
    ],
    ids=["one step", "nan", "infinite", "pen up", "straight", "mixed"],
)
def test_degenerate_sequences_are_drawn(tmp_path, sequences):
    path = tmp_path / "strokes.png"
    with np.errstate(all="raise", under="ignore"):
        Strokes().draw({"samples": sequences}, path, title="Degenerate")
        Strokes().draw({"samples": sequences, "again": sequences[:1]}, path, title="Degenerate", prefix=1)
    picture(path)


def test_ragged_rows_are_drawn_and_empty_ones_refused(tmp_path):
    path = tmp_path / "strokes.png"
    Strokes().draw({"input": [ZIGZAG, ZIGZAG], "samples": [ZIGZAG], "none": []}, path, title="Ragged")
    picture(path)
    with pytest.raises(ValueError, match="at least one sequence"):
        Strokes().draw({"samples": []}, path, title="Nothing")
    with pytest.raises(ValueError, match=r"must be \[T, 3\]"):
        Strokes().draw({"samples": [np.zeros((4, 2))]}, path, title="Not strokes")
