"""Whole training steps, ready to be timed: noise, loss, gradient, clip, optimizer."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from experiments.bench import jax_peer
from experiments.bench.floor import fastest, products, runner
from experiments.bench.per_step_loop import Layer, PerStepLoop
from experiments.bench.shapes import Cell, Shape, make_batch, make_model
from vrnn.objectives.elbo import ELBO
from vrnn.objectives.schedules import Linear
from vrnn.training.adam import make_optimizer
from vrnn.training.progress import Observer
from vrnn.training.trainer import Trainer
from vrnn.training.update import Update

Step = Callable[[], object]
MAX_GRAD_NORM = 5.0
LEARNING_RATE = 1e-4
NAMES = {
    "per_step_loop": "the usual loop, every net called in it, with torch's default Adam (all others: fused)",
    "hoisted": "the readable version: features, prior and emission outside the loop",
    "fused": "trainer.loop=torch: the loop as one function with a derived backward",
    "compiled": "trainer.loop=auto: the loop as a compiled program, where there can be one",
    "fused_bf16": "the same with products in bfloat16",
    "cuda_graph": "the fused step as one CUDA graph",
    "gru": "nn.GRU(2h, h) alone, forward and backward",
    "lstm": "nn.LSTM(2h, h) alone, forward and backward",
    "jax_naive": "the same VRNN in JAX, every net in the loop: jit, lax.scan, optax",
    "jax_hoisted": "the same, with features, prior and emission outside the loop",
    "floor": "the step's matrix products alone, by torch",
    "floor_best": "the same, each by the fastest of torch (on a CPU often MKL), oneDNN and numpy (mostly OpenBLAS)",
}
ALWAYS_NAMED = ("compiled", "jax_naive", "jax_hoisted", "floor_best")  # among the times, also where there are none


def ours(shape: Shape, cell: Cell, device: torch.device, *, fused: bool = True, **settings: Any) -> Step:
    """The suite's own step.

    Args:
      fused: False: the readable loop.
      settings: of the trainer.
    """
    model = make_model(shape, cell).to(device)
    if not fused:
        model.recurrence.fused = None
    batch = make_batch(shape, device)
    objective = ELBO(Linear(1.0, 1.0, 0), Linear(0.0, 0.0, 0))
    options: dict[str, Any] = {"cuda_graph": False} | settings
    trainer = Trainer(
        max_epochs=1,
        max_steps=None,
        batch_size=shape.B,
        eval_batch_size=shape.B,
        max_grad_norm=MAX_GRAD_NORM,
        patience=None,
        log_every=1,
        checkpoint_every=1,
        device=str(device),
        **options,
    )
    optimizer = make_optimizer(functools.partial(torch.optim.Adam, lr=LEARNING_RATE, fused=True), model.parameters())
    update = Update(trainer.settings, model, objective, optimizer, Observer())

    def step() -> None:
        noise = torch.randn(shape.B, shape.T, shape.z, device=device)
        update.apply(batch, 0, noise, None, 1.0)

    return step


def per_step_loop(shape: Shape, cell: Cell, device: torch.device) -> Step:
    """The baseline's step."""
    model = PerStepLoop(shape.x, shape.h, shape.z, {"gru": nn.GRU, "lstm": nn.LSTM}[cell]).to(device)
    optimizer = torch.optim.Adam(model.parameters(), lr=LEARNING_RATE)
    x = make_batch(shape, device).x

    def step() -> None:
        noise = torch.randn(shape.B, shape.T, shape.z, device=device)
        optimizer.zero_grad()
        model(x, noise).backward()
        nn.utils.clip_grad_norm_(model.parameters(), MAX_GRAD_NORM)
        optimizer.step()

    return step


def torch_layer(shape: Shape, layer: Layer, device: torch.device) -> Step:
    """torch's own recurrent layer with an input as wide as [phi_x; phi_z]."""
    net = layer(2 * shape.h, shape.h).to(device)
    x = torch.randn(shape.T, shape.B, 2 * shape.h, device=device, requires_grad=True)

    def step() -> None:
        net.zero_grad()
        x.grad = None
        net(x)[0].sum().backward()

    return step


def floor(shape: Shape, cell: Cell, device: torch.device, choose: Callable[..., Callable[[], object]] = runner) -> Step:
    """Each product by itself, as often as the step has it.

    Args:
      choose: product and device -> what does it once.
    """
    runs = [(choose(product, device), product.repeats) for product in products(shape, cell)]

    def step() -> None:
        for run, count in runs:
            for _ in range(count):
                run()

    return step


def contenders(shape: Shape, cell: Cell, device: torch.device, jax: bool = True) -> dict[str, Step]:
    """All that is timed at a shape.

    Args:
      jax: also the rows of JAX, where it is installed.
    """
    found = {
        "per_step_loop": per_step_loop(shape, cell, device),
        "hoisted": ours(shape, cell, device, fused=False),
        "fused": ours(shape, cell, device, loop="torch"),
        "compiled": ours(shape, cell, device),
        "fused_bf16": ours(shape, cell, device, loop="torch", precision="bf16"),
        "gru": torch_layer(shape, nn.GRU, device),
        "lstm": torch_layer(shape, nn.LSTM, device),
        "floor": floor(shape, cell, device),
        "floor_best": floor(shape, cell, device, fastest),
    }
    if jax and device.type == "cpu" and jax_peer.is_installed():
        for name in ("jax_naive", "jax_hoisted"):
            found[name] = jax_peer.make_step(shape, cell, name, LEARNING_RATE, MAX_GRAD_NORM)
    if device.type == "cuda":
        found["cuda_graph"] = ours(shape, cell, device, cuda_graph=True)
    return found
