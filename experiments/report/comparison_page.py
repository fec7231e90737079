"""A comparison as a page: the table first, then how the models learned, what they make, and how to do it again."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np

from experiments.report.comparison_tables import commit
from experiments.report.findings import Findings
from experiments.report.media import embed_pngs, embed_svg, embed_wav, size
from experiments.report.page import Alert, Commands, Details, Facts, Page, Picture, Pictures, Prose, Section, Sound
from experiments.report.plots import Curve, draw_curves, save
from experiments.report.ranking import Sign
from experiments.report.rows import BOUND, Row
from experiments.report.tables import Table

# Parts of the page, and whether they wait for a click.
HEADINGS = {"samples": "", "reconstructions": "Reconstructions", "continuations": "Continuations of given beginnings"}
# For each part, so that the page stays below 10 MB.
PICTURES_BUDGET = 1_800_000  # characters
SOUNDS_BUDGET = 1_000_000  # bytes
KL_BY_STEP = "KL of each time step"
REACHED = 0.05  # of the test sequences: where fewer go on, their mean KL is not drawn


def comparison_page(found: Findings, pictures: Mapping[str, tuple[Path, str]], *, title: str, command: str) -> Page:
    """The page.

    Args:
      found: tables and words.
      pictures: heading: file and SVG text.
      title: of the page.
      command: that asked for the comparison.
    """
    results: list[Table | Alert] = [found.main]
    results += [Alert("Not counted", found.left_out)] if found.left_out else []
    results += [Alert("Caution", found.cautions)] if found.cautions else []
    curves = [Picture(embed_svg(text), heading) for heading, (_, text) in pictures.items()]
    by_step = KL_BY_STEP in pictures
    note = (
        "Mean over seeds, in a band from the lowest seed to the highest. Log-likelihoods are marked as in the table: "
        "those without a mark are exact. They and the KL during training are of the "
        f"validation set{f', the KL of each time step on test, as far as {REACHED:.0%} of its sequences go' * by_step}."
    )
    sections = [
        Section("Results", results),
        Section("Significance", [found.against] if found.against.groups[0][1] else []),
        Section("Training", [Pictures(curves), Prose([note])] if curves else []),
        Section("What the models make", gallery(found.rows)),
        Section("Reproduction", reproduction(found, command)),
    ]
    return Page(title, [found.summary], [section for section in sections if section.blocks])


def draw(rows: Sequence[Row], directory: Path, sign: Sign) -> dict[str, tuple[Path, str]]:
    """The curves of all rows, by heading: each a PNG file and the text of an SVG."""
    order = [row.label for row in rows]
    marked = [_marked(row, sign) for row in rows]
    latent = [row for row in rows if row.counted and row.mean(BOUND).kind != "exact"]
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

    history = [_history(row, "valid/log_likelihood_per_step", sign.value) for row in rows]
    bound = dict(zip(marked, history, strict=True))
    add("Validation", "validation", bound, "updates", f"{sign.title} [nats per step]", marked)
    kl = {row.label: _history(row, "valid/kl") for row in latent}
    add("KL during training", "kl_training", kl, "updates", "KL [nats per sequence]")
    by_step = {row.label: _kl_by_step(row) for row in latent}
    add(KL_BY_STEP, "kl_by_step", by_step, "time step", "KL [nats]")
    return found


def gallery(rows: Sequence[Row]) -> list[Pictures | Details | Prose]:
    """Samples of each model, and what it reconstructs and continues, from its best run on valid."""
    blocks: list[Pictures | Details | Prose] = []
    for name, heading in HEADINGS.items():
        runs = {row.label: row.shown.run.figures for row in rows if row.shown}
        runs = {label: folder for label, folder in runs.items() if (folder / f"{name}.png").is_file()}
        if not runs:
            continue
        files = [folder / f"{name}.png" for folder in runs.values()]
        sounds = [sorted(folder.glob(f"{name}_*.wav")) for folder in runs.values()]
        quiet = sum(sound.stat().st_size for each in sounds for sound in each) > SOUNDS_BUDGET
        pictures = [
            Picture(uri, label, [] if quiet else [Sound(sound_title(sound), embed_wav(sound)) for sound in each])
            for label, uri, each in zip(runs, embed_pngs(files, PICTURES_BUDGET), sounds, strict=True)
        ]
        block: list[Pictures | Prose] = [Pictures(pictures, room(files))]
        block += [Prose(["Too large to be heard here: the sounds lie in the runs' figures/."])] if quiet else []
        blocks += [Details(heading, block)] if heading else block
    if blocks:
        blocks.insert(0, Prose(["Samples of each model; of its runs, the seed that is best on the validation set."]))
    return blocks


def room(files: Sequence[Path]) -> int:
    """Pixels across that pictures need: what was drawn large has small letters, and a line to itself if it is wide."""
    shapes = [size(file) for file in files]
    if max(across for across, _ in shapes) <= 1200:
        return 340
    return 900 if max(across / down for across, down in shapes) > 1.5 else 500


def sound_title(file: Path) -> str:
    """continuations_continuation_1.wav -> continuation 1."""
    return file.stem.partition("_")[2].replace("_", " ")


def reproduction(found: Findings, command: str) -> list[Commands | Facts | Details]:
    """The commands, the code and the versions; every run and what tells the models apart."""
    jobs = [job for row in found.rows for job in row.counted]
    shown = {row.label: row.shown.result for row in found.rows if row.shown}
    commands = [(f"{label}, seed {result['seed']}", result["command"]) for label, result in shown.items()]
    versions = [", ".join(f"{name} {number}" for name, number in job.result["versions"].items()) for job in jobs]
    facts = [
        ("commit", "; ".join(dict.fromkeys(commit(job.result) for job in jobs))),
        ("versions", "; ".join(dict.fromkeys(versions))),
    ]
    blocks: list[Commands | Facts | Details] = [Commands([("This comparison", command)])]
    blocks += [Facts(facts), Details("One run of each model", [Commands(commands)])] if jobs else []
    blocks += [Details("What the models differ in", [found.settings])] if found.settings.groups[0][1] else []
    return [*blocks, Details("All runs", [found.runs])]


def _marked(row: Row, sign: Sign) -> str:
    """The row's label with what its values on valid are to log p(x): "VRNN (≥)"; exact ones have no mark."""
    kinds = sorted({job.result["figures"]["valid/log_likelihood"]["kind"] for job in row.counted})
    marks = ", ".join(sign.mark(kind) for kind in kinds if kind != "exact")
    return f"{row.label} ({marks})" if marks else row.label


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
