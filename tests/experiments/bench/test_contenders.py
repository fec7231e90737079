"""What the benchmark compares does the same work."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from experiments.bench.contenders import contenders, ours
from experiments.bench.floor import products, runner, runners
from experiments.bench.per_step_loop import PerStepLoop
from experiments.bench.shapes import Shape, make_batch, make_model
from experiments.bench.timing import Timing, in_turn
from vrnn.objectives.elbo import ELBO
from vrnn.objectives.schedules import Linear

SHAPE = Shape(T=5, B=3, x=4, h=6, z=2)
CPU = torch.device("cpu")


@pytest.mark.parametrize(("cell", "layer"), [("gru", nn.GRU), ("lstm", nn.LSTM)])
def test_the_usual_loop_has_our_loss_and_gradient_for_the_same_weights_and_noise(cell: str, layer: type):
    model, batch = make_model(SHAPE, cell), make_batch(SHAPE)
    loop = PerStepLoop(SHAPE.x, SHAPE.h, SHAPE.z, layer)
    loop.take_weights(model)
    noise = torch.randn(SHAPE.B, SHAPE.T, SHAPE.z, generator=torch.Generator().manual_seed(3))
    ours = ELBO(Linear(1.0, 1.0, 0), Linear(0.0, 0.0, 0))(model, batch, 0, noise).loss
    theirs = loop(batch.x, noise)
    torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-6)
    ours.backward()
    theirs.backward()
    # The layers that lie deepest in the loop: what reaches them has gone through everything.
    for found, expected in ((loop.phi_x[0], model.phi_x[0]), (loop.phi_z[0], model.phi_z[0])):
        torch.testing.assert_close(found.weight.grad, expected.weight.grad, rtol=1e-4, atol=1e-6)


def test_the_layout_is_that_of_the_published_small_system():
    assert make_model(Shape(28, 128, 28, 100, 16)).num_parameters == 185_092


@pytest.mark.parametrize("cell", ["gru", "lstm"])
def test_the_floor_is_of_all_products_of_the_model(cell: str):
    weights = [parameter.numel() for parameter in make_model(SHAPE, cell).parameters() if parameter.dim() == 2]
    rows = SHAPE.T * SHAPE.B
    found = {name: sum(p.flops for p in products(SHAPE, cell) if p.name == name) for name in ("forward", "weight")}
    assert found == {"forward": 2 * rows * sum(weights), "weight": 2 * rows * sum(weights)}
    without_x = 2 * rows * (sum(weights) - SHAPE.x * SHAPE.h)
    assert sum(p.flops for p in products(SHAPE, cell) if p.name == "input") == without_x
    for product in products(SHAPE, cell):
        runner(product, CPU)()  # shapes that do not fit would raise


def test_every_library_makes_the_same_product():
    for product in {product._replace(repeats=1) for product in products(SHAPE, "gru")}:
        torch.manual_seed(0)
        results = {name: torch.as_tensor(run()) for name, run in runners(product, CPU).items()}
        assert {"torch", "numpy"} <= results.keys()
        for result in results.values():
            torch.testing.assert_close(result, results["torch"])


def test_every_contender_runs():
    rounds = list(in_turn(contenders(SHAPE, "gru", CPU, jax=False), 2, CPU, warmup=1))
    assert len(rounds) == 2
    assert {"per_step_loop", "hoisted", "fused", "fused_bf16", "gru", "lstm", "floor", "floor_best", "compiled"} <= set(
        rounds[0]
    )
    assert all(value > 0.0 for times in rounds for value in times.values())


def test_the_suites_step_changes_the_weights_and_takes_settings_of_the_trainer():
    ours(SHAPE, "lstm", CPU, checkpoint_segments=2, precision="bf16")()
    with pytest.raises(ValueError, match="precision must be fp32 or bf16"):
        ours(SHAPE, "gru", CPU, precision="fp16")


def test_quartiles():
    assert Timing.of([5.0, 1.0, 3.0, 2.0, 4.0]) == (3.0, 2.0, 4.0)
    assert Timing.of([2.0]) == (2.0, 2.0, 2.0)
