"""Curves over seeds, and pictures that fit the page."""

from __future__ import annotations

import base64
import io

import numpy as np
import pytest
from PIL import Image

from experiments.report.blocks.media import embed_pngs
from experiments.report.blocks.plots import Curve, draw_curves, over_seeds


def test_a_seed_that_stopped_early_has_no_values_after_its_last():
    steps, values = over_seeds(
        [Curve(np.array([1.0, 3.0]), np.array([5.0, 7.0])), Curve(np.arange(2.0, 5.0), np.ones(3))]
    )
    assert steps.tolist() == [1, 2, 3, 4]
    np.testing.assert_array_equal(values, [[5, 6, 7, np.nan], [np.nan, 1, 1, 1]])


def test_a_model_has_its_colour_in_every_picture():
    curve = [Curve(np.array([1.0, 2.0]), np.array([3.0, 4.0]))]
    both = draw_curves({"a": curve, "b": curve}, x_label="x", y_label="y").axes[0]
    one = draw_curves({"a": [], "b": curve}, x_label="x", y_label="y").axes[0]
    assert both.lines[1].get_color() == one.lines[0].get_color() != both.lines[0].get_color()
    assert [text.get_text() for text in one.get_legend().get_texts()] == ["b"]


@pytest.mark.parametrize("far", [-1e6, 1e6])
def test_a_start_far_off_does_not_flatten_the_rest(far):
    values = np.concatenate([[far, far / 2], np.linspace(0.0, 1.0, 48)])
    axes = draw_curves({"a": [Curve(np.arange(50.0), values)]}, x_label="x", y_label="y").axes[0]
    low, high = axes.get_ylim()
    assert low <= 0.1
    assert high >= 0.9
    assert high - low < 3.0


def test_pictures_are_made_smaller_until_they_fit(tmp_path):
    noise = np.random.default_rng(0)
    files = [tmp_path / "a.png", tmp_path / "b.png"]
    for file in files:
        Image.fromarray(noise.integers(0, 256, (300, 1300, 4), dtype=np.uint8)).save(file)
    large, small = embed_pngs(files, 10**9), embed_pngs(files, 400_000)
    assert sum(map(len, small)) <= 400_000 < sum(map(len, large))
    sizes = [Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2]))).size for uri in (large[0], small[0])]
    assert sizes[0] == (1300, 300)
    assert sizes[1][0] < 1300
    assert sizes[1][0] / sizes[1][1] == pytest.approx(1300 / 300, rel=0.02)
