"""Tables that are written once and read as HTML, Markdown, LaTeX (see latex.py) or in a terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice, zip_longest
from statistics import median
from typing import Any, Literal

from rich import box
from rich import table as rich_table
from rich.markup import escape

NUMERAL = re.compile(r"-?[\d,]+(\.\d+)?")
MARKDOWN = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|~$#"})  # $ begins a formula


@dataclass(frozen=True)
class Cell:
    """One entry: words, or a number's digits with an ASCII minus, and everything that stands around it.

    Attributes:
      mark: before the number: ≥, ≤, ~ or nothing.
      error: after ±; empty: none.
      strong: in bold.
      remark: a few words after it, set small.
    """

    text: str = ""
    mark: str = ""
    error: str = ""
    strong: bool = False
    remark: str = ""

    @property
    def value(self) -> str:
        return f"{self.mark} {self.text}".strip()

    def __str__(self) -> str:
        return self.value + (f" ± {self.error}" if self.error else "") + (f" {self.remark}" if self.remark else "")


EMPTY, NONE = Cell(), Cell("–")


@dataclass(frozen=True)
class Column:
    """A column's heading: a title, and a unit below it.

    Attributes:
      numeric: numbers are aligned at their decimal point, words at the left.
      minor: left out in a terminal, which has little room.
    """

    title: str
    unit: str = ""
    numeric: bool = True
    minor: bool = False

    def __str__(self) -> str:
        return f"{self.title} ({self.unit})" if self.unit else self.title


Filled = tuple[Column, Sequence[Cell]]


@dataclass
class Table:
    """Groups of rows under common columns, each group with its heading, if any; a caption; sentences below."""

    columns: Sequence[Column]
    groups: Sequence[tuple[str, Sequence[Sequence[Cell]]]]
    caption: str = ""
    notes: Sequence[str] = field(default_factory=list)

    @classmethod
    def of(
        cls,
        columns: Iterable[Filled],
        caption: str = "",
        notes: Sequence[str] = (),
        below: Mapping[str, int] | None = None,
    ) -> Table:
        """A table from its columns, each with its cells from the first row on; rows that one does not reach are empty.

        A column that says nothing of any row of the first group is left out. `below` has the headings of further
        groups, and how many of the last rows each has.
        """
        below, filled = below or {}, list(columns)
        first = max((len(cells) for _, cells in filled), default=0) - sum(below.values())
        filled = [(column, cells) for column, cells in filled if {*cells[:first]} - {EMPTY, NONE}]
        rows = zip_longest(*(cells for _, cells in filled), fillvalue=EMPTY)
        groups = [(heading, list(islice(rows, count))) for heading, count in {"": first, **below}.items()]
        return cls([column for column, _ in filled], [group for group in groups if group[1]], caption, notes)

    @property
    def rows(self) -> list[Sequence[Cell]]:
        """Those of all groups."""
        return [row for _, group in self.groups for row in group]

    @property
    def errors(self) -> list[bool]:
        """Which columns have an error in some row, and so need room for it."""
        return [any(row[place].error for row in self.rows) for place in range(len(self.columns))]

    def cut(self, count: int) -> tuple[Table, Table]:
        """The table with so many rows of its first group, and the others of that group, without caption and notes."""
        (heading, rows), *others = self.groups or [("", [])]
        above = replace(self, groups=[(heading, rows[:count]), *others])
        return above, Table(self.columns, [("", rows[count:])] if rows[count:] else [])

    def pad(self, place: int, cell: Cell) -> str:
        """What is to stand unseen behind a number, so that all points of its column are below each other."""
        longest = max(len(fraction(row[place].text) or "") for row in self.rows)
        digits = fraction(cell.text)
        return "" if digits is None else ("." + "0" * longest)[:longest][len(digits) :]

    def markdown(self) -> str:
        """A GitHub table with its notes."""
        lines = [[markdown_text(str(column)) for column in self.columns]]
        lines.append(["---:" if column.numeric else "---" for column in self.columns])
        for heading, rows in self.groups:
            if heading:
                lines.append([f"*{markdown_text(heading)}*", *[""] * (len(self.columns) - 1)])
            for row in rows:
                texts = [(markdown_text(str(cell)), cell.strong) for cell in row]
                lines.append([f"**{text}**" if strong else text for text, strong in texts])
        notes = (f"- {markdown_text(note)}" for note in self.notes)
        return "\n".join([*(f"| {' | '.join(line)} |" for line in lines), "", *notes]).rstrip() + "\n"

    def rich(self) -> rich_table.Table:
        """The table for a terminal."""
        table = rich_table.Table(title=escape(self.caption), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        shown = [place for place, column in enumerate(self.columns) if not column.minor]
        for column in (self.columns[place] for place in shown):
            unit = f"\n{escape(column.unit)}" if column.unit else ""
            justify: Literal["left", "right"] = "right" if column.numeric else "left"
            table.add_column(f"{escape(column.title)}{unit}", justify=justify, no_wrap=column.numeric)
        for heading, rows in self.groups:
            if heading:
                table.add_section()
                table.add_row(f"[italic]{escape(heading)}[/]")
            for row in rows:
                texts = [(escape(str(row[place])), row[place].strong) for place in shown]
                table.add_row(*(f"[bold]{text}[/]" if strong else text for text, strong in texts))
        return table


def fraction(text: str) -> str | None:
    """A number's digits after its integer part, with the point: "2,955.78" -> ".78", "12" -> ""; None for words."""
    match = NUMERAL.fullmatch(text)
    return match and (match[1] or "")


def decimals(errors: Iterable[float | None]) -> int:
    """Digits after the point, 0 to 3, that show two digits of the median error; 2 where none is known."""
    known = [error for error in errors if error is not None and error > 0.0]
    return min(3, max(0, 1 - math.floor(math.log10(median(known))))) if known else 2


def number(value: float, digits: int, error: float | None = None, **rest: Any) -> Cell:
    """A number's cell, rounded; `rest` are further fields of the cell."""
    text = f"{value:,.{digits}f}"
    text = text if text.strip("-0.") else text.lstrip("-")  # no negative zero
    return Cell(text, error="" if error is None else f"{error:,.{digits}f}", **rest)


def plain_cell(value: object) -> Cell:
    """What a value is typed as, whole numbers with commas; a dash where there is none."""
    return NONE if value in (None, "") else Cell(f"{value:,}" if isinstance(value, int) else str(value))


def markdown_text(text: str) -> str:
    """Text as it stands, in a line of Markdown: no heading, table, link, image or HTML is made of it."""
    return " ".join(text.split()).translate(MARKDOWN)


def markdown_code(text: str) -> str:
    """A block of code in Markdown, which nothing in the text can end."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}bash\n{text}\n{fence}"
