"""A sweep as a page: which configuration is best, what each key does, how they learned, and how to go on."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from pathlib import Path

from omegaconf import OmegaConf

from experiments.config.overrides import quoted
from experiments.report.blocks.document import alerts, remarks_of
from experiments.report.blocks.gallery import gallery
from experiments.report.blocks.media import embed_svg
from experiments.report.blocks.page import Alert, Commands, Details, Facts, Page, Picture, Pictures, Prose, Section
from experiments.report.blocks.tables import Table
from experiments.report.comparison.notes import made_by
from experiments.report.sweep.findings import VALID, SweepFindings
from experiments.report.sweep.importance import Importance
from experiments.report.sweep.notes import jobs, left_out, notes, summary, warnings
from experiments.report.sweep.plots import BINS, EFFECT, IMPORTANCE, PARALLEL, SHOWN, TRAINING
from experiments.report.sweep.tables import jobs_table, ranking_table
from experiments.run.directory import RunDirectory
from experiments.run.facts import config_of, training_seconds
from experiments.text import duration

OPEN = 25  # configurations that do not wait for a click
CAPTION = "Configurations by their mean bound on the validation set"
PARALLEL_NOTE = (
    "Each line is a configuration, from value to value; its colour, and where it ends, is its mean bound. The best one "
    "is thick. Lines that share a value are drawn beside each other, the best on top."
)


def sweep_page(
    found: SweepFindings, importance: Importance | str, pictures: Mapping[str, tuple[Path, str]], title: str
) -> Page:
    """The page.

    Args:
      found: the jobs, sorted.
      importance: of the keys, or why there is none.
      pictures: heading: file and SVG text.
      title: of the page.
    """
    shown = {heading: Picture(embed_svg(text), heading) for heading, (_, text) in pictures.items()}
    sections = [
        Section("Results", results(found)),
        Section("What each key does", effects(found, importance, shown)),
        Section(
            "All configurations at once",
            [Pictures([shown[PARALLEL]], 1000), Prose([PARALLEL_NOTE])] if PARALLEL in shown else [],
        ),
        Section(
            "Training", [Pictures([shown[TRAINING]], 900), Prose([training_note(found)])] if TRAINING in shown else []
        ),
        Section("Samples from the best configuration", best_gallery(found)),
        Section("Going on", going_on(found)),
    ]
    return Page(title, summary(found), [section for section in sections if section.blocks])


def results(found: SweepFindings) -> list[Table | Alert | Details]:
    """The configurations, and what must not be overlooked."""
    blocks: list[Table | Alert | Details] = []
    if found.ranked:
        blocks.append(ranking_table(found, slice(OPEN), CAPTION, notes(found)))
    rest = len(found.ranked) - OPEN
    if rest > 0:
        blocks.append(Details(f"The other {rest} configurations", [ranking_table(found, slice(OPEN, None), "")]))
    return [*blocks, *alerts(remarks_of(left_out(found), warnings(found)))]


def effects(found: SweepFindings, importance: Importance | str, shown: Mapping[str, Picture]) -> list[Pictures | Prose]:
    """The bound over each key, and which of them it depends on."""
    panels = [picture for heading, picture in shown.items() if heading.startswith(EFFECT)]
    if not panels:
        return []
    paragraphs = [
        "Each point is a job; the black mark is the mean over all configurations that share the value, whatever their "
        "other settings, ± its standard error. Orange: the best configuration. All pictures have the same axis."
    ]
    if any(len(scale.values) > 2 * BINS and scale.kind != "words" for scale in found.scales.values()):
        paragraphs[0] += (
            f" Where a search has drawn many values, the means are over {BINS} groups of neighbouring ones."
        )
    single = [key for key in found.keys if key not in found.varied]
    if single:
        paragraphs.append(f"Only one value counts, so there is no effect to draw: {', '.join(single)}.")
    values = [job.result["figures"][VALID]["value"] for job in found.counted]
    below = [value for value in values if value < found.floor]
    if below:
        paragraphs.append(
            f"{jobs(len(below))} far below the others ({min(below):,.0f} at the worst) would flatten the pictures: "
            "they are drawn as triangles at the lower edge, and count in the means as if they lay there."
        )
    failed = sum(each.job.state == "failed" for each in found.jobs)
    if failed:
        paragraphs.append(
            f"{jobs(failed)} that failed or diverged had no bound, so neither pictures nor importance know of them."
        )
    blocks: list[Pictures | Prose] = [Pictures(panels), Prose(paragraphs)]
    if isinstance(importance, str):
        return [*blocks, Prose([importance])] if len(found.keys) > 1 else blocks
    return [*blocks, Pictures([shown[IMPORTANCE]], 500), Prose([importance_note(importance)])]


def importance_note(importance: Importance) -> str:
    """What the bars are."""
    return (
        f"Permutation importance: a random forest predicts the rank of each of the {importance.num_configurations} "
        f"configurations from its settings, fitted on others (R² {importance.explained:.2f}; 1 is perfect, 0 no better "
        "than the mean rank). The bar is how much R² drops when a key's values are shuffled, ± the standard deviation "
        "over shuffles: near 0, the key does not matter within the values tried. It describes these jobs, not what "
        "other values would do, and with few configurations it is rough."
    )


def training_note(found: SweepFindings) -> str:
    """How the learning curves are to be read."""
    best = f"The {SHOWN} best configurations" if len(found.ranked) > SHOWN else "The configurations"
    return (
        f"{best} by rank: mean over seeds, in a band from the lowest seed to the highest. Grey: all other jobs, those "
        "that run, failed or were stopped included. The table has the best checkpoint of each job, which may lie "
        "before the end of its curve. What is far below is cut off."
    )


def best_gallery(found: SweepFindings) -> list[Pictures | Details | Prose]:
    """Samples of the best job, and what it reconstructs and continues."""
    if found.best is None:
        return []
    label = found.ranked[0].row.label
    several = len(found.ranked[0].row.counted) > 1
    intro = "Of its seeds, the one that is best on the validation set." if several else "It has one seed."
    return gallery({label: found.best.job.run.figures}, intro)


def going_on(found: SweepFindings) -> list[Commands | Facts | Details]:
    """The commands, every job, and what made them."""
    shared = " ".join(found.plan.overrides)
    computed = sum(training_seconds(job) for job in found.counted)
    threads = sorted({job.result["threads"] for job in found.counted if "threads" in job.result})
    facts = [("settings of all jobs", shared or "the defaults")]
    if found.counted:
        facts += [("training time in all", duration(computed)), *made_by(found.counted)]
    facts += [("threads per job", ", ".join(map(str, threads)))] if threads else []
    return [Commands(commands(found)), Facts(facts), Details("All jobs", [jobs_table(found)])]


def commands(found: SweepFindings) -> list[tuple[str, str]]:
    """What to type next, each after what it is for."""
    plan = found.plan
    told = [
        ("Go on with this sweep, or repeat it", plan.command_to_show),
        ("See how far it is", typed("status", f"dir={literal(plan.directory)}")),
    ]
    if found.best is None:
        return told
    run = found.best.job.run
    told.append(("Evaluate the selected configuration on test", typed("evaluate", f"run={literal(run.path)}")))
    config = config_of(found.best.job)
    for key in ("trainer.max_epochs", "trainer.max_steps"):
        limit = OmegaConf.select(config, key) if config else None
        if limit:
            longer = [f"run_from={literal(run.path)}", f"{key}={2 * limit}", "trainer.test=true"]
            told.append(
                ("Train the selected configuration for twice as long, and evaluate it on test", typed("train", *longer))
            )
            break
    return told


def typed(app: str, *arguments: str) -> str:
    """A command of the suite, for a shell."""
    return shlex.join(["python", "-m", f"experiments.{app}", *arguments])


def literal(path: Path) -> str:
    """A path as Hydra's override grammar reads it, relative where it lies below the working directory."""
    text = str(RunDirectory(path))
    return text if re.fullmatch(r"[\w./+-]+", text) else quoted(text)
