"""The mixture of Gaussians: its parameters' order, and when it is one Gaussian."""

from __future__ import annotations

import math

import torch

from vrnn.likelihoods.gaussian import Gaussian
from vrnn.likelihoods.gmm import GMM


def test_a_gmm_of_one_component_is_the_gaussian(make_x):
    one, gaussian = GMM(3, num_components=1, min_std=0.1), Gaussian(3, min_std=0.1)
    params, x = torch.randn(4, 5, 6, dtype=torch.float64), make_x(gaussian, 4, 5, 3)
    weight = torch.randn(4, 5, 1, dtype=torch.float64)  # the only weight is 1 whatever its logit
    found = one(torch.cat([weight, params], -1))
    torch.testing.assert_close(found.log_prob(x), gaussian(params).log_prob(x))


def test_a_gmm_starts_as_one_standard_normal_and_is_fitted_as_a_gaussian(make_x):
    likelihood, x = GMM(3, num_components=6), make_x(Gaussian(3), 200, 3)
    start = likelihood(likelihood.initial_params().double().expand(200, -1))
    torch.testing.assert_close(start.log_prob(x), Gaussian(3)(Gaussian(3).initial_params().double()).log_prob(x))
    torch.testing.assert_close(start.log_weights, torch.full((200, 6), -math.log(6.0)).double())
    fitted = likelihood(likelihood.fit(x).expand(200, -1)).log_prob(x)
    torch.testing.assert_close(fitted, Gaussian(3)(Gaussian(3).fit(x)).log_prob(x))


def test_a_gmm_reads_weights_then_means_then_stds():
    likelihood = GMM(2, num_components=3)
    found = likelihood(torch.arange(15.0, dtype=torch.float64))
    torch.testing.assert_close(found.log_weights, torch.tensor([0.0, 1.0, 2.0]).double().log_softmax(-1))
    assert found.loc.tolist() == [[3.0, 4.0], [5.0, 6.0], [7.0, 8.0]]
    raw = torch.tensor([[9.0, 10.0], [11.0, 12.0], [13.0, 14.0]]).double()
    torch.testing.assert_close(found.scale, torch.log1p(raw.exp()) + 1e-4)
