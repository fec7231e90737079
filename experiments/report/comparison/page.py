"""A comparison as a page: the table first, then how the models learned, what they make, and how to do it again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments.config.untrusted import command_to_show
from experiments.report.blocks.cells import Sign
from experiments.report.blocks.document import alerts, remarks_of
from experiments.report.blocks.gallery import gallery
from experiments.report.blocks.media import embed_svg
from experiments.report.blocks.page import Alert, Commands, Details, Facts, Page, Picture, Pictures, Prose, Section
from experiments.report.blocks.plots import Curve, draw_curves, history, literal_text, save
from experiments.report.blocks.tables import Table
from experiments.report.comparison.findings import Findings
from experiments.report.comparison.notes import made_by
from experiments.report.rows import Row

KL_BY_STEP = "KL of each time step"
SHOWN = "Samples of each model; of its runs, the seed that is best on the validation set."
REACHED = 0.05  # of the test sequences: where fewer go on, their mean KL is not drawn


def comparison_page(found: Findings, pictures: Mapping[str, tuple[Path, str]], *, title: str, command: str) -> Page:
    """The page.

    Args:
      found: tables and words.
      pictures: heading: file and SVG text.
      title: of the page.
      command: that asked for the comparison.
    """
    results: list[Table | Alert] = [found.main, *alerts(remarks_of(found.left_out, found.cautions))]
    curves = [Picture(embed_svg(text), heading) for heading, (_, text) in pictures.items()]
    by_step = KL_BY_STEP in pictures
    note = (
        "Mean over seeds, in a band from the lowest seed to the highest. Log-likelihoods are marked as in the table: "
        "those without a mark are exact. They and the KL during training are of the "
        f"validation set{f', the KL of each time step on test, as far as {REACHED:.0%} of its sequences go' * by_step}."
    )
    folders = {row.label: row.shown.run.figures for row in found.rows if row.shown}
    sections = [
        Section("Results", results),
        Section("Significance", [found.against] if found.against.groups[0][1] else []),
        Section("Training", [Pictures(curves), Prose([note])] if curves else []),
        Section(
            "Samples of the models",
            gallery(folders, SHOWN),
        ),
        Section("Reproduction", reproduction(found, command)),
    ]
    return Page(title, [found.summary], [section for section in sections if section.blocks])


@literal_text()
def draw(rows: Sequence[Row], directory: Path, sign: Sign) -> dict[str, tuple[Path, str]]:
    """The curves of all rows, by heading: each a PNG file and the text of an SVG."""
    order = [row.label for row in rows]
    marked = [_marked(row, sign) for row in rows]
    latent = [row for row in rows if row.counted and row.bound.kind != "exact"]
    found = {}

    def add(
        heading: str,
        name: str,
        curves: dict[str, list[Curve]],
        x_label: str,
        y_label: str,
        order: Sequence[str] = order,
    ) -> None:
        if any(len(curve.steps) for seeds in curves.values() for curve in seeds):
            figure = draw_curves(curves, order, x_label=x_label, y_label=y_label)
            found[heading] = save(figure, directory / name)

    bounds = [history(row.counted, "valid/log_likelihood_per_step", sign.value) for row in rows]
    bound = dict(zip(marked, bounds, strict=True))
    add("Validation", "validation", bound, "updates", f"{sign.title} [nats per step]", marked)
    kl = {row.label: history(row.counted, "valid/kl") for row in latent}
    add("KL during training", "kl_training", kl, "updates", "KL [nats per sequence]")
    by_step = {row.label: _kl_by_step(row) for row in latent}
    add(KL_BY_STEP, "kl_by_step", by_step, "time step", "KL [nats]")
    return found


def reproduction(found: Findings, command: str) -> list[Commands | Facts | Details]:
    """The commands, the code and the versions; every run and what tells the models apart."""
    jobs = [job for row in found.rows for job in row.counted]
    commands = []
    for row in found.rows:
        if row.shown is not None:
            result, file = row.shown.result, row.shown.run.result_file
            commands.append((f"{row.label}, seed {result['seed']}", command_to_show(result["command"], file)))
    blocks: list[Commands | Facts | Details] = [Commands([("This comparison", command)])]
    blocks += [Facts(made_by(jobs)), Details("One run of each model", [Commands(commands)])] if jobs else []
    blocks += [Details("What the models differ in", [found.settings])] if found.settings.groups[0][1] else []
    return [*blocks, Details("All runs", [found.runs])]


def _marked(row: Row, sign: Sign) -> str:
    """The row's label with what its values on valid are to log p(x): "VRNN (≥)"; exact ones have no mark."""
    kinds = sorted({job.result["figures"]["valid/log_likelihood"]["kind"] for job in row.counted})
    marks = ", ".join(sign.mark(kind) for kind in kinds if kind != "exact")
    return f"{row.label} ({marks})" if marks else row.label


def _kl_by_step(row: Row) -> list[Curve]:
    if row.kl_by_step is None or row.lengths is None:
        return []
    reached = (row.lengths[:, None] > np.arange(row.kl_by_step.shape[1])).mean(0) >= REACHED
    steps = 1.0 + np.flatnonzero(reached)
    return [Curve(steps, values[reached]) for values in row.kl_by_step]
