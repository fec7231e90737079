"""Tables for a paper: booktabs, with nothing to load but that."""

from __future__ import annotations

from collections.abc import Sequence

from experiments.report.blocks.tables import Cell, Column, Table, fraction

ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"$\sim$",
        "^": r"\textasciicircum{}",
        "≥": r"$\geq$",
        "≤": r"$\leq$",
        "±": r"$\pm$",
        "×": r"$\times$",
        "–": "--",
        "†": r"$^{\dagger}$",
        "<": "$<$",
        ">": "$>$",
        "|": "$|$",
        '"': "''",
        **{character: f"\\{character}" for character in "&%$#_{}"},
        **{character: f"{{{character}}}" for character in "[]*"},  # of \\, which may stand before
    }
)
MARKS = {"": "", "≥": r"\geq ", "≤": r"\leq ", "~": r"\sim ", "<": "<"}


def tex(text: str) -> str:
    """Text as it stands, in a LaTeX document."""
    return " ".join(text.split()).translate(ESCAPES)


def latex(table: Table, label: str, notes: Sequence[str] = ()) -> str:
    """A table environment to be put in with \\input; its document needs \\usepackage{booktabs}.

    Args:
      table: its caption and notes become the caption.
      label: for \\ref.
      notes: further ones.
    """
    kinds = list(zip(table.columns, table.errors, strict=True))
    width = sum(2 if error else 1 for _, error in kinds)
    spec = "".join((r"r@{\,}l" if error else "r") if column.numeric else "l" for column, error in kinds)
    units = [column.unit for column in table.columns]
    heads = [[column.title for column in table.columns], *([units] if any(units) else [])]
    body: list[str] = []
    for heading, rows in table.groups:
        body += [r"\midrule"]
        body += [rf"\multicolumn{{{width}}}{{@{{}}l}}{{\emph{{{tex(heading)}}}}} \\"] if heading else []
        body += [" & ".join(_cell(cell, *kind) for cell, kind in zip(row, kinds, strict=True)) + r" \\" for row in rows]
    caption = " ".join(map(tex, (f"{table.caption}.", *table.notes, *notes)))
    lines = [
        r"% Needs \usepackage{booktabs}.",
        r"\begin{table}[t]",
        r"\centering\small\setlength{\tabcolsep}{4pt}",
        rf"\caption{{{caption}}}",
        rf"\label{{{label}}}",
        rf"\begin{{tabular}}{{@{{}}{spec}@{{}}}}",
        r"\toprule",
        *(" & ".join(_head(text, *kind) for text, kind in zip(head, kinds, strict=True)) + r" \\" for head in heads),
        *body,
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]
    return "\n".join(lines) + "\n"


def _head(text: str, column: Column, error: bool) -> str:
    """A heading over one column or, with an error beside its values, over two."""
    return rf"\multicolumn{{{2 if error else 1}}}{{{'c' if column.numeric else 'l'}}}{{{tex(text)}}}"


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
