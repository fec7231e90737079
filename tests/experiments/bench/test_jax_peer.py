"""The model in JAX is ours."""

from __future__ import annotations

import os

import numpy as np
import pytest
import torch

from experiments.bench.jax_peer import as_jax, make_losses, make_step, weights_of
from experiments.bench.shapes import Shape, make_batch, make_model
from vrnn.objectives.elbo import ELBO
from vrnn.objectives.schedules import Linear

SHAPE = Shape(T=5, B=3, x=4, h=6, z=2)

os.environ["XLA_FLAGS"] = "--xla_backend_optimization_level=0 --xla_llvm_disable_expensive_passes=true"  # of the tests
jax = pytest.importorskip("jax")
pytest.importorskip("optax")


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_its_losses_are_ours_for_the_same_weights_and_noise(cell: str):
    model, batch = make_model(SHAPE, cell), make_batch(SHAPE)
    noise = torch.randn(SHAPE.B, SHAPE.T, SHAPE.z, generator=torch.Generator().manual_seed(3))
    ours = ELBO(Linear(1.0, 1.0, 0), Linear(0.0, 0.0, 0))(model, batch, 0, noise).loss
    given = weights_of(model), as_jax(batch.x.transpose(0, 1)), as_jax(noise.transpose(0, 1))
    found = {name: jax.jit(loss)(*given) for name, loss in make_losses(cell).items()}
    assert found.keys() == {"jax_naive", "jax_hoisted"}
    for value in found.values():
        assert float(value) == pytest.approx(ours.item(), rel=1e-5)


def test_its_gradient_is_ours():
    model, batch = make_model(SHAPE), make_batch(SHAPE)
    noise = torch.randn(SHAPE.B, SHAPE.T, SHAPE.z, generator=torch.Generator().manual_seed(3))
    ELBO(Linear(1.0, 1.0, 0), Linear(0.0, 0.0, 0))(model, batch, 0, noise).loss.backward()
    given = weights_of(model), as_jax(batch.x.transpose(0, 1)), as_jax(noise.transpose(0, 1))
    found = jax.jit(jax.grad(make_losses("gru")["jax_hoisted"]))(*given)
    for name, parameter in model.named_parameters():
        theirs = torch.from_numpy(np.array(found[name]))
        torch.testing.assert_close(theirs, parameter.grad, rtol=1e-4, atol=1e-6, msg=name)


def test_its_step_runs_again_and_again():
    step = make_step(SHAPE._replace(T=2), "gru", "jax_naive", rate=1e-3, max_norm=5.0)
    step()
    step()
