"""The benchmark's results as a reader sees them: tables in the terminal and in markdown, and one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from rich import box
from rich.table import Table

from experiments.bench.contenders import NAMES
from experiments.bench.measure import MIDDLE, RATES, SMALL, SPEECH
from experiments.bench.shapes import Shape

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def shape_of(entry: dict[str, Any]) -> str:
    return str(Shape(*(entry[field] for field in Shape._fields)))


def rows(found: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    """Header and rows of the main table: a column for each shape, milliseconds and then the ratios that count."""
    entries = found["shapes"]
    header = ["T, B, x, h, z", *(", ".join(str(entry[field]) for field in Shape._fields) for entry in entries)]
    body = [
        [name, *("" if entry["ms"].get(name) is None else f"{entry['ms'][name]:,.1f}" for entry in entries)]
        for name in NAMES
        if any(entry["ms"].get(name) is not None for entry in entries)
    ]
    for name in entries[0]["ratios"]:
        found_ratios = [entry["ratios"][name] for entry in entries]
        body.append([name, *(f"{found['median']:.2f}" for found in found_ratios)])
        body.append(["  quartiles", *(f"{found['low']:.2f} to {found['high']:.2f}" for found in found_ratios)])
    body += [[f"GFLOP/s, {name}", *(f"{entry['gflops'][name]:.0f}" for entry in entries)] for name in RATES]
    return header, body


def title(found: dict[str, Any]) -> str:
    first = found["shapes"][0]
    where = f"{found['machine']}, {found['threads']} threads, torch {found['torch']}"
    return (
        f"Whole training step in ms, {first['cell'].upper()}, median of {first['rounds']} rounds in turn; "
        f"{where}, large F.linear {found['peak_gflops']:.0f} GFLOP/s"
    )


def summary_table(found: dict[str, Any]) -> Table:
    header, body = rows(found)
    table = Table(title=title(found), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    for number, name in enumerate(header):
        table.add_column(name, justify="right" if number else "left")
    for row in body:
        table.add_row(*row)
    return table


def growth_rows(found: dict[str, Any]) -> tuple[list[str], list[list[str]]]:
    header = ["", "contender", "ms", "MB above rest"]
    body = [
        [
            f"{entry['axis']} {entry[entry['axis']]:,}",
            entry["name"],
            f"{entry['ms']:,.0f}",
            "" if entry["megabytes"] is None else f"{entry['megabytes']:,.0f}",
        ]
        for entry in found["growth"]
    ]
    return header, body


def growth_table(found: dict[str, Any]) -> Table:
    header, body = growth_rows(found)
    table = Table(title=f"as T and B grow, from {SMALL}", title_justify="left", box=box.SIMPLE_HEAD)
    for number, name in enumerate(header):
        table.add_column(name, justify="right" if number > 1 else "left")
    for row in body:
        table.add_row(*row)
    return table


def as_markdown(header: list[str], body: list[list[str]]) -> str:
    lines = [header, ["---", *["---:"] * (len(header) - 1)], *body]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def markdown(found: dict[str, Any]) -> str:
    """The page beside the picture."""
    around = found["around"]
    per_step = ", ".join(f"{ms:.2f} at T {steps}" for steps, ms in around["sampling_ms_per_step"].items())
    parts = [
        f"# Speed\n\n{title(found)}\n\n{as_markdown(*rows(found))}",
        "\n".join(f"- `{name}`: {text}" for name, text in NAMES.items()),
        f"Fetching a batch takes {100 * around['fetch_share_of_step']:.2f} % of a step ({MIDDLE}).",
        f"Sampling speech ({SPEECH}): {around['sampling_samples_per_second']:,.0f} samples a second; "
        f"ms per step: {per_step}.",
    ]
    if found["growth"]:
        parts.append(f"As T and B grow, from {SMALL}:\n\n{as_markdown(*growth_rows(found))}")
    if not found["bf16_in_hardware"]:
        parts.append("This machine has no bfloat16 products: `fused_bf16` is emulated here, measured once.")
    parts.append(f"`{found['command']}`, commit {found['commit'] or 'unknown'}")
    return "\n\n".join(parts) + "\n"


def draw_figure(found: dict[str, Any]) -> Figure:
    """How many times as fast as the usual loop, and how time and memory grow."""
    from matplotlib.figure import Figure

    panels = 3 if found["growth"] else 1
    figure = Figure(figsize=(4.6 * panels, 3.6), layout="constrained")
    axes = figure.subplots(1, panels, squeeze=False)[0]
    names = ("hoisted", "fused", "compiled", "cuda_graph", "jax_naive", "jax_hoisted", "floor_best")
    shown = [name for name in names if any(entry["ms"].get(name) for entry in found["shapes"])]
    for place, name in enumerate(shown):
        speed = [entry["ms"]["per_step_loop"] / (entry["ms"].get(name) or float("nan")) for entry in found["shapes"]]
        where = [number + 0.8 * (place - (len(shown) - 1) / 2) / len(shown) for number in range(len(speed))]
        bars = axes[0].bar(where, speed, 0.75 / len(shown), label=name)
        axes[0].bar_label(bars, fmt="%.1f", fontsize=5)
    axes[0].axhline(1.0, color="black", lw=0.8)
    axes[0].set_xticks(
        range(len(found["shapes"])), [shape_of(entry).replace(", x", "\nx") for entry in found["shapes"]]
    )
    axes[0].tick_params(axis="x", labelsize=7)
    axes[0].set_ylabel("times as fast as the per-step loop")
    for axis, unit, label in zip(axes[1:], ("ms", "megabytes"), ("ms per step", "MB above rest"), strict=False):
        for name in ("per_step_loop", "fused", "compiled", "segments"):
            entries = [entry for entry in found["growth"] if entry["name"] == name and entry["axis"] == "T"]
            axis.plot([e["T"] for e in entries], [e[unit] for e in entries], "o-", ms=3, label=name)
        axis.set_xscale("log")
        axis.set_yscale("log")
        axis.set_xlabel(str(SMALL).replace("T 28", "T"))
        axis.set_ylabel(label)
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
        axis.legend(fontsize=7, frameon=False)
    return figure
