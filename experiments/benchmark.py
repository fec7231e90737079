"""Measures the training step: python -m experiments.benchmark [benchmark.save=FILE]."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

import torch
from omegaconf import DictConfig, OmegaConf

from experiments.bench import jax_peer
from experiments.bench.measure import GROWTH, around_the_step, growth, machine, shape_times, use_threads
from experiments.bench.shapes import CELLS, Shape
from experiments.bench.tables import draw_figure, growth_table, markdown, summary_table
from experiments.cli.app import launch
from experiments.cli.context import JobContext
from experiments.cli.terminal import console, say
from experiments.config.build import shown
from experiments.disk.files import write_json, write_whole
from experiments.disk.ownership import claim, mark, read_dict
from experiments.errors import UserError
from experiments.run.directory import provenance
from vrnn.memory import require_memory
from vrnn.training.device import find_device, keep_memory


def benchmark(cfg: DictConfig, context: JobContext) -> int:
    """Measures, shows a table, and writes it with a picture and all values."""
    settings = cfg.benchmark
    shapes, device = read_shapes(settings.shapes), read_device(settings.device)
    if settings.cell not in CELLS:
        raise UserError(f"benchmark.cell={settings.cell}: expected {' or '.join(CELLS)}")
    use_threads(settings.threads or torch.get_num_threads())
    folder = Path(cfg.output)
    path = Path(settings.save) if settings.save else folder / "benchmark.json"
    claim(folder, "benchmark", "give another output, an empty folder or a new one")
    if path.is_symlink() or (path.exists() and not {"format", "shapes", "growth"} <= set(read_dict(path))):
        raise UserError(f"benchmark.save={path}: holds something else, which is not replaced; give another file")
    keep_memory()
    found: dict[str, Any] = {"format": 1, **machine(device), **provenance(context), "shapes": [], "growth": []}
    try:  # before the minutes, not after
        write_json(path, found)
        mark(folder, "benchmark")
    except (OSError, ValueError) as error:
        raise UserError(f"benchmark.save={path}, output={folder}: nothing can be written there ({error})") from error
    say(f"{found['machine']}, {found['threads']} threads, torch {found['torch']}, {found['peak_gflops']:.0f} GFLOP/s")
    if settings.jax and device.type == "cpu" and not jax_peer.is_installed():
        say("the rows of JAX are left out: jax and optax are not installed (pip install '.[jax]')")
    for shape in shapes:
        say(f"  {shape}")
        found["shapes"].append(shape_times(shape, settings.cell, device, settings.rounds, settings.jax))
        write_json(path, found)
    found["around"] = around_the_step(device)
    for axis, sizes in GROWTH.items() if settings.growth else ():
        say(f"  growth with {axis}: {', '.join(map(str, sizes))}")
        found["growth"] += list(growth(axis, device))
        write_json(path, found)
    write_json(path, found)
    console.print(summary_table(found))
    if settings.growth:
        console.print(growth_table(found))
    write_whole(folder / "benchmark.md", markdown(found))
    draw_figure(found).savefig(folder / "benchmark.png", dpi=150)
    for name in (path, folder / "benchmark.md", folder / "benchmark.png"):
        say(f"written to {name}")
    return 0


def read_shapes(given: Any) -> list[Shape]:
    """Raises UserError unless it is a list of five sizes each."""
    shapes: Any = OmegaConf.to_container(given) if OmegaConf.is_config(given) else given
    good = isinstance(shapes, list) and shapes and all(isinstance(shape, list) and len(shape) == 5 for shape in shapes)
    if not good or any(type(size) is not int or size < 1 for shape in shapes for size in shape):
        raise UserError(
            f"benchmark.shapes={shown(shapes)}: expected a list of shapes, each T, B, x_dim, h_dim, z_dim, "
            "such as [[28,128,28,100,16]]"
        )
    found = [Shape(*shape) for shape in shapes]
    for shape, sizes in zip(found, shapes, strict=True):
        try:
            require_memory(
                4 * sizes[0] * sizes[1] * sum(sizes[2:]), "a step of it", dict(zip("TBXHZ", sizes, strict=True))
            )
        except ValueError as error:
            raise UserError(f"benchmark.shapes: {shape}: {error}") from error
    return found


def read_device(name: str) -> torch.device:
    """Raises UserError unless it is there."""
    try:
        return find_device(name)
    except ValueError as error:
        raise UserError(f"benchmark.device={name}: {error}") from error


def main() -> NoReturn:
    """The app, as `python -m experiments.benchmark` and as the command vrnn-benchmark."""
    launch("benchmark", benchmark)


if __name__ == "__main__":
    main()
