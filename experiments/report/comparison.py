"""The report of a comparison: one page, and the same table for GitHub, for a paper and for a spreadsheet."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Group
from rich.text import Text

from experiments.jobs import Job
from experiments.report.comparison_page import comparison_page, draw
from experiments.report.comparison_tables import (
    Ranking,
    Sign,
    main_table,
    rank,
    runs_table,
    settings_table,
    significance_table,
)
from experiments.report.latex import latex
from experiments.report.notes import cautions, left_out, notes, summary
from experiments.report.published import Published
from experiments.report.rows import BOUND, Row, seed_of, training_seconds
from experiments.report.tables import Table
from experiments.run_directory import write_whole


@dataclass(frozen=True)
class Comparison:
    """What was written, and what else is made of it.

    Attributes:
      table: the models side by side.
      against: each model against the best.
      summary: what was found, in a sentence or two.
      left_out: jobs that do not count, and why.
      columns, data: the same as plain values, one line a model, for a tracker.
      files: the page, the tables, and the pictures.
    """

    table: Table
    against: Table
    summary: str
    left_out: list[str]
    columns: list[str]
    data: list[list[Any]]
    files: list[Path]

    def terminal(self) -> Group:
        """What a terminal shows of it."""
        lines = [*(f"- {note}" for note in self.table.notes), "", self.summary]
        lines += ["", "Not counted:", *(f"- {item}" for item in self.left_out)] if self.left_out else []
        return Group(self.table.rich(), Text("\n".join(lines)))


def write_comparison(
    directory: Path,
    rows: Mapping[str, Sequence[Job]],
    *,
    title: str,
    command: str,
    published: Published | None,
    negate: bool = False,
) -> Comparison:
    """Writes comparison.html, .md, .tex and .csv, and figures/.

    Args:
      directory: where they go.
      rows: label of a model: its jobs, one per seed, in any state; those that are not done are named and not counted.
      title: of the report.
      command: that asked for it.
      published: numbers of others on these data; they appear where a run's config is what they require.
      negate: print negative log-likelihoods, with <=, as the field does for images.
    """
    found = [Row(label, jobs) for label, jobs in rows.items()]
    sign, ranking = Sign(negate), rank(found)
    obstacles = _obstacles(found, published)
    main = main_table(
        found,
        ranking,
        None if obstacles else published,
        sign,
        "Test log-likelihood",
        notes(found, ranking, sign, published, obstacles),
    )
    against, told, missing = significance_table(found, ranking, sign), summary(found, ranking, sign), left_out(found)
    tables = {"main": main, "against": against, "runs": runs_table(found, sign), "settings": settings_table(found)}
    words = {"title": title, "command": command, "summary": told, "missing": missing, "warnings": cautions(found)}
    pictures = draw(found, directory / "figures", sign)
    page = comparison_page(found, tables, pictures, **words)
    texts = {
        "comparison.md": markdown(main, against, pictures, **words),
        "comparison.tex": latex(main, "tab:comparison"),
        "comparison.csv": as_csv(found),
    }
    for name, text in texts.items():
        write_whole(directory / name, text)
    files = [page.write(directory / "comparison.html"), *(directory / name for name in texts)]
    columns, data = plain(found, ranking)
    return Comparison(main, against, told, missing, columns, data, [*files, *(file for file, _ in pictures.values())])


def _obstacles(rows: Sequence[Row], published: Published | None) -> list[str]:
    """What keeps the published numbers from standing beside the rows; empty: nothing."""
    configs = [row.config for row in rows if row.config is not None] if published else []
    return sorted({difference for config in configs for difference in published.differences(config)})


def markdown(
    main: Table,
    against: Table,
    pictures: Mapping[str, tuple[Path, str]],
    *,
    title: str,
    command: str,
    summary: str,
    missing: Sequence[str],
    warnings: Sequence[str],
) -> str:
    """The report for GitHub: the tables and the curves."""
    parts = [f"# {title}", summary, main.markdown().rstrip()]
    for heading, items in (("Not counted", missing), ("Caution", warnings)):
        parts += [f"**{heading}**", "\n".join(f"- {item}" for item in items)] if items else []
    parts += [f"## {against.caption}", against.markdown().rstrip()] if against.groups[0][1] else []
    parts += [f"![{heading}]({file.parent.name}/{file.name})" for heading, (file, _) in pictures.items()]
    return "\n\n".join([*parts, f"```bash\n{command}\n```"]) + "\n"


def as_csv(rows: Sequence[Row]) -> str:
    """One line for each job, counted or not: all its figures, each with kind, unit, space and errors."""
    lines = []
    for row in rows:
        for number, job in enumerate(row.jobs):
            result = job.result
            line = {
                "row": row.label,
                "seed": seed_of(job),
                "state": job.state,
                "counted": number not in row.left_out,
                "reason": row.left_out.get(number),
                "parameters": result.get("parameters"),
                "seconds": training_seconds(job) if result else None,
                "directory": str(job.run),
                "commit": result.get("commit"),
                "dirty": result.get("dirty"),
            }
            sources = {"": result.get("figures", {})}
            sources |= {f"{name}:": content["figures"] for name, content in row.read_evaluations(job)}
            for prefix, figures in sources.items():
                for name, figure in figures.items():
                    line |= {f"{prefix}{name}" + f"/{key}" * (key != "value"): value for key, value in figure.items()}
            lines.append(line)
    file = io.StringIO()
    writer = csv.DictWriter(file, list(dict.fromkeys(key for line in lines for key in line)), lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    return file.getvalue()


def plain(rows: Sequence[Row], ranking: Ranking) -> tuple[list[str], list[list[Any]]]:
    """Columns and lines of numbers, one line a model: always the log-likelihood itself, never its negative."""
    evaluations = sorted({name for row in rows for name in row.evaluations})
    columns = ["model", "seeds", "jobs", "best", "kind"]
    names = {"log_likelihood": (BOUND, None), "log_likelihood_per_step": (f"{BOUND}_per_step", None)}
    names |= {name: (BOUND, name) for name in evaluations} | {"bits_per_dim": ("test/bits_per_dim", None)}
    columns += [column for name in (*names, "kl_per_step") for column in (name, f"{name}_error")]
    columns += ["parameters", "seconds"]
    data = []
    for row in rows:
        bound = row.mean(BOUND)
        line = [row.label, len(row.counted), len(row.jobs), row.label in ranking.bold, bound.kind if bound else None]
        known = [row.mean(*name) if name[1] in (None, *row.evaluations) else None for name in names.values()]
        for mean in (*known, row.kl_per_step):
            line += [mean.value, mean.error] if mean else [None, None]
        data.append([*line, row.parameters, row.seconds])
    return columns, data
