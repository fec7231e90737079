"""What reports of every kind say of their rows: what does not count, what makes them doubtful, what made them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from experiments.config.diff import data_settings, differing, measures
from experiments.report.blocks.tables import decimals
from experiments.report.blocks.templates import sentences
from experiments.report.columns import Sign, commit
from experiments.report.rows import Mean, Row
from experiments.run.facts import seed_of
from experiments.run.same_data import other_data
from experiments.run.state import Job
from experiments.text import listed

NAMED = 6  # rows that a sentence names; more are counted


def in_words(mean: Mean, sign: Sign) -> str:
    """A figure in a sentence, in which no line ends within it: ≥ -99.50 ± 0.50 nats per sequence."""
    return f"{sign.cell(mean, decimals([mean.error]))}".replace(" ", "\N{NO-BREAK SPACE}") + f" {mean.unit}"


class LeftOut(NamedTuple):
    """Jobs of a row that do not count for the same reason: their row and seeds in words, how many they are, and why."""

    which: str
    jobs: int
    reason: str

    def __str__(self) -> str:
        return f"{self.which}: {self.reason}"


def left_out(rows: Sequence[Row]) -> list[LeftOut]:
    """Jobs that do not count, and why; seeds of a row with the same reason together."""
    names: dict[tuple[Row, str], list[str]] = {}
    for row in rows:
        for place, reason in row.left_out.items():
            seed = seed_of(row.jobs[place])
            name = row.jobs[place].run.path.name if seed is None else f"seed {seed}"
            names.setdefault((row, reason), []).append(name)
    return [
        LeftOut(f"{row.label}, {listed(seeds)}" if len(row.jobs) > 1 else row.label, len(seeds), reason)
        for (row, reason), seeds in names.items()
    ]


def cautions(rows: Sequence[Row], what: str) -> list[str]:
    """What the runs themselves warn of, and what makes rows hard to compare; `what` is the report's word for them."""
    counted = [row for row in rows if row.counted]
    theirs = [{text for job in row.counted for text in job.result.get("cautions", [])} for row in counted]
    warned = []
    for text in sorted(set().union(*theirs)):
        labels = [row.label for row, texts in zip(counted, theirs, strict=True) if text in texts]
        who = listed(labels) if len(labels) <= NAMED else f"{len(labels)} of {len(counted)} {what}"
        warned.append((who if len(labels) < len(counted) else "", text.rstrip(".")))
    configs = [row.config for row in rows if row.config is not None]
    data = differing([data_settings(config) for config in configs])
    jobs = [job for row in counted for job in row.counted]
    commits = sorted({commit(job.result) for job in jobs})
    other = None if data else other_data(jobs)
    doubts = {"data": data, "other_data": other, "measures": measures(configs), "commits": commits}
    return sentences("cautions", warned=warned, what=what, **doubts)


def made_by(jobs: Sequence[Job]) -> list[tuple[str, str]]:
    """The code and the versions that made results, as facts for a page; nothing of no jobs."""
    versions = [", ".join(f"{name} {number}" for name, number in job.result["versions"].items()) for job in jobs]
    facts = {"commit": [commit(job.result) for job in jobs], "versions": versions}
    return [(name, "; ".join(dict.fromkeys(texts))) for name, texts in facts.items() if texts]
