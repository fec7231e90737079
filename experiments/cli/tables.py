"""Small tables of named numbers on the screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from experiments.cli.terminal import console


def show_table(title: str, rows: Sequence[Mapping[str, Any]], more: int = 0) -> None:
    """A row for each mapping, a column for each key of the first; numbers with four digits.

    Args:
      title: above it.
      rows: of the same keys.
      more: rows that are not shown, which is said below.
    """
    caption = f"and {more} more, which the files hold" if more > 0 else None
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False, caption=caption, caption_justify="left"
    )
    for name in rows[0]:
        numeric = all(isinstance(row[name], int | float) for row in rows)
        table.add_column(Text(name), justify="right" if numeric else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(shown(value)) for value in row.values()))
    console.print()
    console.print(table)


def shown(value: Any) -> str:
    """A cell."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1e4 and value.is_integer() else f"{value:,.4g}"
    return str(value)
