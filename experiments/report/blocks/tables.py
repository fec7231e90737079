"""Tables that are written once and read as HTML, Markdown, LaTeX (see latex.py) or in a terminal."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median
from typing import Any, Literal

from rich import box
from rich import table as rich_table
from rich.markup import escape

NUMERAL = re.compile(r"-?[\d,]+(\.\d+)?")
MARKDOWN = str.maketrans({character: f"\\{character}" for character in "\\`*_[]<>|~$#"})  # $ begins a formula


@dataclass(frozen=True)
class Cell:
    """One entry: words, or a number with everything that stands around it.

    Attributes:
      text: the words, or the number's digits with an ASCII minus.
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


@dataclass(frozen=True)
class Column:
    """A column's heading.

    Attributes:
      title, unit: the two lines of it.
      numeric: numbers are aligned at their decimal point, words at the left.
      minor: left out in a terminal, which has little room.
    """

    title: str
    unit: str = ""
    numeric: bool = True
    minor: bool = False

    def __str__(self) -> str:
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclass
class Table:
    """Groups of rows under common columns.

    Attributes:
      columns: one for each cell of a row.
      groups: (heading, rows); an empty heading prints none.
      caption: what the table shows, one line.
      notes: sentences below it.
      kind: names the block to the page.
    """

    columns: Sequence[Column]
    groups: Sequence[tuple[str, Sequence[Sequence[Cell]]]]
    caption: str = ""
    notes: Sequence[str] = field(default_factory=list)
    kind: str = "table"

    @property
    def errors(self) -> list[bool]:
        """Which columns have an error in some row, and so need room for it."""
        rows = [row for _, group in self.groups for row in group]
        return [any(row[number].error for row in rows) for number in range(len(self.columns))]

    def pad(self, place: int, cell: Cell) -> str:
        """What is to stand unseen behind a number, so that all points of its column are below each other.

        Args:
          place: of the column.
          cell: one of it.
        """
        rows = [row for _, group in self.groups for row in group]
        longest = max(len(fraction(row[place].text) or "") for row in rows)
        own = fraction(cell.text)
        return "" if own is None else ("." + "0" * longest)[:longest][len(own) :]

    def markdown(self) -> str:
        """A GitHub table with its notes."""
        lines = [_line(markdown_text(str(column)) for column in self.columns)]
        lines.append(_line("---:" if column.numeric else "---" for column in self.columns))
        for heading, rows in self.groups:
            if heading:
                lines.append(_line([f"*{markdown_text(heading)}*", *[""] * (len(self.columns) - 1)]))
            for row in rows:
                texts = [(markdown_text(str(cell)), cell.strong) for cell in row]
                lines.append(_line(f"**{text}**" if strong else text for text, strong in texts))
        return "\n".join([*lines, "", *(f"- {markdown_text(note)}" for note in self.notes)]).rstrip() + "\n"

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


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"


def markdown_text(text: str) -> str:
    """Text as it stands, in a line of Markdown: no heading, table, link, image or HTML is made of it."""
    return " ".join(text.split()).translate(MARKDOWN)


def markdown_code(text: str) -> str:
    """A block of code in Markdown, which nothing in the text can end."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}bash\n{text}\n{fence}"
