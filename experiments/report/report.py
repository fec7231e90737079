"""A report of rows side by side: the table, what is said of it, the page, and the same for other programs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from rich.console import Group
from rich.text import Text

from experiments.disk.files import write_whole
from experiments.report import columns
from experiments.report.blocks.media import Picture, data_uri
from experiments.report.blocks.tables import Cell, Column, Filled, Table, plain_cell
from experiments.report.blocks.templates import html, markdown, sentences
from experiments.report.columns import AS_IT_IS, UNMARKED, Sign, name_columns
from experiments.report.rows import Mean, Row, cautions, left_out, made_by
from experiments.run.state import Job
from experiments.tracking.guard import WITHOUT, Guard

OPEN = 25  # rows that do not wait for a click
BOUND_NAME = "log_likelihood"
# The KL is always averaged over draws; a mark on all of them would tell nothing.
SIGNS = {"kl": UNMARKED, "kl_per_step": UNMARKED, "bits_per_dim": AS_IT_IS}

Drawn = Mapping[str, tuple[Path, str]]  # heading: a picture's PNG file, and the text of its SVG


Named = tuple[Cell, Mapping[str, Mean | Cell]]  # a further row of the table: its name and figures


class Report(ABC):
    """What a comparison and a sweep have in common.

    Attributes:
      name: of its files, and of the template of its page.
      split: on which its rows are measured: test or validation.
      what: the word for its rows.
      bounds: figures of a job that its table of jobs shows; without the first, a job does not count.
      rows: in the order of the table.
      jobs: all that are known, in any state.
      sign: how log-likelihoods are printed.
      best: places of the rows whose bounds stand in bold.
      row_names: what tells the rows apart: columns by their titles, each with its values as one would type them.
      job_names: the same of the jobs; None: a job has no such value.
      command: that makes the report again.
      files: what `write` has written: the page, the texts, and the pictures.
    """

    name: ClassVar[str]
    split: ClassVar[str]
    what: ClassVar[str]
    bounds: ClassVar[Sequence[str]]
    rows: Sequence[Row]
    jobs: Sequence[Job]
    sign = Sign()
    best: set[int]
    row_names: Mapping[str, Sequence[str]]
    job_names: Mapping[str, Sequence[str | None]]
    command = ""
    files: Sequence[Path] = ()

    @property
    @abstractmethod
    def summary(self) -> list[str]:
        """What was found, in a sentence or two."""

    @property
    @abstractmethod
    def table(self) -> Table:
        """The rows side by side."""

    @abstractmethod
    def figures(self, row: Row) -> dict[str, Mean | None]:
        """Those of a row, for other programs, by the names of their columns."""

    @abstractmethod
    def draw(self, directory: Path) -> Drawn:
        """Draws the pictures."""

    @abstractmethod
    def page_values(self) -> dict[str, Any]:
        """What else the template of the page needs."""

    @cached_property
    def counted(self) -> list[Job]:
        """Jobs that count, those of the first row first."""
        return [job for row in self.rows for job in row.counted]

    @cached_property
    def left_out(self) -> list[str]:
        """Jobs that do not count, and why."""
        return [*map(str, left_out(self.rows))]

    @cached_property
    def cautions(self) -> list[str]:
        """What the runs warn of, and what makes rows hard to compare."""
        return cautions(self.rows, self.what)

    @property
    def remarks(self) -> dict[str, list[str]]:
        """What must not be overlooked, by heading, where there is any."""
        remarks = {"Not counted": self.left_out, "Caution": self.cautions}
        return {heading: items for heading, items in remarks.items() if items}

    @property
    def appendix(self) -> list[Table]:
        """Further tables of the Markdown."""
        return []

    @property
    def short_table(self) -> Table:
        """The table for a terminal."""
        return self.table

    def texts(self) -> dict[str, str]:
        """Further files, by their endings."""
        return {}

    def rows_table(
        self,
        heads: Mapping[str, Column],
        caption: str,
        notes: Sequence[str],
        *,
        digits: int = 0,
        further: Mapping[str, Sequence[Named]] | None = None,
        more: Sequence[Filled] = (),
    ) -> Table:
        """The table: columns of figures by the names of these, the bounds with so many digits at the least.

        `further` has rows below by the headings of their groups, `more` columns after the figures.
        """
        further, figures = further or {}, [self.figures(row) for row in self.rows]
        below = [line for group in further.values() for line in group]
        dagger = len({row.bound.over for row in self.rows if row.counted}) > 1
        (title, cells), *others = name_columns(self.row_names)
        filled = [(title, [*cells, *(name for name, _ in below)]), *others]
        filled.append((Column("seeds"), [*map(columns.seeds_cell, self.rows)]))
        for name, column in heads.items():
            means, lower = [each.get(name) for each in figures], [each.get(name) for _, each in below]
            least, strong = (digits, self.best) if name == BOUND_NAME else (0, set())
            sign = SIGNS.get(name, self.sign)
            filled.append(
                (column, columns.figure_cells(means, sign, strong=strong, dagger=dagger, digits=least, below=lower))
            )
        filled += [*more, (Column("parameters"), [plain_cell(row.parameters) for row in self.rows])]
        filled.append((Column("training time", minor=True), columns.time_cells([row.seconds for row in self.rows])))
        return Table.of(filled, caption, notes, {heading: len(group) for heading, group in further.items()})

    def how_to_read(self, after_marks: str, *, estimates: bool = False) -> list[str]:
        """What the table's marks and errors mean; nothing where no row counts."""
        bounds = [row.bound for row in self.rows if row.counted]
        values = {"report": self, "bounds": bounds, "after_marks": after_marks, "estimates": estimates}
        return sentences("how_to_read", **values) if bounds else []

    @property
    def jobs_table(self) -> Table:
        """Every job: what it is called, how it stands, what it reached, where it lies."""
        return columns.jobs_table(self.job_names, self.jobs, self.bounds, self.sign)

    def records(self) -> list[dict[str, Any]]:
        """Every job as plain values."""
        names = columns.plain_names(self.job_names, len(self.jobs))
        return [columns.job_record(each, job, self.bounds[0]) for each, job in zip(names, self.jobs, strict=True)]

    def plain(self) -> tuple[list[str], list[list[Any]]]:
        """Columns and lines of plain values, one line a row, for a tracker."""
        named = enumerate(zip(columns.plain_names(self.row_names, len(self.rows)), self.rows, strict=True))
        records = [columns.row_record(names, row, n in self.best, self.figures(row)) for n, (names, row) in named]
        return columns.as_table(records, self.row_names)

    def terminal(self) -> Group:
        """What a terminal shows of it."""
        table = self.short_table
        lines = [*(f"- {note}" for note in table.notes), *[""] * bool(table.notes), *self.summary]
        for heading, items in self.remarks.items():
            lines += ["", f"{heading}:", *(f"- {item}" for item in items)]
        return Group(*[table.rich()] * bool(table.rows), Text("\n".join(lines)))

    def write(self, directory: Path, title: str, command: str) -> None:
        """Writes the page, the same as Markdown, other texts, every job as CSV, and figures/ into a directory."""
        self.command = command
        (above, rest), jobs = self.table.cut(OPEN), columns.as_csv(self.records())  # refused before anything is written
        drawn: Drawn = {}
        with Guard("pictures of the report", WITHOUT):
            drawn = self.draw(directory / "figures")
        uris = {heading: data_uri("image/svg+xml", text.encode()) for heading, (_, text) in drawn.items()}
        shown = {heading: Picture(uri, heading) for heading, uri in uris.items()}
        values = {"report": self, "title": title, "above": above, "rest": rest, "drawn": drawn}
        more = {"drawn": shown, "made_by": made_by(self.counted), **self.page_values()}
        page = html(f"{self.name}.html.j2", **values | more)
        text = markdown("report.md.j2", **values)
        texts = {".html": page, ".md": text, **self.texts(), ".csv": jobs}
        for ending, content in texts.items():
            write_whole(directory / f"{self.name}{ending}", content)
        self.files = [*(directory / f"{self.name}{ending}" for ending in texts), *(file for file, _ in drawn.values())]
