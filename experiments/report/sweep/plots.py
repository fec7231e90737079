"""The pictures of a sweep: what each key does, which ones matter, all configurations at once, and how they learned."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from experiments.report.blocks.plots import COLOURS, Scale, draw_curves, floor, history, literal_text, panel, save
from experiments.report.rows import VALID
from experiments.report.sweep.findings import Importance, SweepFindings
from experiments.text import short_names

if TYPE_CHECKING:
    from matplotlib.figure import Figure

BLUE, ORANGE = COLOURS[:2]
SHOWN = 8  # configurations whose learning curves are coloured
BINS = 6  # groups of neighbouring values, where a search has drawn many
# Headings of the pictures.
EFFECT, IMPORTANCE, PARALLEL, TRAINING = "Effect of ", "Importance", "Parallel coordinates", "Validation"


@literal_text()
def draw(findings: SweepFindings, importance: Importance | str, directory: Path) -> dict[str, tuple[Path, str]]:
    """All pictures, by heading: each a PNG file and the text of an SVG."""
    if not findings.ranked:
        return {}
    figures: dict[str, tuple[str, Figure | None]] = {
        f"{EFFECT}{key}": (re.sub(r"\W+", "_", f"effect_{key}"), effect(findings, key)) for key in findings.varied
    }
    figures[IMPORTANCE] = ("importance", bars(importance) if isinstance(importance, Importance) else None)
    several = len(findings.keys) > 1 and len(findings.ranked) > 1
    figures[PARALLEL] = ("parallel", parallel(findings) if several else None)
    figures[TRAINING] = ("validation", learning(findings))
    return {heading: save(figure, directory / name) for heading, (name, figure) in figures.items() if figure}


def effect(findings: SweepFindings, key: str) -> Figure:
    """Every job's bound over its value of a key, and the mean over the configurations that share the value."""
    scale, lowest = findings.scales[key], findings.floor
    (low, high), places = scale.ends, scale.places([row.settings[key] for row in findings.ranked])
    figure, axes = panel()
    for row, place in zip(findings.ranked, places, strict=True):
        color, alpha = (ORANGE, 0.9) if row is findings.ranked[0] else (BLUE, 0.45)
        for value in (job.result["figures"][VALID]["value"] for job in row.counted):
            marker = "v" if value < lowest else "o"
            axes.plot(
                place, max(value, lowest), ls="", marker=marker, ms=4.5, mew=0, color=color, alpha=alpha, zorder=3
            )
    values = np.array([max(row.bound.value, lowest) for row in findings.ranked])
    centres, means, errors = means_over(places, values, scale)
    line, beside = "" if scale.kind == "words" else "-", centres + 0.025 * (high - low)
    axes.errorbar(beside, means, errors, ls=line, color="0.1", lw=1.2, capsize=3.0, marker="_", ms=9.0, zorder=4)
    margin, ticks = 0.08 * (high - low), scale.ticks(0.16)
    slanted = scale.kind == "words" and sum(len(name) + 2 for _, name in ticks) > 48
    turn: dict[str, Any] = {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if slanted else {}
    axes.set_xticks([place for place, _ in ticks], [name for _, name in ticks], **turn)
    best = max(job.result["figures"][VALID]["value"] for job in findings.counted)
    room = 0.06 * (best - lowest or 1.0)
    axes.set(xlim=(low - margin, high + margin), ylim=(lowest - room, best + room), xlabel=key)
    axes.set_ylabel(findings.axis, fontsize=9)
    return figure


def means_over(places: np.ndarray, values: np.ndarray, scale: Scale) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Places, means of values there and standard errors, each [P]; of many places, over groups of neighbouring ones."""
    if scale.kind == "words" or len(scale.values) <= 2 * BINS:
        groups = [np.flatnonzero(places == place) for place in np.unique(places)]
    else:
        groups = np.array_split(np.argsort(places), BINS)
    means = [values[group].mean() for group in groups]
    errors = [values[group].std(ddof=1) / np.sqrt(len(group)) if len(group) > 1 else np.nan for group in groups]
    return np.array([places[group].mean() for group in groups]), np.array(means), np.array(errors)


def bars(importance: Importance) -> Figure:
    """The importance of each key."""
    places = range(len(importance.keys))
    figure, axes = panel(height=0.9 + 0.34 * len(places), grid="x")
    spreads: dict[str, Any] = {"xerr": importance.spreads, "ecolor": "0.35", "capsize": 2.5}
    axes.barh(places, importance.drops, height=0.6, color=BLUE, **spreads)
    axes.axvline(0.0, color="0.15", lw=0.8)
    axes.set_yticks(places, importance.keys)
    axes.invert_yaxis()
    axes.set_xlabel("drop of R² when the key's values are shuffled")
    return figure


def parallel(findings: SweepFindings) -> Figure:
    """Every configuration as a line through its values and its bound, coloured by the bound."""
    from matplotlib import colormaps
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import Normalize
    from matplotlib.figure import Figure

    names, last = short_names(findings.keys), len(findings.keys)
    bounds = np.array([max(row.bound.value, findings.floor) for row in findings.ranked])
    colours = ScalarMappable(Normalize(min(bounds), max(bounds)), colormaps["cividis_r"])
    figure = Figure(figsize=(max(5.6, 1.7 * last + 2.6), 4.0), layout="constrained")
    axes = figure.subplots()
    spread = np.linspace(0.02, -0.02, len(bounds))  # lines that share a value lie beside each other, the best on top
    box, columns = {"facecolor": "white", "alpha": 0.85, "edgecolor": "none", "pad": 0.8}, []
    for place, key in enumerate(findings.keys):
        scale = findings.scales[key]
        low, high = scale.ends
        columns.append((scale.places([row.settings[key] for row in findings.ranked]) - low) / (high - low) + spread)
        for tick, name in scale.ticks(0.05):
            where = (place - 0.03, (tick - low) / (high - low))
            axes.text(*where, name, fontsize=8, ha="right", va="center", bbox=box, zorder=4)
    columns.append((bounds - bounds.min()) / (np.ptp(bounds) or 1.0))
    for number, line in reversed([*enumerate(zip(*columns, strict=True))]):
        width = 2.6 if number == 0 else 1.1
        axes.plot(line, color=colours.to_rgba(bounds[number]), lw=width, alpha=0.9, clip_on=False, zorder=2)
    for place in range(last + 1):
        axes.axvline(place, color="0.3", lw=0.9, zorder=3)
    axes.set(xlim=(-0.25, last), ylim=(0.0, 1.0), yticks=[])
    axes.set_xticks(range(last + 1), [*(names[key] for key in findings.keys), "bound"])
    axes.tick_params(axis="x", length=0, pad=8)
    axes.spines[:].set_visible(False)
    figure.colorbar(colours, ax=axes, pad=0.02, fraction=0.05).set_label(findings.axis, fontsize=9)
    return figure


def learning(findings: SweepFindings) -> Figure | None:
    """The bound over the updates: the best configurations in colour, all other jobs in grey; None without a curve."""
    curves, jobs = {}, [job for row in (*findings.ranked[SHOWN:], *findings.unranked) for job in row.jobs]
    for rank, row in enumerate(findings.ranked[:SHOWN], 1):
        label = f"{rank}: {findings.short_label(row)}" if row.settings else row.label
        curves[label] = history(row.counted, VALID)
        jobs += [job for job in row.jobs if job not in row.counted]
    if not any(curves.values()):
        return None
    others = [curve for curve in history(jobs, VALID) if np.isfinite(curve.values).all()]
    figure = draw_curves(curves, x_label="updates", y_label=findings.axis, others=others)
    (axes,) = figure.axes
    reached = np.concatenate([curve.values for each in curves.values() for curve in each])
    reached = reached[np.isfinite(reached)]
    least, best = floor(reached, 10.0), reached.max()
    if reached.min() < least:  # a first value of -1e12 would leave nothing to see of the others
        axes.set_ylim(least - 0.05 * (best - least), best + 0.05 * (best - least))
    handles, labels = axes.get_legend_handles_labels()
    if (legend := axes.get_legend()) is not None:
        legend.remove()
    columns = 2 if max(map(len, labels)) < 36 else 1
    figure.set_size_inches(7.0, 3.6 + 0.2 * -(-len(labels) // columns))
    figure.legend(handles, labels, loc="outside lower left", ncols=columns, frameon=False, fontsize=8)
    return figure
