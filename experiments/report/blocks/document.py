"""What reports of every kind share: how their parts follow each other in Markdown and in a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Group
from rich.text import Text

from experiments.report.blocks.page import Alert
from experiments.report.blocks.tables import Table, markdown_code, markdown_text

Remarks = Mapping[str, Sequence[str]]


def remarks_of(left_out: Sequence[str], cautions: Sequence[str]) -> Remarks:
    """What must not be overlooked, by heading, where there is any."""
    remarks = {"Not counted": left_out, "Caution": cautions}
    return {heading: items for heading, items in remarks.items() if items}


def alerts(remarks: Remarks) -> list[Alert]:
    """The remarks as blocks of a page."""
    return [Alert(heading, items) for heading, items in remarks.items()]


def terminal(table: Table | None, lines: Sequence[str], remarks: Remarks) -> Group:
    """A table, lines of text and the remarks, for a terminal."""
    texts = list(lines)
    for heading, items in remarks.items():
        texts += ["", f"{heading}:", *(f"- {item}" for item in items)]
    return Group(*([table.rich()] if table else []), Text("\n".join(texts)))


def markdown(
    title: str,
    paragraphs: Sequence[str],
    remarks: Remarks,
    appendix: Sequence[str],
    pictures: Mapping[str, tuple[Path, str]],
    command: str,
) -> str:
    """A report for GitHub; all but `paragraphs` and `appendix`, which are Markdown, is escaped."""
    parts = [f"# {markdown_text(title)}", *paragraphs]
    for heading, items in remarks.items():
        parts += [f"**{heading}**", "\n".join(f"- {markdown_text(item)}" for item in items)]
    parts += appendix
    parts += [f"![{markdown_text(heading)}]({file.parent.name}/{file.name})" for heading, (file, _) in pictures.items()]
    return "\n\n".join([*parts, markdown_code(command)]) + "\n"
