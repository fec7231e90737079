"""What the benchmark measures, as plain values."""

from __future__ import annotations

import ctypes
import functools
import platform
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from threadpoolctl import threadpool_limits

from experiments.bench import jax_peer
from experiments.bench.contenders import ALWAYS_NAMED, contenders, ours, per_step_loop
from experiments.bench.floor import products
from experiments.bench.shapes import Cell, Shape, make_model
from experiments.bench.timing import Timing, in_turn, milliseconds
from vrnn.data.splits import Sequences
from vrnn.training.device import has_bf16

PEAK = (4096, 1024, 1024)  # of the large F.linear that stands for what the machine can do
RATIOS = (
    ("per_step_loop", "fused"),
    ("fused", "floor"),
    ("per_step_loop", "compiled"),
    ("compiled", "fused"),
    ("jax_naive", "compiled"),
    ("jax_hoisted", "compiled"),
    ("compiled", "floor_best"),
)
RATES = ("fused", "compiled", "floor", "floor_best")  # whose GFLOP/s are told
SMALL = Shape(28, 8, 28, 100, 16)  # which grows
GROWTH = {"T": (50, 200, 1000, 4000), "B": (8, 32, 128, 512)}
MIDDLE = Shape(28, 128, 28, 100, 16)  # whose step fetching a batch is held against
SPEECH = Shape(40, 64, 200, 128, 16)  # which is sampled from


def use_threads(count: int) -> None:
    """Gives every library so many threads of the CPU: torch, numpy's BLAS, and JAX where it has not been used yet."""
    torch.set_num_threads(count)
    threadpool_limits(count, user_api="blas")
    jax_peer.use_threads(count)


def machine(device: torch.device) -> dict[str, Any]:
    """Where the times come from."""
    name = platform.processor() or platform.machine()
    if Path("/proc/cpuinfo").exists():
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), name)
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
    rows, fan_in, fan_out = PEAK
    x, weight = torch.randn(rows, fan_in, device=device), torch.randn(fan_out, fan_in, device=device)
    best = min(milliseconds(lambda: F.linear(x, weight), device) for _ in range(20))
    return {
        "machine": name,
        "device": device.type,
        "torch": torch.__version__,
        "bf16_in_hardware": has_bf16(device),
        "peak_gflops": 2 * rows * fan_in * fan_out / best / 1e6,
    }


def shape_times(shape: Shape, cell: Cell, device: torch.device, rounds: int, jax: bool = True) -> dict[str, Any]:
    """Medians and quartiles of every contender, in ms, and what they do in a second."""
    steps = contenders(shape, cell, device, jax)
    emulated = None if has_bf16(device) else steps.pop("fused_bf16")
    found = list(in_turn(steps, rounds, device))
    times = {name: Timing.of([once[name] for once in found]) for name in found[0]}
    if emulated is not None:  # tens of times slower than all others, so once must do
        ours(Shape(2, 2, 2, 2, 2), cell, device, precision="bf16")()
        times["fused_bf16"] = Timing.of([milliseconds(emulated, device)])
    flops = sum(product.flops for product in products(shape, cell))
    return {
        **shape._asdict(),
        "cell": cell,
        "ms": dict.fromkeys(ALWAYS_NAMED) | {name: timing.median for name, timing in times.items()},
        "quartiles": {name: [timing.low, timing.high] for name, timing in times.items()},
        "ratios": {
            f"{slow} / {fast}": Timing.of([once[slow] / once[fast] for once in found])._asdict()
            for slow, fast in RATIOS
            if {slow, fast} <= times.keys()
        },
        "rounds": rounds,
        "gflops": {name: flops / times[name].median / 1e6 for name in RATES},
    }


def growth(axis: str, device: torch.device) -> Iterator[dict[str, Any]]:
    """Time and memory of a step as T or B grows: the usual loop, ours in torch, compiled, in sqrt(T) segments."""
    for size in GROWTH[axis]:
        shape = SMALL._replace(**{axis: size})
        segments = max(2, round(shape.T**0.5))
        makers = {
            "per_step_loop": functools.partial(per_step_loop, shape, "gru", device),
            "fused": functools.partial(ours, shape, "gru", device, loop="torch"),
            "compiled": functools.partial(ours, shape, "gru", device),
            "segments": functools.partial(ours, shape, "gru", device, checkpoint_segments=segments),
        }
        for name, make in makers.items():
            step = make()
            step()
            memory = peak_memory(step, device)
            ms = min(milliseconds(step, device) for _ in range(3 if shape.T * shape.B < 4_000 else 1))
            yield {"axis": axis, **shape._asdict(), "name": name, "ms": ms, "megabytes": memory}


def peak_memory(work: Any, device: torch.device) -> float | None:
    """MB that `work` takes at its highest, above what was taken before; None where the system does not tell."""
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        work()
        return (torch.cuda.max_memory_allocated(device) - before) / 1e6
    try:
        ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # the high-water mark starts again
        before = resident("VmRSS")
        work()
        return (resident("VmHWM") - before) / 1e3
    except (OSError, AttributeError, TypeError):
        return None


def resident(field: str) -> int:
    """A line of the process's status, in kB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(f"{field}:"))


def around_the_step(device: torch.device) -> dict[str, Any]:
    """What stands beside the training step: fetching a batch, and sampling."""
    data = Sequences.of_equal_length(torch.rand(10_000, MIDDLE.T, MIDDLE.x)).to(device)
    batches = data.shuffled(MIDDLE.B, 0, 0)
    fetch = milliseconds(lambda: [data.batch(index) for index in batches], device) / len(batches)
    step = ours(MIDDLE, "gru", device)
    step()
    trained = min(milliseconds(step, device) for _ in range(5))
    speech = make_model(SPEECH).to(device)
    generator = torch.Generator(device).manual_seed(0)
    sampled = {n: milliseconds(functools.partial(speech.sample, SPEECH.B, n, generator), device) for n in (40, 160)}
    return {
        "fetch_share_of_step": fetch / trained,
        "sampling_samples_per_second": SPEECH.B * 160 * SPEECH.x / sampled[160] * 1e3,
        "sampling_ms_per_step": {str(steps): ms / steps for steps, ms in sampled.items()},
    }
