"""The report of a comparison: one page, and the same table for GitHub, for a paper and for a spreadsheet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from rich.console import Group

from experiments.disk.files import write_whole
from experiments.report.blocks.document import markdown, remarks_of, terminal
from experiments.report.blocks.latex import latex
from experiments.report.blocks.tables import markdown_text
from experiments.report.comparison.findings import Findings, compare
from experiments.report.comparison.page import comparison_page, draw
from experiments.report.comparison.published import Published
from experiments.report.export import as_csv, plain
from experiments.run.state import Job
from experiments.tracking.guard import WITHOUT, Guard


@dataclass(frozen=True)
class Comparison:
    """What was written, and what else is made of it.

    Attributes:
      findings: tables and words.
      columns, data: the models as plain values, one line each, for a tracker.
      files: the page, the tables, and the pictures.
    """

    findings: Findings
    columns: list[str]
    data: list[list[Any]]
    files: list[Path]

    def terminal(self) -> Group:
        """What a terminal shows of it."""
        found = self.findings
        lines = [*(f"- {note}" for note in found.main.notes), "", found.summary]
        return terminal(found.main, lines, remarks_of(found.left_out, found.cautions))


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
      published: numbers of others on these data; they appear where every run's config is what they require.
      negate: print negative log-likelihoods, with <=, as the field does for images.
    """
    found = compare(rows, published, negate=negate)
    pictures: dict[str, tuple[Path, str]] = {}
    with Guard("pictures of the report", WITHOUT):
        pictures = draw(found.rows, directory / "figures", found.sign)
    texts = {
        "comparison.md": as_markdown(found, pictures, title=title, command=command),
        # A paper has no box for cautions, so they stand among the notes.
        "comparison.tex": latex(replace(found.main, notes=[*found.main.notes, *found.cautions]), "tab:comparison"),
        "comparison.csv": as_csv(found.rows),
    }
    for name, text in texts.items():
        write_whole(directory / name, text)
    page = comparison_page(found, pictures, title=title, command=command)
    files = [page.write(directory / "comparison.html"), *(directory / name for name in texts)]
    return Comparison(found, *plain(found.rows, found.ranking), [*files, *(file for file, _ in pictures.values())])


def as_markdown(found: Findings, pictures: Mapping[str, tuple[Path, str]], *, title: str, command: str) -> str:
    """The report for GitHub: the tables and the curves."""
    against = [f"## {markdown_text(found.against.caption)}", found.against.markdown().rstrip()]
    return markdown(
        title,
        [markdown_text(found.summary), found.main.markdown().rstrip()],
        remarks_of(found.left_out, found.cautions),
        against if found.against.groups[0][1] else [],
        pictures,
        command,
    )
