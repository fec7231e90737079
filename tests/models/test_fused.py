"""The fused time loop equals its specification, in values and in gradients."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch
from torch import Tensor

from vrnn.batch import Batch
from vrnn.likelihoods.gaussian import Gaussian
from vrnn.models.base import Loop
from vrnn.models.fused import scan
from vrnn.models.recurrence import GRU, LSTM, Recurrence
from vrnn.models.vrnn import VRNN

B, T, D, Z, H = 4, 5, 3, 2, 7
LOOPS = ("torch", "compiled")
NETS = list(itertools.product(LOOPS, (GRU, LSTM), ([], [5], [5, 6]), ([], [4], [4, 3])))


def make(
    cell: type[Recurrence],
    posterior: list[int],
    phi_z: list[int],
    dtype: torch.dtype = torch.float64,
    *,
    loop: Loop = "torch",
    prior: Any = (5,),
) -> VRNN:
    torch.manual_seed(0)
    model = VRNN(D, Z, Gaussian(D), lambda x, z: cell(x, z, H), [6], phi_z, prior, posterior, [8]).to(dtype)
    model.loop = loop
    assert model.time_loop().name == (loop if cell.fused else "torch")
    return model


def case(model: VRNN, dtype: torch.dtype = torch.float64) -> tuple[Batch, Tensor, tuple]:
    """A ragged batch, noise, and a state carried over from before."""
    generator = torch.Generator().manual_seed(1)

    def randn(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, dtype=dtype)

    state = tuple(randn(B, H).requires_grad_() for _ in model.initial_state(B))
    batch = Batch.of(randn(B, T, D), torch.tensor([5, 3, 4, 1]))
    return batch, randn(B, T, Z), type(model.initial_state(B))(*state)


def results(model: VRNN, batch: Batch, noise: Tensor, state: tuple) -> tuple[list[Tensor], list[Tensor]]:
    """All outputs, and the gradients of a sum of them all, each weighted differently."""
    terms, last = model(batch, noise, state)
    outputs = [torch.where(batch.mask, term, 0.0) for term in terms] + list(last)
    weighted = sum((value * torch.linspace(0.5, 2.0, value.numel()).view_as(value)).sum() for value in outputs)
    wanted = [*model.parameters(), *state]
    return [value.detach() for value in outputs], list(torch.autograd.grad(weighted, wanted))


@pytest.mark.parametrize(("loop", "cell", "posterior", "phi_z"), NETS)
@pytest.mark.parametrize("prior", [(5,), "standard"], ids=["learned", "standard"])
def test_values_and_gradients_are_those_of_the_specification(monkeypatch, loop, cell, posterior, phi_z, prior):
    model = make(cell, posterior, phi_z, loop=loop, prior=prior)
    fused = results(model, *case(model))
    monkeypatch.setattr(cell, "fused", None)
    plain = results(model, *case(model))
    for found, expected in zip(itertools.chain(*fused), itertools.chain(*plain), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("cell", [GRU, LSTM])
@pytest.mark.parametrize("chunk", [1, 2 * B * H * 8, 3 * B * H * 8])
def test_gradients_do_not_depend_on_the_chunks_that_their_coefficients_are_computed_in(monkeypatch, cell, chunk: int):
    model = make(cell, [5], [4])
    whole = results(model, *case(model))
    monkeypatch.setattr("vrnn.models.fused.CHUNK", chunk)
    for found, expected in zip(itertools.chain(*results(model, *case(model))), itertools.chain(*whole), strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("cell", [GRU, LSTM])
def test_the_backward_is_the_derivative_of_the_forward(cell, loop):
    model = make(cell, [5], [4])
    batch, noise, state = case(model)
    phi_x = model.phi_x(batch.x[:2, :3].transpose(0, 1)).detach().requires_grad_()
    noise = noise[:2, :3].transpose(0, 1)
    state = [field.detach()[:2].requires_grad_() for field in state]

    def loop(phi_x: Tensor, *fields: Tensor) -> tuple[Tensor, ...]:
        found = scan(model.posterior_net, model.phi_z, model.recurrence, phi_x, noise, fields, 0.1, loop)
        return (found.params, found.z, found.phi_z, *found.before, *found.last)

    assert torch.autograd.gradcheck(loop, (phi_x, *state))


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("cell", [GRU, LSTM])
def test_single_precision_agrees_within_its_rounding(monkeypatch, cell, loop):
    model = make(cell, [5], [4], torch.float32, loop=loop)
    fused = results(model, *case(model, torch.float32))
    monkeypatch.setattr(cell, "fused", None)
    for found, expected in zip(
        itertools.chain(*fused), itertools.chain(*results(model, *case(model, torch.float32))), strict=True
    ):
        torch.testing.assert_close(found, expected, rtol=2e-4, atol=2e-5)


def test_a_cell_without_a_fused_step_takes_the_readable_loop(monkeypatch):
    class Plain(GRU):
        fused = None

    monkeypatch.setattr("vrnn.models.vrnn.scan", None)  # whoever calls it fails
    plain = make(Plain, [5], [4])
    assert all(value.isfinite().all() for value in results(plain, *case(plain))[1])
    with pytest.raises(TypeError):
        make(GRU, [5], [4])(*case(make(GRU, [5], [4])))


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("cell", [GRU, LSTM])
def test_a_part_that_nothing_depends_on_gets_no_gradient_and_the_rest_the_right_one(monkeypatch, cell, loop):
    model = make(cell, [5], [4], loop=loop)
    batch, noise, state = case(model)

    def of_state_alone() -> tuple[Tensor | None, ...]:  # params, z and phi_z are not asked for
        last = model(batch, noise, state)[1]
        return torch.autograd.grad(last.h.sum(), list(model.parameters()), allow_unused=True)

    fused = of_state_alone()
    monkeypatch.setattr(cell, "fused", None)
    for found, expected in zip(fused, of_state_alone(), strict=True):
        assert (found is None) == (expected is None)
        if found is not None:
            torch.testing.assert_close(found, expected, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("cell", [GRU, LSTM])
@pytest.mark.parametrize("frozen", ["phi_x", "phi_z", "posterior_net", "recurrence"])
def test_frozen_parts_cost_the_others_nothing(cell, frozen: str, loop):
    model = make(cell, [5], [4], loop=loop)
    batch, noise, state = case(model)

    def grads() -> dict[str, Tensor]:
        model.zero_grad()
        sum(term.sum() for term in model(batch, noise, state)[0]).backward()
        return {name: p.grad.clone() for name, p in model.named_parameters() if p.requires_grad}

    whole = grads()
    getattr(model, frozen).requires_grad_(False)
    found = grads()
    assert {name for name in whole if name.startswith(f"{frozen}.")} == whole.keys() - found.keys()
    for name, grad in found.items():
        torch.testing.assert_close(grad, whole[name])


@pytest.mark.parametrize("cell", [GRU, LSTM])
def test_a_chunk_goes_on_from_the_state_of_the_one_before_and_padding_reaches_nothing(cell):
    model = make(cell, [5], [4], torch.float32, loop="compiled")
    batch, noise, state = case(model, torch.float32)
    whole, last = model(batch, noise, state)
    terms, chunks = [], batch.chunks(2)
    for chunk, eps in zip(chunks, noise.split(2, 1), strict=True):
        found, state = model(chunk, eps, state)
        terms.append(found.kl)
    torch.testing.assert_close(torch.cat(terms, 1)[batch.mask], whole.kl[batch.mask], rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(state.h, last.h, rtol=1e-5, atol=1e-6)
    loud = torch.where(batch.mask[..., None], noise, 1e3)
    torch.testing.assert_close(model(batch, loud, case(model, torch.float32)[2])[1].h, last.h, rtol=0.0, atol=0.0)


def test_what_is_no_number_stays_none():
    model = make(GRU, [5, 6], [4], torch.float32, loop="compiled")
    batch, noise, state = case(model, torch.float32)
    for fault in (torch.nan, torch.inf):
        with torch.no_grad():
            model.posterior_net.from_a.bias[0] = fault
        assert not model(batch, noise, state)[0].kl.isfinite().any()


def test_whoever_cannot_run_compiled_says_why(monkeypatch):
    model = make(GRU, [5], [4], torch.float32, loop="compiled")
    assert model.time_loop(torch.bfloat16) == ("torch", "the products are in bfloat16")
    assert model.to("meta").time_loop() == ("torch", "the device is meta")
    stacked = make(GRU, [5], [4], torch.float32, loop="compiled")
    stacked.recurrence.fused = None
    assert stacked.time_loop() == ("torch", "the recurrence has no compiled step")
    monkeypatch.setattr("vrnn.models.compiled.unavailable", lambda dtype: "llvmlite is not installed")
    alone = make(GRU, [5], [4], loop="torch")
    assert alone.time_loop() == ("torch", "")
    alone.loop = "auto"
    assert alone.time_loop() == ("torch", "llvmlite is not installed")
    alone(*case(alone))
