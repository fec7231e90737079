"""What a comparison finds, before any of it is written."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from experiments.report.blocks.cells import Sign
from experiments.report.blocks.tables import Table
from experiments.report.comparison.notes import cautions, left_out, notes, summary
from experiments.report.comparison.published import Published
from experiments.report.comparison.significance_table import significance_table
from experiments.report.comparison.tables import main_table, runs_table, settings_table
from experiments.report.ranking import Ranking, rank
from experiments.report.rows import Row
from experiments.run.state import Job


class Findings(NamedTuple):
    """Tables and words.

    Attributes:
      rows: the models.
      sign: how their log-likelihoods are printed.
      ranking: which are the best.
      main: the models side by side.
      against: each of the others against the best.
      runs: every run.
      settings: what tells the models apart.
      summary: what was found, in a sentence or two.
      left_out: jobs that do not count, and why.
      cautions: what the runs warn of, and what makes rows hard to compare.
    """

    rows: list[Row]
    sign: Sign
    ranking: Ranking
    main: Table
    against: Table
    runs: Table
    settings: Table
    summary: str
    left_out: list[str]
    cautions: list[str]


def compare(jobs: Mapping[str, Sequence[Job]], published: Published | None = None, *, negate: bool = False) -> Findings:
    """Compares models.

    Args:
      jobs: of each model, by its label.
      published: numbers of others on these data; they appear where every run's config is what they require.
      negate: print negative log-likelihoods.
    """
    rows = [Row(label, each) for label, each in jobs.items()]
    sign, ranking = Sign(negate), rank(rows)
    configs = [row.config for row in rows if row.config is not None]
    differences = [published.differences(config) for config in configs] if published else []
    obstacles = sorted(set(itertools.chain(*differences)))
    words = notes(rows, ranking, sign, published, obstacles)
    return Findings(
        rows=rows,
        sign=sign,
        ranking=ranking,
        main=main_table(rows, ranking, None if obstacles else published, sign, f"Test {sign.title}", words),
        against=significance_table(rows, ranking, sign),
        runs=runs_table(rows, sign),
        settings=settings_table(rows),
        summary=summary(rows, ranking, sign),
        left_out=left_out(rows),
        cautions=cautions(rows),
    )
