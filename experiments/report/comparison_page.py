"""A comparison as a page: the table first, then how the models learned, what they make, and how to do it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments.report.comparison_tables import Sign, commit
from experiments.report.media import embed_pngs, embed_svg, embed_wav
from experiments.report.page import Alert, Commands, Details, Facts, Page, Picture, Pictures, Prose, Section, Sound
from experiments.report.plots import Curve, draw_curves, save
from experiments.report.rows import BOUND, Row
from experiments.report.tables import Table

# Parts of the page, and whether they wait for a click.
HEADINGS = {"samples": "", "reconstructions": "Reconstructions", "continuations": "Continuations of given beginnings"}
# For each part, so that the page stays below 10 MB.
PICTURES_BUDGET = 2_000_000  # characters
SOUNDS_BUDGET = 750_000  # bytes
REACHED = 0.05  # of the test sequences: where fewer go on, their mean KL is not drawn


def comparison_page(
    rows: Sequence[Row],
    tables: Mapping[str, Table],
    pictures: Mapping[str, tuple[Path, str]],
    *,
    title: str,
    command: str,
    summary: str,
    missing: Sequence[str],
    warnings: Sequence[str],
) -> Page:
    """The page.

    Args:
      rows: the models.
      tables: main, against (the best), runs and settings; those without lines are left out.
      pictures: heading: file and SVG text.
      title: of the page.
      command: that asked for the comparison.
      summary: what was found.
      missing: jobs that do not count, and why.
      warnings: what makes rows hard to compare.
    """
    results = [tables["main"]]
    results += [Alert("Not counted", missing)] if missing else []
    results += [Alert("Caution", warnings)] if warnings else []
    against = [tables["against"]] if tables["against"].groups[0][1] else []
    curves = [Picture(embed_svg(text), heading) for heading, (_, text) in pictures.items()]
    note = (
        "Mean over seeds; the band goes from the lowest seed to the highest. Bounds and KL over training are measured on the "
        f"validation set, the KL of each time step on test, as far as {REACHED:.0%} of its sequences go."
    )
    sections = [
        Section("Test log-likelihood", results),
        Section("Significance", against),
        Section("Training", [Pictures(curves), Prose([note])] if curves else []),
        Section("What the models make", gallery(rows)),
        Section("Reproduction", reproduction(rows, tables, command)),
    ]
    return Page(title, [summary], [section for section in sections if section.blocks], f"Made by: {command}")


def draw(rows: Sequence[Row], directory: Path, sign: Sign) -> dict[str, tuple[Path, str]]:
    """The curves of all rows, by heading: each a PNG file and the text of an SVG."""
    order = [row.label for row in rows]
    latent = [row for row in rows if row.counted and row.mean(BOUND).kind != "exact"]
    found = {}

    def add(heading: str, name: str, curves: dict[str, list[Curve]], x_label: str, y_label: str) -> None:
        if any(len(curve.steps) for seeds in curves.values() for curve in seeds):
            figure = draw_curves(curves, order, x_label=x_label, y_label=y_label)
            found[heading] = save(figure, directory / name)

    bound = {row.label: _history(row, "valid/log_likelihood_per_step", sign.value) for row in rows}
    add("Validation", "validation", bound, "updates", f"{sign.title} [nats per step]")
    kl = {row.label: _history(row, "valid/kl") for row in latent}
    add("KL during training", "kl_training", kl, "updates", "KL [nats per sequence]")
    by_step = {row.label: _kl_by_step(row) for row in latent}
    add("KL of each time step", "kl_by_step", by_step, "time step", "KL [nats]")
    return found


def gallery(rows: Sequence[Row]) -> list[Pictures | Details | Prose]:
    """Samples of each model, and what it reconstructs and continues, from its best run on valid."""
    blocks: list[Pictures | Details | Prose] = []
    for name, heading in HEADINGS.items():
        shown = [(row, row.shown) for row in rows if row.shown and (row.shown.run.figures / f"{name}.png").is_file()]
        images = embed_pngs([job.run.figures / f"{name}.png" for _, job in shown], PICTURES_BUDGET)
        wavs = [sorted(job.run.figures.glob(f"{name}_*.wav")) for _, job in shown]
        heard = sum(file.stat().st_size for files in wavs for file in files) <= SOUNDS_BUDGET
        pictures = [
            Picture(
                uri,
                row.label,
                f"(seed {job.result['seed']})",
                [
                    Sound(file.stem.removeprefix(f"{name}_").replace("_", " "), embed_wav(file))
                    for file in files
                    if heard
                ],
            )
            for (row, job), uri, files in zip(shown, images, wavs, strict=True)
        ]
        block = [Pictures(pictures, width=480)] if shown else []
        block += [] if heard else [Prose(["The sounds are too large for this page; they lie in the runs' figures/."])]
        blocks += [Details(heading, block)] if heading and block else block
    if blocks:
        blocks.insert(0, Prose(["Samples from the prior. Of each model, the seed that is best on the validation set."]))
    return blocks


def reproduction(rows: Sequence[Row], tables: Mapping[str, Table], command: str) -> list[Commands | Facts | Details]:
    """The commands, the code and the versions; every run and what tells the rows apart."""
    jobs = [job for row in rows for job in row.counted]
    commands = [
        (f"{row.label}, seed {row.shown.result['seed']}", row.shown.result["command"]) for row in rows if row.shown
    ]
    versions = [", ".join(f"{name} {number}" for name, number in job.result["versions"].items()) for job in jobs]
    facts = [
        ("commit", "; ".join(dict.fromkeys(commit(job.result) for job in jobs))),
        ("versions", "; ".join(dict.fromkeys(versions))),
    ]
    blocks: list[Commands | Facts | Details] = [Commands([("This comparison", command)])]
    blocks += [Facts(facts)] if jobs else []
    blocks += [Details("One run of each model", [Commands(commands)])] if commands else []
    blocks += [Details("What the models differ in", [tables["settings"]])] if tables["settings"].groups[0][1] else []
    blocks += [Details("All runs", [tables["runs"]])]
    return blocks


def _history(row: Row, key: str, change: Callable[[float], float] = float) -> list[Curve]:
    """A metric over the updates, one curve for each counted seed that has it."""
    found = []
    for job in row.counted:
        points = [(line["step"], change(line[key])) for line in job.run.metrics.read() if key in line]
        if points:
            found.append(Curve(*np.array(points, dtype=float).T))
    return found


def _kl_by_step(row: Row) -> list[Curve]:
    if row.kl_by_step is None or row.lengths is None:
        return []
    reached = (row.lengths[:, None] > np.arange(row.kl_by_step.shape[1])).mean(0) >= REACHED
    steps = 1.0 + np.flatnonzero(reached)
    return [Curve(steps, values[reached]) for values in row.kl_by_step]
