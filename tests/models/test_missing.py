"""Values that were not observed: nothing under the mask counts, all observed is as without a mask, none is log 1."""

from __future__ import annotations

import itertools

import pytest
import torch

from tests.conf import options
from tests.parts import build_likelihood, build_model
from vrnn.batch import Batch
from vrnn.distributions import DiagonalNormal, Mixture
from vrnn.models.base import SequenceModel, at
from vrnn.objectives.iwae import IWAE

TAKING = [name for name in options("likelihood") if build_likelihood(name).takes_missing]
MODELS = itertools.product(options("model"), ["gru"], TAKING)


@pytest.fixture(params=list(MODELS), ids="-".join)
def model(request: pytest.FixtureRequest) -> SequenceModel:
    return build_model(*request.param)


@pytest.fixture
def batch(model: SequenceModel, make_batch, sizes) -> Batch:
    """Ragged, with about a third of the values missing, and one step of which nothing was observed."""
    plain = make_batch(model, lengths=[2, 5, 1, 4])
    observed = torch.rand(plain.x.shape, generator=torch.Generator().manual_seed(1)) < 0.65
    observed[1, 2] = False
    return Batch(*plain.fields, observed)


def gradients(model: SequenceModel, batch: Batch, noise: torch.Tensor) -> list[torch.Tensor]:
    model.zero_grad()
    IWAE(1)(model, batch, 0, noise).loss.backward()
    return [parameter.grad.clone() for parameter in model.parameters() if parameter.grad is not None]


def test_a_value_under_the_mask_changes_neither_values_nor_gradients(model, batch, make_noise, sizes):
    noise = make_noise(sizes.B, sizes.T, model.z_dim)
    filled = torch.where(batch.observed, batch.x, torch.nan)
    other = Batch(filled, batch.lengths, batch.index, batch.observed)
    for before, after in zip(model(batch, noise)[0], model(other, noise)[0], strict=True):
        assert torch.equal(before, after)
    for before, after in zip(gradients(model, batch, noise), gradients(model, other, noise), strict=True):
        assert torch.equal(before, after)


def test_a_mask_of_all_observed_is_as_no_mask(model, make_batch, make_noise, sizes):
    plain, noise = make_batch(model), make_noise(sizes.B, sizes.T, model.z_dim)
    masked = Batch(*plain.fields, torch.ones_like(plain.x, dtype=torch.bool))
    torch.testing.assert_close(model(masked, noise)[0], model(plain, noise)[0])


def test_of_nothing_log_p_is_0_and_the_kl_that_of_a_posterior_that_saw_zeros(model, make_batch, make_noise, sizes):
    plain, noise = make_batch(model), make_noise(sizes.B, sizes.T, model.z_dim)
    nothing = Batch(*plain.fields, torch.zeros_like(plain.x, dtype=torch.bool))
    terms, _ = model(nothing, noise)
    torch.testing.assert_close(terms.log_px, torch.zeros_like(terms.log_px))
    blank, _ = model(Batch.of(torch.zeros_like(plain.x)), noise)
    torch.testing.assert_close(terms.kl, blank.kl)


def test_replaying_step_equals_forward(model, batch, make_noise, sizes):
    noise = make_noise(sizes.B, sizes.T, model.z_dim)
    inputs, state, replayed = model.prepare(batch), model.initial_state(sizes.B), []
    for t in range(sizes.T):
        terms, state = model.step(at(inputs, t), state, noise[:, t])
        replayed.append(terms)
    expected, _ = model(batch, noise)
    for found, term in zip(zip(*replayed, strict=True), expected, strict=True):
        torch.testing.assert_close(torch.stack(found, 1)[batch.mask], term[batch.mask])


def test_chunks_and_repeats_keep_the_mask(batch: Batch):
    assert torch.equal(torch.cat([chunk.observed for chunk in batch.chunks(2)], 1), batch.observed)
    assert torch.equal(batch.repeated(3).observed[1::3], batch.observed)
    assert not batch.observed[~batch.mask].any()


def test_the_density_of_some_dimensions_is_that_of_a_smaller_likelihood():
    generator = torch.Generator().manual_seed(0)
    loc, x = torch.randn(4, 5, generator=generator), torch.randn(4, 5, generator=generator)
    scale, kept = loc.exp(), [0, 3]
    observed = torch.zeros(4, 5, dtype=torch.bool)
    observed[:, kept] = True
    smaller = DiagonalNormal(loc[:, kept], scale[:, kept]).log_prob(x[:, kept])
    torch.testing.assert_close(DiagonalNormal(loc, scale).log_prob(x, observed), smaller)
    weights = torch.randn(4, 2, generator=generator).log_softmax(-1)
    locs, scales = torch.stack([loc, -loc], 1), torch.stack([scale, 2 * scale], 1)
    smaller = Mixture(weights, locs[..., kept], scales[..., kept]).log_prob(x[:, kept])
    torch.testing.assert_close(Mixture(weights, locs, scales).log_prob(x, observed), smaller)


def test_fitted_moments_pass_over_what_is_missing():
    for name in TAKING:
        likelihood = build_likelihood(name)
        x = torch.tensor([[0.0, 1.0, 1.0], [1.0, 0.0, 0.0], [0.0, 0.0, 1.0], [1.0, 1.0, 0.0]])
        missing = torch.full((2, 3), torch.nan)
        torch.testing.assert_close(likelihood.fit(torch.cat([x, missing])), likelihood.fit(x))


def test_a_likelihood_without_marginals_refuses_by_name():
    for name in set(options("likelihood")) - set(TAKING):
        with pytest.raises(ValueError, match=build_likelihood(name).label.split()[0]):
            build_likelihood(name).require_missing()
    assert not build_likelihood("bivariate_gmm").takes_missing


@pytest.mark.parametrize("name", options("model"))
def test_phi_x_reads_the_mask_where_it_is_asked_to(name: str, make_noise, sizes):
    model = build_model(name, changes="model.mask_input=true")
    x = torch.zeros(1, 2, 3, dtype=torch.float64)
    noise, seen = make_noise(1, 2, model.z_dim), torch.tensor([[[True, False, True], [True, True, True]]])
    blank, _ = model(Batch.of(x), noise)
    masked, _ = model(Batch(*Batch.of(x).fields, seen), noise)
    assert not torch.equal(blank.log_px[:, 1], masked.log_px[:, 1])  # by the state, which knows that one was missing
    assert model.sample(2, 3, torch.Generator().manual_seed(0)).shape == (2, 3, 3)
