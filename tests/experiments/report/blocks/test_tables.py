"""One table, and its forms: Markdown, LaTeX, terminal."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from rich.console import Console

from experiments.report.blocks.latex import latex, tex
from experiments.report.blocks.tables import Cell, Column, Table, decimals, number
from experiments.text import duration

TABLE = Table(
    [Column("model", numeric=False), Column("log-likelihood", "nats"), Column("size")],
    [
        (
            "",
            [
                [Cell("RNN_a & b|c"), Cell("-1,234.5", "≥", "0.5", strong=True), Cell("1,000")],
                [Cell("[x]"), *[Cell("–")] * 2],
            ],
        ),
        ("50% of #2", [[Cell("q"), Cell("7", remark="unverified"), Cell("3 s")]]),
    ],
    "A_table",
    ["a < b_c"],
)


@pytest.mark.parametrize(
    ("errors", "digits"),
    [
        ([665.0], 0),
        ([12.0], 0),
        ([1.5], 1),
        ([0.02, 0.14, 30.0], 2),
        ([0.0141], 3),
        ([1e-7], 3),
        ([None, 0.0], 2),
        ([], 2),
    ],
)
def test_two_digits_of_the_median_error_are_shown(errors, digits):
    assert decimals(errors) == digits


def test_numbers():
    assert str(number(-12521.066, 0, 693.36, mark="≥")) == "≥ -12,521 ± 693"
    assert number(-0.004, 2).text == "0.00"
    assert number(-0.006, 2).text == "-0.01"
    assert [duration(s) for s in (0.4, 59.6, 220, 7512)] == ["0 s", "1 min 00 s", "3 min 40 s", "2 h 05 min"]


def test_points_stand_below_each_other():
    column = [Cell("80.09"), Cell("433.1"), Cell("12"), Cell("–"), Cell("words"), Cell("-1,234")]
    table = Table([Column("value")], [("", [[cell] for cell in column])])
    padded = [cell.text + table.pad(0, cell) for cell in column]
    assert padded == ["80.09", "433.10", "12.00", "–", "words", "-1,234.00"]


def test_markdown_has_as_many_cells_in_every_line():
    lines = [line for line in TABLE.markdown().splitlines() if line.startswith("|")]
    assert len(lines) == 6
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {4}
    assert "RNN\\_a & b\\|c" in lines[2]
    assert "**≥ -1,234.5 ± 0.5**" in lines[2]
    assert lines[1] == "| --- | ---: | ---: |"
    assert "7 unverified" in lines[5]
    assert TABLE.markdown().endswith("- a \\< b\\_c\n")


@pytest.mark.parametrize("special", "&%$#_{}~^\\<>±≥≤")
def test_latex_leaves_no_special_character_bare(special):
    written = tex(f"a{special}b")
    assert written != f"a{special}b"
    assert written.isascii()
    bare = re.sub(r"\\[a-z]+\{\}|\\[&%$#_{}]|\$\\?[a-z<>]+\$", "", written)
    assert bare == "ab"


def test_latex_table_is_whole():
    text = latex(TABLE, "tab:x")
    body = text[text.index("\\toprule") : text.index("\\bottomrule")]
    lines = [line for line in body.splitlines() if line.endswith("\\\\")]
    columns = [
        sum(int(n) for n in re.findall(r"multicolumn\{(\d)", line)) or len(re.split(r"(?<!\\)&", line))
        for line in lines
    ]
    assert columns == [4] * 6  # the value and its error are columns of their own
    assert "r@{\\,}l" in text
    assert "RNN\\_a \\& b$|$c & {\\boldmath$\\geq -1{,}234.5$} & $\\pm\\,0.5$ & $1{,}000$" in text
    assert "\\emph{50\\% of \\#2}" in text
    assert "3 s \\\\" in text
    for environment in ("table", "tabular"):
        assert text.count(f"\\begin{{{environment}}}") == text.count(f"\\end{{{environment}}}") == 1
    assert text.count("{") == text.count("}")
    assert len(re.findall(r"(?<!\\)\$", text)) % 2 == 0


def test_terminal_shows_every_cell_as_it_stands():
    with Path("/dev/null").open("w") as nowhere:
        console = Console(width=120, record=True, file=nowhere)
        console.print(TABLE.rich())
    text = console.export_text()
    for words in ("A_table", "RNN_a & b|c", "≥ -1,234.5 ± 0.5", "[x]", "50% of #2", "7 unverified"):
        assert words in text
