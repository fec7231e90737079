"""A report of rows side by side: the table, what is said of it, the page, and the same for other programs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, ClassVar

from markupsafe import Markup
from rich.console import Group
from rich.text import Text

from experiments.disk.files import write_whole
from experiments.report import words
from experiments.report.blocks.media import GalleryPart, Picture, embed_svg
from experiments.report.blocks.tables import Column, Filled, Table, markdown_code
from experiments.report.blocks.templates import html, markdown, sentences
from experiments.report.columns import Sign, jobs_table, name_columns, seeds_cell, trained_columns
from experiments.report.records import as_csv, as_table, job_record, plain_names, row_record
from experiments.report.rows import Mean, Row
from experiments.run.state import Job
from experiments.tracking.guard import WITHOUT, Guard

OPEN = 25  # rows that do not wait for a click

Drawn = Mapping[str, tuple[Path, str]]  # heading: a picture's PNG file, and the text of its SVG


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
    def samples(self) -> list[GalleryPart]:
        """What the models make, for the page."""

    @cached_property
    def counted(self) -> list[Job]:
        """Jobs that count, those of the first row first."""
        return [job for row in self.rows for job in row.counted]

    @cached_property
    def left_out(self) -> list[str]:
        """Jobs that do not count, and why."""
        return [*map(str, words.left_out(self.rows))]

    @cached_property
    def cautions(self) -> list[str]:
        """What the runs warn of, and what makes rows hard to compare."""
        return words.cautions(self.rows, self.what)

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

    def built(
        self,
        figures: Sequence[Filled],
        caption: str,
        notes: Sequence[str],
        further: Mapping[str, Sequence[Any]] | None = None,
    ) -> Table:
        """The table from its columns of figures; `further` has the names of rows below, by headings of their groups."""
        further = further or {}
        (title, cells), *others = name_columns(self.row_names)
        below = [cell for group in further.values() for cell in group]
        columns = [(title, [*cells, *below]), *others, (Column("seeds"), [*map(seeds_cell, self.rows)]), *figures]
        columns += trained_columns([row.parameters for row in self.rows], [row.seconds for row in self.rows])
        return Table.of(columns, caption, notes, {heading: len(group) for heading, group in further.items()})

    def how_to_read(self, after_marks: str, *, estimates: bool = False) -> list[str]:
        """What the table's marks and errors mean; nothing where no row counts."""
        bounds = [row.bound for row in self.rows if row.counted]
        values = {"report": self, "bounds": bounds, "after_marks": after_marks, "estimates": estimates}
        return sentences("how_to_read", **values) if bounds else []

    @property
    def jobs_table(self) -> Table:
        """Every job: what it is called, how it stands, what it reached, where it lies."""
        return jobs_table(name_columns(self.job_names), self.jobs, self.bounds, self.sign)

    def records(self) -> list[dict[str, Any]]:
        """Every job as plain values."""
        names = plain_names(self.job_names, len(self.jobs))
        return [job_record(each, job, self.bounds[0]) for each, job in zip(names, self.jobs, strict=True)]

    def plain(self) -> tuple[list[str], list[list[Any]]]:
        """Columns and lines of plain values, one line a row, for a tracker."""
        named = enumerate(zip(plain_names(self.row_names, len(self.rows)), self.rows, strict=True))
        records = [row_record(names, row, n in self.best, self.figures(row)) for n, (names, row) in named]
        return as_table(records, self.row_names)

    def terminal(self) -> Group:
        """What a terminal shows of it."""
        table = self.short_table
        lines = [*(f"- {note}" for note in table.notes), *[""] * bool(table.notes), *self.summary]
        for heading, items in self.remarks.items():
            lines += ["", f"{heading}:", *(f"- {item}" for item in items)]
        return Group(*[table.rich()] * bool(table.rows), Text("\n".join(lines)))

    def write(self, directory: Path, title: str, command: str) -> None:
        """Writes the page, the same as Markdown, other texts, every job as CSV, and figures/.

        Args:
          directory: where they go.
          title: of the report.
          command: that makes it again.
        """
        self.command = command
        drawn: Drawn = {}
        with Guard("pictures of the report", WITHOUT):
            drawn = self.draw(directory / "figures")
        above, rest = self.table.cut(OPEN)
        shown = {heading: Picture(embed_svg(text), heading) for heading, (_, text) in drawn.items()}
        values = {"report": self, "title": title, "drawn": shown, "samples": self.samples()}
        page = html(f"{self.name}.html.j2", above=above, rest=rest, **values)
        text = markdown(
            "report.md.j2",
            report=self,
            title=title,
            above=Markup(above.markdown().rstrip()) if above.rows else "",
            rest=len(rest.rows),
            appendix=[(table.caption, Markup(table.markdown().rstrip())) for table in self.appendix],
            pictures=[(heading, Markup(f"{file.parent.name}/{file.name}")) for heading, (file, _) in drawn.items()],
            command=Markup(markdown_code(command)),
        )
        texts = {".html": page, ".md": text + "\n", **self.texts(), ".csv": as_csv(self.records())}
        for ending, content in texts.items():
            write_whole(directory / f"{self.name}{ending}", content)
        self.files = [*(directory / f"{self.name}{ending}" for ending in texts), *(file for file, _ in drawn.values())]
