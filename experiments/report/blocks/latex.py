"""Tables for a paper: booktabs, with nothing to load but that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from experiments.report.blocks.tables import Cell, Column, Table, fraction

ESCAPES: dict[str, Any] = {"\\": r"\textbackslash{}", "^": r"\textasciicircum{}", "–": "--", '"': "''"}
ESCAPES |= {"~": r"$\sim$", "≥": r"$\geq$", "≤": r"$\leq$", "±": r"$\pm$", "×": r"$\times$", "†": r"$^{\dagger}$"}
ESCAPES |= {"<": "$<$", ">": "$>$", "|": "$|$", **{character: f"\\{character}" for character in "&%$#_{}"}}
ESCAPES |= {character: f"{{{character}}}" for character in "[]*"}  # of \\, which may stand before
MARKS = {"": "", "≥": r"\geq ", "≤": r"\leq ", "~": r"\sim ", "<": "<"}


def tex(text: str) -> str:
    """Text as it stands, in a LaTeX document."""
    return " ".join(text.split()).translate(str.maketrans(ESCAPES))


def latex(table: Table, label: str, notes: Sequence[str] = ()) -> str:
    """A table environment to be put in with \\input, and \\ref'd by its label; the notes follow those of the table."""
    kinds = list(zip(table.columns, table.errors, strict=True))
    width = sum(2 if error else 1 for _, error in kinds)
    spec = "".join((r"r@{\,}l" if error else "r") if column.numeric else "l" for column, error in kinds)
    units = [column.unit for column in table.columns]
    lines = []
    for heads in [[column.title for column in table.columns], *([units] if any(units) else [])]:
        spans = [(2 if error else 1, "c" if column.numeric else "l") for column, error in kinds]
        titles = [
            rf"\multicolumn{{{n}}}{{{side}}}{{{tex(text)}}}" for (n, side), text in zip(spans, heads, strict=True)
        ]
        lines.append(" & ".join(titles) + r" \\")
    for heading, rows in table.groups:
        lines.append(r"\midrule")
        lines += [rf"\multicolumn{{{width}}}{{@{{}}l}}{{\emph{{{tex(heading)}}}}} \\"] if heading else []
        lines += [
            " & ".join(_cell(cell, *kind) for cell, kind in zip(row, kinds, strict=True)) + r" \\" for row in rows
        ]
    body, caption = "\n".join(lines), " ".join(map(tex, (f"{table.caption}.", *table.notes, *notes)))
    return rf"""% Needs \usepackage{{booktabs}}.
\begin{{table}}[t]
\centering\small\setlength{{\tabcolsep}}{{4pt}}
\caption{{{caption}}}
\label{{{label}}}
\begin{{tabular}}{{@{{}}{spec}@{{}}}}
\toprule
{body}
\bottomrule
\end{{tabular}}
\end{{table}}
"""


def _cell(cell: Cell, column: Column, error: bool) -> str:
    """A value, and its error in a column of its own where the column has any."""
    remark = f" {tex(cell.remark)}" if cell.remark else ""
    if column.numeric and fraction(cell.text) is not None:
        # Braces keep TeX from setting a thousands comma as punctuation.
        value = f"${MARKS[cell.mark]}{tex(cell.text).replace(',', '{,}')}$"
        value = rf"{{\boldmath{value}}}" if cell.strong else value
    else:
        value = rf"\textbf{{{tex(cell.value)}}}" if cell.strong else tex(cell.value)
    if not error:
        return value + remark
    return f"{value} & " + (rf"$\pm\,{cell.error.replace(',', '{,}')}$" if cell.error else "") + remark
