"""The floor: the matrix products of a training step and nothing else, each in the shape that the step needs it in."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from experiments.bench.shapes import Cell, Shape


class Product(NamedTuple):
    """`repeats` times [rows, fan_in] @ [fan_in, fan_out]."""

    name: str
    rows: int
    fan_in: int
    fan_out: int
    repeats: int = 1

    @property
    def flops(self) -> int:
        return 2 * self.rows * self.fan_in * self.fan_out * self.repeats


def products(shape: Shape, cell: Cell) -> list[Product]:
    """Forward, gradient of the input and gradient of the weight, of every layer.

    What does not wait for h is one product over all steps, [T B, ...]. What does is T products of B rows, forward and
    back; the gradients of its weights are one product over all steps again.
    """
    steps, size, x, h, z = shape
    gates = {"gru": 3, "lstm": 4}[cell] * h
    before_and_after = [(x, h), (h, h), (h, h), (h, gates), (h, h), (h, 2 * z), (h, h), (h, h), (h, h), (h, x)]
    in_loop = [(h, h + gates), (h, h), (h, 2 * z), (z, h), (h, gates)]
    found = []
    for number, (fan_in, fan_out) in enumerate(before_and_after):
        found.append(Product("forward", steps * size, fan_in, fan_out))
        if number:  # nobody asks for the gradient of x
            found.append(Product("input", steps * size, fan_out, fan_in))
        found.append(Product("weight", fan_out, steps * size, fan_in))
    for fan_in, fan_out in in_loop:
        found.append(Product("forward", size, fan_in, fan_out, steps))
        found.append(Product("input", size, fan_out, fan_in, steps))
        found.append(Product("weight", fan_out, steps * size, fan_in))
    return found


def runner(product: Product, device: torch.device | str) -> Callable[[], object]:
    """Does the product once, of its count, as torch does."""
    return runners(product, device)["torch"]


def runners(product: Product, device: torch.device | str) -> dict[str, Callable[[], object]]:
    """The same by each library at hand: torch (on a CPU often MKL), oneDNN, and what numpy has, mostly OpenBLAS.

    Without numpy's where torch has several threads: those of two libraries, which spin while they wait, would slow each
    other.
    """
    a = torch.randn(product.rows, product.fan_in, device=device)
    if product.name == "weight":  # both operands lie as the forward left them
        a = torch.randn(product.fan_in, product.rows, device=device).t()
    weight = torch.randn(product.fan_out, product.fan_in, device=device)
    if product.name != "forward":
        weight = torch.randn(product.fan_in, product.fan_out, device=device).t()

    found: dict[str, Callable[[], object]] = {"torch": lambda: F.linear(a, weight)}
    if torch.device(device).type == "cpu":
        if torch.backends.mkldnn.is_available():
            found["onednn"] = lambda: torch.ops.mkldnn._linear_pointwise(a, weight, None, "none", [], "")
        if torch.get_num_threads() == 1:
            left, right, out = a.numpy(), weight.numpy().T, np.empty((product.rows, product.fan_out), np.float32)
            found["numpy"] = lambda: np.matmul(left, right, out=out)
    return found


def fastest(product: Product, device: torch.device | str, rounds: int = 7) -> Callable[[], object]:
    """The product by the library whose shortest time in so many rounds is the shortest."""
    times: dict[str, list[float]] = {}
    found = runners(product, device)
    for number in range(rounds + 1 if len(found) > 1 else 0):
        for name, run in found.items():
            started = time.perf_counter()
            run()
            if number:  # the first call sets things up
                times.setdefault(name, []).append(time.perf_counter() - started)
    return found[min(times, key=lambda name: min(times[name]), default="torch")]
