"""The RNN's likelihood is exact: against torch's own cells, and by counting all sequences there are."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from vrnn.batch import Batch
from vrnn.likelihoods.gaussian import Gaussian
from vrnn.models.recurrence import GRU
from vrnn.models.rnn import RNN

CELLS = pytest.mark.parametrize(
    ("recurrence", "cell"), [("gru", nn.GRUCell), ("lstm", nn.LSTMCell)], ids=["gru", "lstm"]
)


def torch_cell(model: RNN, kind: type[nn.RNNCellBase]) -> nn.RNNCellBase:
    part = model.recurrence
    cell = kind(part.from_x.in_features, part.h_dim).double()
    with torch.no_grad():
        cell.weight_ih.copy_(part.from_x.weight)
        cell.bias_ih.copy_(part.from_x.bias)
        cell.weight_hh.copy_(part.from_h.weight)
        cell.bias_hh.copy_(part.from_h.bias)
    return cell


@CELLS
@pytest.mark.parametrize("nets", [{}, {"phi_x": [], "emission": []}], ids=["deep", "linear"])
def test_log_p_is_that_of_a_loop_over_torchs_cell(recurrence: str, cell: type, nets: dict, make_rnn, make_batch, sizes):
    """Equations 1 and 2 at every step: h_0 = 0, the emission of x_t reads h_{t-1}, then the cell reads x_t."""
    model = make_rnn(recurrence, **nets)
    batch, step = make_batch(model), torch_cell(model, cell)
    state: Tensor | tuple = torch.zeros(sizes.B, sizes.H, dtype=torch.float64)
    state = (state, state) if recurrence == "lstm" else state
    expected = []
    for x in batch.x.unbind(1):
        h = state[0] if recurrence == "lstm" else state
        mean, raw = model.emission_net(h).chunk(2, -1)
        expected.append(Independent(Normal(mean, F.softplus(raw) + 1e-4), 1).log_prob(x))
        state = step(model.phi_x(x), state)
    terms, last = model(batch, torch.zeros(sizes.B, sizes.T, 0))
    torch.testing.assert_close(terms.log_px, torch.stack(expected, 1))
    torch.testing.assert_close(tuple(last), state if recurrence == "lstm" else (state,))


def all_sequences(x_dim: int, steps: int) -> Tensor:
    """Every binary sequence there is [2^(T D), T, D]."""
    return torch.tensor(list(itertools.product([0.0, 1.0], repeat=x_dim * steps))).double().view(-1, steps, x_dim)


@pytest.mark.parametrize("recurrence", ["gru", "lstm"])
def test_probabilities_of_all_binary_sequences_sum_to_one_and_draws_follow_them(recurrence: str, make_rnn):
    model, num = make_rnn(recurrence, "bernoulli", x_dim=2), 20_000
    with torch.no_grad():
        for parameter in model.parameters():
            parameter *= 2.0  # so that the steps depend on each other
        x = all_sequences(2, 3)
        probability = model(Batch.of(x), x[..., :0])[0].log_px.sum(1).exp()
    assert float(probability.sum()) == pytest.approx(1.0, abs=1e-12)
    assert float(probability.max() / probability.min()) > 5.0
    drawn = model.sample(num, 3, torch.Generator().manual_seed(0))
    code = drawn.flatten(1) @ 2.0 ** torch.arange(5, -1, -1).double()
    counts = np.bincount(code.long().numpy(), minlength=64)
    assert stats.chisquare(counts, num * probability.numpy()).pvalue > 1e-3


def test_there_is_no_kl_and_no_log_ratio_and_no_noise(make_rnn, make_batch, sizes):
    model = make_rnn()
    terms, _ = model(make_batch(model), torch.zeros(sizes.B, sizes.T, 0))
    assert model.z_dim == 0
    for field in (terms.kl, terms.log_ratio):
        assert torch.equal(field, torch.zeros(sizes.B, sizes.T, dtype=torch.float64))


def test_a_prediction_never_sees_its_own_observation(make_rnn, make_batch, sizes):
    model = make_rnn(phi_x=[])
    x = make_batch(model).x.requires_grad_()
    found = model.reconstruct(Batch.of(x), torch.zeros(sizes.B, sizes.T, 0))
    for t in range(1, sizes.T):
        (gradient,) = torch.autograd.grad(found.mean[:, t].sum() + found.scale[:, t].sum(), x, retain_graph=True)
        assert not gradient[:, t:].any()
        assert gradient[:, :t].any(-1).all()


@pytest.mark.parametrize("recurrence", ["gru", "lstm"])
def test_a_continuation_starts_from_the_state_after_each_prefix(recurrence: str, make_rnn, make_batch):
    """Almost without noise, the model must draw what it predicts after [prefix; drawn]."""
    model = make_rnn(recurrence)
    with torch.no_grad():
        model.emission_net[-1].weight[3:] = 0.0
        model.emission_net[-1].bias[3:] = -40.0
        model.emission_net[-1].weight[:3] *= 4.0
    model.likelihood.min_std = 1e-9
    lengths = [2, 5, 1, 4]
    prefix = make_batch(model, lengths=lengths)
    drawn = model.sample(4, 3, torch.Generator().manual_seed(0), prefix)
    for row, length in enumerate(lengths):
        x = torch.cat([prefix.x[row, :length], drawn[row]])[None]
        expected = model.reconstruct(Batch.of(x), x[..., :0]).mean
        torch.testing.assert_close(drawn[row], expected[0, length:], rtol=0, atol=1e-6)
    from_nothing = model.sample(4, 3, torch.Generator().manual_seed(0))
    assert not torch.allclose(drawn, from_nothing, atol=1e-4)


def test_the_emissions_bias_starts_at_the_likelihoods_initial_parameters(make_rnn):
    for likelihood in ("gaussian", "bernoulli", "bivariate_gmm", "gmm", "discretized_logistics"):
        model = make_rnn(likelihood=likelihood)
        assert torch.equal(model.emission_net[-1].bias, model.likelihood.initial_params().double())


def test_sizes_that_cannot_be_are_refused_by_name(make_rnn):
    for change, message in (
        ({"h_dim": 0}, "h_dim must be at least 1, got 0"),
        ({"emission": [8, 0]}, r"widths of the layers must be at least 1, got \[8, 0\]"),
    ):
        with pytest.raises(ValueError, match=message):
            make_rnn(**change)
    with pytest.raises(ValueError, match="likelihood is for x_dim = 5, the model for x_dim = 3"):
        RNN(3, Gaussian(5), lambda *widths: GRU(*widths, 7), [], [])


def test_there_are_no_latents_to_encode_sequences_in(make_rnn, make_batch, make_noise, sizes):
    model = make_rnn()
    with pytest.raises(TypeError, match="RNN has no latent variables"):
        model.encode(make_batch(model), make_noise(sizes.B, sizes.T, 0))
