"""Emissions that see inside the frame: a product of conditionals, normalised, causal, drawn as they are scored."""

from __future__ import annotations

import itertools
import math

import pytest
import torch
from torch import Tensor

from experiments.config.build import build
from experiments.errors import UserError
from tests.conf import composed, hydra_ready
from tests.parts import build_model, factorising, inside_emissions
from vrnn.likelihoods.autoregressive import Autoregressive
from vrnn.likelihoods.bernoulli import Bernoulli
from vrnn.likelihoods.bivariate_gmm import BivariateGMM
from vrnn.likelihoods.gaussian import Gaussian
from vrnn.likelihoods.gmm import GMM
from vrnn.nn import MaskedLinear

D = 3


@pytest.fixture(params=itertools.product(factorising(), inside_emissions()), ids="-".join)
def emission(request: pytest.FixtureRequest) -> Autoregressive:
    """Every emission of conf/ with every likelihood that factorises."""
    likelihood, option = request.param
    return build_model("rnn", likelihood=likelihood, changes=option).likelihood


def params_of(emission: Autoregressive, *shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, emission.param_dim, generator=generator, dtype=torch.float64)


def conditionals(emission: Autoregressive, params: Tensor, x: Tensor) -> Tensor:
    """log p(x_d | x_1, ..., x_{d-1}) of each dimension [..., D]."""
    given = emission.given(params, x)
    return torch.stack([given.log_prob(x, torch.arange(D) == d) for d in range(D)], -1)


def test_the_density_is_the_product_of_conditionals_that_later_values_do_not_move(emission, make_x):
    params, x, other = params_of(emission, 6), make_x(emission, 6, D), make_x(emission, 6, D, seed=3)
    terms = conditionals(emission, params, x)
    torch.testing.assert_close(emission(params).log_prob(x), terms.sum(-1))
    for d in range(D):
        changed = torch.where(torch.arange(D) > d, other, x)
        torch.testing.assert_close(conditionals(emission, params, changed)[:, : d + 1], terms[:, : d + 1])


def test_no_parameter_of_a_value_has_a_gradient_in_it_or_in_later_ones(emission, make_x):
    params, x = params_of(emission, 6), make_x(emission, 6, D).requires_grad_()
    dims = torch.tensor(emission.plain.dims_of_params())
    found: list[Tensor] = []

    def keep(values: Tensor) -> object:
        found.append(values)
        return plain(values)

    plain, emission.likelihood = emission.likelihood, keep  # what it is given
    emission.likelihood.param_dim = plain.param_dim
    emission.given(params, x)
    for d in range(D):
        (gradient,) = torch.autograd.grad(found[0][:, dims == d].square().sum(), x, retain_graph=True)
        assert not gradient[:, d:].any()
        assert gradient[:, :d].any(0).all()


@torch.no_grad()
def test_probabilities_sum_to_one(emission):
    """Of all that x can be where it is discrete; else by importance sampling."""
    params = params_of(emission, 1).squeeze(0)
    if emission.discrete:
        kinds = emission(params.expand(20_000, -1)).sample(torch.Generator().manual_seed(0)).unique()
        kinds = torch.tensor([0.0, 1.0]).double() if len(kinds) == 2 else torch.linspace(-1.0, 1.0, 21).double()
        x = torch.cartesian_prod(*[kinds] * D)
        assert float(emission(params.expand(len(x), -1)).log_prob(x).exp().sum()) == pytest.approx(1.0)
        return
    count = 50_000
    drawn = emission(params.expand(count, -1)).sample(torch.Generator().manual_seed(0))
    x = 3.0 * drawn.std(0) * torch.randn(count, D, generator=torch.Generator().manual_seed(1)).double() + drawn.mean(0)
    log_proposal = torch.distributions.Normal(drawn.mean(0), 3.0 * drawn.std(0)).log_prob(x).sum(-1)
    weights = (emission(params.expand(count, -1)).log_prob(x) - log_proposal).exp()
    assert float(weights.mean()) == pytest.approx(1.0, abs=5.0 * float(weights.std()) / math.sqrt(count))


