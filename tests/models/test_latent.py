"""SRNN, STORN and DKF against their formulas, and what they have of their own."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from experiments.errors import UserError
from tests.models.variants import VARIANTS
from tests.parts import build_model
from vrnn.batch import Batch
from vrnn.data.lgssm import LinearGaussian
from vrnn.data.splits import Sequences
from vrnn.data.standardisation import Standardisation
from vrnn.distributions import DiagonalNormal
from vrnn.likelihoods.gaussian import Gaussian
from vrnn.models.dkf import DKF
from vrnn.models.latent import backwards
from vrnn.models.recurrence import GRU
from vrnn.nn import inverse_positive
from vrnn.objectives.iwae import IWAE

FORCED = [(model, changes) for model, changes in VARIANTS if "auxiliary" in changes]


def test_the_backward_rnn_is_torchs_run_from_each_sequences_own_end(make_noise, sizes):
    torch.manual_seed(0)
    recurrence, phi_x, lengths = GRU(3, 0, sizes.H).double(), make_noise(4, 5, 3), [2, 5, 1, 4]
    layer = nn.GRU(3, sizes.H, batch_first=True).double()
    parts = (recurrence.from_x.weight, recurrence.from_h.weight, recurrence.from_x.bias, recurrence.from_h.bias)
    with torch.no_grad():
        for theirs, ours in zip(layer.parameters(), parts, strict=True):
            theirs.copy_(ours)
    found = backwards(recurrence, phi_x, None, torch.tensor(lengths))
    for row, length in enumerate(lengths):
        expected = layer(phi_x[row : row + 1, :length].flip(1))[0].flip(1)
        torch.testing.assert_close(found[row : row + 1, :length], expected)


@pytest.mark.parametrize(("name", "changes"), FORCED)
def test_the_auxiliary_cost_adds_its_gradient_and_nothing_to_the_bound(
    name: str, changes: str, make_batch, make_noise, sizes
):
    """Its gradient is that of - weight log N(b_t; net(z_t)), with b_t held fixed (Goyal et al. 2017)."""
    model = build_model(name, changes=changes)
    batch, noise = make_batch(model, lengths=[2, 5, 1, 4]), make_noise(sizes.B, sizes.T, sizes.Z)
    parameters, forcing = dict(model.named_parameters()), model.forcing

    def gradients(loss: torch.Tensor) -> dict[str, torch.Tensor | None]:
        return dict(
            zip(parameters, torch.autograd.grad(loss, list(parameters.values()), allow_unused=True), strict=True)
        )

    with_cost = IWAE(1)(model, batch, 0, noise)
    model.forcing = None
    without = IWAE(1)(model, batch, 0, noise)
    assert torch.equal(with_cost.bound, without.bound)
    inputs, drawn, _ = model._infer(batch, noise, None)
    mean, raw = forcing.net(drawn.z).chunk(2, -1)
    density = DiagonalNormal(mean, nn.functional.softplus(raw) + 1e-2).log_prob(inputs.later.detach())
    cost = -forcing.weight * density[batch.mask].sum() / batch.mask.sum()
    added, plain, expected = gradients(with_cost.loss), gradients(without.loss), gradients(cost)
    for key, theirs in expected.items():
        mine = added[key] if plain[key] is None else added[key] - plain[key]
        torch.testing.assert_close(mine, torch.zeros_like(mine) if theirs is None else theirs)
        assert theirs is None or theirs.any() or "backward_rnn" in key
    assert any(value is not None and value.any() for key, value in expected.items() if "forcing" in key)


@pytest.mark.parametrize("changes", ["model.smoothing=false", "model.direction=left"])
def test_an_auxiliary_cost_without_a_backward_rnn_is_refused_by_name(changes: str):
    name = "dkf" if "direction" in changes else "srnn"
    with pytest.raises(UserError, match=r"auxiliary=0\.1: .*0 where no RNN runs backwards in time"):
        build_model(name, changes=f"{changes} model.auxiliary=0.1")


def test_the_residual_posterior_starts_from_the_priors_mean(make_batch, make_noise, sizes):
    model = build_model("srnn")
    with torch.no_grad():
        head = model.posterior_net.head
        head.weight[: sizes.Z].zero_()
        head.bias[: sizes.Z].zero_()
    batch, noise = make_batch(model), make_noise(sizes.B, sizes.T, sizes.Z)
    inputs, drawn, _ = model._infer(batch, noise, None)
    torch.testing.assert_close(drawn.loc, model.prior_of(inputs, drawn).loc)
    model.residual = False
    torch.testing.assert_close(model.encode(batch, noise).loc, torch.zeros_like(drawn.loc))


def test_the_transition_starts_at_a_random_walk_as_far_as_its_gate_is_closed(make_noise, sizes):
    transition = build_model("dkf").transition
    with torch.no_grad():
        transition.gate[-1].weight.zero_()
        transition.gate[-1].bias.fill_(-40.0)
    z = make_noise(sizes.B, sizes.Z)
    torch.testing.assert_close(transition(z)[:, : sizes.Z], z)


@pytest.mark.parametrize("name", ["srnn", "storn", "dkf"])
def test_a_continuation_starts_from_the_state_after_each_prefix(name: str, make_batch):
    """Its first draws from a prefix and from that prefix alone are the same, and those of another prefix are not."""
    model, lengths = build_model(name), [2, 5, 1, 4]
    prefix = make_batch(model, lengths=lengths)
    drawn = model.sample(4, 3, torch.Generator().manual_seed(0), prefix)
    other = Batch.of(prefix.x.flip(0), prefix.lengths)
    assert drawn.shape == (4, 3, 3)
    assert not torch.allclose(drawn, model.sample(4, 3, torch.Generator().manual_seed(0), other))
    padded = torch.cat([prefix.x, torch.full((4, 2, 3), torch.nan, dtype=torch.float64)], 1)
    state = model._infer(Batch.of(padded, prefix.lengths), torch.zeros(4, 7, 2, dtype=torch.float64), None)[2]
    expected = model._infer(prefix, torch.zeros(4, 5, 2, dtype=torch.float64), None)[2]
    torch.testing.assert_close(state, expected)


def test_sizes_that_cannot_be_are_refused_by_name():
    for name, change, message in (
        ("srnn", "model.z_dim=0", "z_dim.* at least 1"),
        ("storn", "model.min_std=-0.1", "min_std.*must be positive"),
        ("dkf", "model.direction=up", "direction=up: expected 'left' or 'right' or 'both', got 'up'"),
        ("srnn", "model.encoder=[]", "encoder.*at least one width"),
    ):
        with pytest.raises(UserError, match=message):
            build_model(name, changes=change)


def test_a_linear_dkf_has_the_likelihood_of_the_kalman_filter(make_noise):
    """With its gate closed it is a linear-Gaussian system: importance sampling finds the exact log p(x)."""
    transition, emission = np.array([[0.9, 0.3], [-0.3, 0.7]]), np.array([[1.0, 0.2], [0.5, -0.8]])
    std, noise_std, first_std = np.array([0.5, 0.7]), np.array([0.6, 0.9]), np.array([1.3, 0.8])
    model = DKF(2, 2, Gaussian(2), lambda *widths: GRU(*widths, 4), [], [], [], direction="left").double()
    with torch.no_grad():
        model.transition.gate[0].bias.fill_(-40.0)
        model.transition.linear.weight.copy_(torch.from_numpy(transition))
        model.transition.raw_std.weight.zero_()
        model.transition.raw_std.bias.copy_(inverse_positive(torch.from_numpy(std), 1e-4))
        model.first[2:] = inverse_positive(torch.from_numpy(first_std), 1e-4)
        model.emission_net[0].weight.copy_(torch.from_numpy(np.concatenate([emission, np.zeros((2, 2))])))
        model.emission_net[0].bias[2:] = inverse_positive(torch.from_numpy(noise_std), 1e-4)
        model.posterior_net.bias[2:] = 1.0  # wide, so that the weights are bounded
    covariances = (np.diag(values**2) for values in (std, noise_std, first_std))
    process = LinearGaussian(transition, next(covariances), emission, next(covariances), next(covariances))
    x = torch.from_numpy(process.sample(3, 2, np.random.default_rng(0)))
    exact = process.truth(Sequences.of_equal_length(x), Standardisation.identity(2))
    with torch.no_grad():
        found = IWAE(40_000)(model, Batch.of(x), 0, make_noise(3 * 40_000, 2, 2))
    assert (found.variance.sqrt() < 0.05).all()
    assert ((found.bound - exact).abs() < 4.0 * found.variance.sqrt()).all()
