"""The weights that a model starts with, as in the paper's code."""

from __future__ import annotations

import functools

import pytest
import torch

from tests.conf import options
from tests.parts import build_model
from vrnn.likelihoods.gaussian import Gaussian
from vrnn.models.base import SequenceModel
from vrnn.models.initialisation import as_paper, as_torch
from vrnn.models.recurrence import GRU, LSTM
from vrnn.models.rnn import RNN
from vrnn.models.vrnn import VRNN

D, Z, H = 3, 2, 30
NETS = {"phi_x": [40], "phi_z": [41], "prior": [42], "posterior": [43], "emission": [44]}
RECURRENCES = pytest.mark.parametrize("recurrence", [GRU, LSTM])


def build(name: str, recurrence: type, **arguments) -> SequenceModel:
    """With the standard deviations of the emission at 0.6."""
    torch.manual_seed(0)
    likelihood = Gaussian(D, sigma_bias=0.6)
    parts = (likelihood, lambda *widths: recurrence(*widths, H))
    if name == "rnn":
        return RNN(D, *parts, NETS["phi_x"], NETS["emission"], **arguments)
    return VRNN(D, Z, *parts, **NETS, **arguments)


def paper(name: str, recurrence: type, bound: float = 0.08) -> SequenceModel:
    sigma = {} if name == "rnn" else {"sigma_bias": 0.6}
    return build(name, recurrence, initialise=functools.partial(as_paper, bound=bound), **sigma)


@RECURRENCES
@pytest.mark.parametrize("name", ["vrnn", "rnn"])
def test_each_gates_recurrent_matrix_is_orthogonal(name: str, recurrence: type):
    gates = paper(name, recurrence).recurrence.from_h.weight.detach().split(H)
    assert len(gates) == recurrence.num_gates
    for gate in gates:
        torch.testing.assert_close(gate.double() @ gate.double().T, torch.eye(H).double(), atol=1e-5, rtol=0)
    assert not torch.allclose(gates[0], gates[1])


@RECURRENCES
@pytest.mark.parametrize("name", ["vrnn", "rnn"])
@pytest.mark.parametrize("bound", [0.08, 0.5])
def test_all_other_weights_are_uniform_within_the_bound(name: str, recurrence: type, bound: float):
    found = paper(name, recurrence, bound).named_parameters()
    weights = {key: value.detach() for key, value in found if value.dim() > 1 and "from_h" not in key}
    assert len(weights) >= (10 if name == "vrnn" else 4)
    for key, weight in weights.items():
        assert float(weight.abs().max()) <= bound, key
        assert float(weight.abs().max()) > 0.9 * bound, key
    values = torch.cat([weight.flatten() for weight in weights.values()])
    assert float(values.std()) == pytest.approx(bound / 3**0.5, rel=0.02)
    assert float(values.mean()) == pytest.approx(0.0, abs=0.05 * bound)


@RECURRENCES
def test_biases_are_zero_but_those_of_standard_deviations(recurrence: type):
    model = paper("vrnn", recurrence)
    sigma = {
        "prior_net.2.bias": slice(Z, None),
        "posterior_net.rest.1.bias": slice(Z, None),
        "emission_net.rest.1.bias": slice(D, None),
    }
    biases = {key: value.detach() for key, value in model.named_parameters() if key.endswith("bias")}
    assert sigma.keys() < biases.keys()
    for key, bias in biases.items():
        expected = torch.zeros_like(bias)
        if key in sigma:
            expected[sigma[key]] = 0.6
        assert torch.equal(bias, expected), key
    rnn = dict(paper("rnn", recurrence).named_parameters())
    assert rnn["emission_net.2.bias"].tolist() == [0.0] * D + [pytest.approx(0.6)] * D
    assert not any(rnn[key].any() for key in ("phi_x.0.bias", "recurrence.from_x.bias", "recurrence.from_h.bias"))


def test_as_torch_leaves_every_layer_as_it_was_made():
    for name in ("vrnn", "rnn"):
        default, named = build(name, GRU).state_dict(), build(name, GRU, initialise=as_torch).state_dict()
        assert all(torch.equal(default[key], named[key]) for key in default)
        largest = float(default["recurrence.from_h.weight"].abs().max())
        assert 0.9 / H**0.5 < largest <= 1.0 / H**0.5


def test_the_sigma_bias_changes_nothing_else_and_a_standard_prior_has_none():
    plain, biased = build("vrnn", GRU).state_dict(), build("vrnn", GRU, sigma_bias=0.6).state_dict()
    for key, value in plain.items():
        start = Z if key in ("prior_net.2.bias", "posterior_net.rest.1.bias") else len(value)
        assert torch.equal(biased[key][:start], value[:start])
        assert torch.equal(biased[key][start:], torch.full_like(value[start:], 0.6))
    standard = VRNN(D, Z, Gaussian(D), lambda *widths: GRU(*widths, H), **NETS | {"prior": "standard"}, sigma_bias=0.6)
    assert standard.posterior_net.head.bias[Z:].tolist() == [pytest.approx(0.6)] * Z


@pytest.mark.parametrize("option", options("model"))
@pytest.mark.parametrize("likelihood", options("likelihood"))
def test_an_emission_starts_at_the_parameters_that_its_bias_is_set_to(option: str, likelihood: str, make_batch):
    """Where the nets give nothing, every step has the distribution of the bias: the fit to the data, say."""
    model = build_model(option, likelihood=likelihood)
    batch = make_batch(model)
    params = model.likelihood.fit(batch.x.flatten(0, 1))
    with torch.no_grad():
        for parameter in model.get_submodule("emission_net").parameters():
            parameter.zero_()
    model.set_emission_bias(params)
    found = model.reconstruct(batch, torch.zeros(*batch.x.shape[:2], model.z_dim, dtype=torch.float64))
    expected = model.likelihood(params.expand(*batch.x.shape[:2], -1))
    torch.testing.assert_close(found.log_prob(batch.x), expected.log_prob(batch.x))