def test_what_is_drawn_one_by_one_is_drawn_from_what_one_pass_gives(emission):
    """Replay: with the same noise, each value is that of the one-pass conditionals given the whole draw."""
    params = params_of(emission, 5, 4)
    generator = torch.Generator().manual_seed(7)
    x = emission(params).sample(generator)
    generator.manual_seed(7)
    given = emission.given(params, x)
    replayed = torch.stack([given.sample(generator)[..., d] for d in range(D)], -1)
    torch.testing.assert_close(replayed, x)
    emission.check(x.flatten(0, 1))
    assert emission(params).mean.shape == x.shape


def test_a_net_that_adds_nothing_leaves_the_likelihood(emission, make_x):
    with torch.no_grad():
        for parameter in emission.parameters():
            parameter.zero_()
    params, x = params_of(emission, 6), make_x(emission, 6, D)
    plain = emission.plain(params[:, : emission.plain.param_dim])
    assert torch.equal(emission(params).log_prob(x), plain.log_prob(x))
    torch.testing.assert_close(emission(params).mean, plain.mean)


def test_it_starts_and_is_fitted_as_its_likelihood(emission, make_x):
    x = make_x(emission, 50, D)
    for found, expected in (
        (emission.initial_params(), emission.plain.initial_params()),
        (emission.fit(x), emission.plain.fit(x)),
    ):
        assert torch.equal(found[: len(expected)], expected)
        assert found.shape == (emission.param_dim,)
        assert not found[len(expected) :].any()


@torch.no_grad()
@pytest.mark.parametrize("hidden", [[], [1], [4], [9], [9, 5]])
def test_draws_have_the_frequencies_of_their_probabilities(hidden: list[int]):
    torch.manual_seed(1)
    emission = Autoregressive(Bernoulli(D), hidden).double()
    for parameter in emission.parameters():
        parameter.data.mul_(4.0)
    params, count = 2.0 * params_of(emission, 1), 20_000
    drawn = emission(params.expand(count, -1)).sample(torch.Generator().manual_seed(0))
    outcomes = torch.tensor([*itertools.product([0.0, 1.0], repeat=D)]).double()
    probability = emission(params.expand(8, -1)).log_prob(outcomes).exp()
    frequency = (drawn[:, None] == outcomes).all(-1).double().mean(0)
    assert ((frequency - probability).abs() < 5.0 * (probability * (1.0 - probability) / count).sqrt() + 1e-9).all()
    assert float(probability.sum()) == pytest.approx(1.0)


@pytest.mark.parametrize(("x_dim", "hidden"), [(2, [1]), (5, [3]), (7, [20, 4]), (28, [64])])
def test_masked_weights_are_counted_and_units_are_spread_over_the_values(x_dim: int, hidden: list[int]):
    emission = Autoregressive(Gaussian(x_dim), hidden)
    for layer in emission.modules():
        if isinstance(layer, MaskedLinear):
            assert layer.num_masked == int((~layer.mask).sum())
    seen = emission.layers[0].mask.sum(1)  # values that each unit sees
    assert seen.min() >= 1
    assert seen.max() <= x_dim - 1
    assert float(seen.double().mean()) == pytest.approx(x_dim / 2, abs=0.5)


def test_impossible_ones_are_refused():
    for likelihood in (GMM(3), BivariateGMM(3)):
        with pytest.raises(ValueError, match=r"does not factorise.*choose likelihood=gaussian.*emission=factorised"):
            Autoregressive(likelihood, [4])
    with pytest.raises(ValueError, match=r"at least 2 values.*emission=factorised"):
        Autoregressive(Bernoulli(1), [4])
    with pytest.raises(ValueError, match=r"hidden\[1\] must be at least 1, got 0"):
        Autoregressive(Bernoulli(3), [4, 0])


def test_a_user_is_told_of_an_impossible_pair_in_one_line():
    with hydra_ready(), pytest.raises(UserError, match="does not factorise") as caught:
        build(composed("data=handwriting", "emission=autoregressive"), "model")
    assert "\n" not in str(caught.value)
    assert "{" not in str(caught.value)
