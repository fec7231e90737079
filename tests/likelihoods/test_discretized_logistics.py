"""The discretized mixture of logistics: its parameters' order, where it starts, and the grid."""

from __future__ import annotations

import math

import pytest
import torch

from vrnn.likelihoods.discretized_logistics import DiscretizedLogistics


def test_discretized_logistics_read_weights_means_and_scales_in_blocks_of_each_value():
    likelihood = DiscretizedLogistics(2, levels=5, num_components=3, min_scale=0.4)
    found = likelihood(torch.arange(18.0, dtype=torch.float64))
    torch.testing.assert_close(found.log_weights, torch.arange(6.0).view(2, 3).double().log_softmax(-1))
    assert found.loc.tolist() == [[6.0, 7.0, 8.0], [9.0, 10.0, 11.0]]
    torch.testing.assert_close(found.scale, torch.log1p(torch.arange(12.0, 18.0).view(2, 3).double().exp()) + 0.4 * 0.5)
    assert found.levels == 5


def test_the_smallest_scale_is_in_bins_and_leaves_a_bin_its_whole_probability():
    for levels in (2, 256, 65536):
        likelihood = DiscretizedLogistics(1, levels=levels, num_components=1)
        narrow = likelihood(torch.tensor([0.0, -1.0, -1e3], dtype=torch.float64))
        torch.testing.assert_close(narrow.scale, torch.tensor([[0.1 / (levels - 1)]], dtype=torch.float64))
        assert float(narrow.log_prob(torch.tensor([-1.0]).double()).exp()) > 0.9999


def test_discretized_logistics_start_over_the_middle_of_the_grid_and_are_fitted_around_the_data():
    likelihood = DiscretizedLogistics(3, levels=256, num_components=5)
    start = likelihood(likelihood.initial_params())
    torch.testing.assert_close(start.loc, torch.linspace(-0.3, 0.3, 5).expand(3, 5))
    torch.testing.assert_close(start.mean, torch.zeros(3), atol=1e-6, rtol=0)
    x = (torch.randn(500, 3, dtype=torch.float64) * 0.1 + torch.tensor([-0.5, 0.0, 0.6]).double()).clamp(-1, 1)
    x = ((x + 1) * 127.5).round() / 127.5 - 1
    fitted = likelihood(likelihood.fit(x))
    torch.testing.assert_close(fitted.mean, x.mean(0))
    assert float(fitted.log_prob(x).mean()) > float(start.log_prob(x.float()).mean()) + 1.0


def test_values_off_the_grid_are_refused_by_the_discretized_logistics():
    for levels in (2, 256, 65536):
        DiscretizedLogistics(2, levels=levels).check(torch.linspace(-1.0, 1.0, levels).view(-1, 2))
    message = r"grid of levels = 256 points from -1 to 1.*data\.quantize=256.*likelihood=gaussian"
    for bad in (0.5, 1.0 + 2 / 255, -1.1, math.nan, math.inf):
        with pytest.raises(ValueError, match=message):
            DiscretizedLogistics(2).check(torch.tensor([[1.0, bad]]))
