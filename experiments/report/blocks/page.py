"""A report as one HTML file: sections of prose, tables, pictures and sounds, with nothing to load from anywhere."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jinja2
import markupsafe

from experiments.disk.files import write_whole
from experiments.report.blocks.tables import NUMERAL


@dataclass
class Prose:
    """Paragraphs."""

    paragraphs: Sequence[str]
    kind: str = "prose"


@dataclass
class Alert:
    """What the reader must not overlook: a heading and its items."""

    title: str
    items: Sequence[str]
    kind: str = "alert"


@dataclass
class Commands:
    """Commands to be copied, each after what it is for."""

    commands: Sequence[tuple[str, str]]
    kind: str = "commands"


@dataclass
class Facts:
    """Terms and what they are."""

    facts: Sequence[tuple[str, str]]
    kind: str = "facts"


@dataclass
class Sound:
    """A wav file as data URI."""

    title: str
    uri: str


@dataclass
class Picture:
    """An image as data URI, and what can be heard of it."""

    uri: str
    title: str
    sounds: Sequence[Sound] = ()


@dataclass
class Pictures:
    """Images side by side, as many as fit.

    Attributes:
      width: of one, pixels; narrower only where the screen is.
    """

    pictures: Sequence[Picture]
    width: int = 340
    kind: str = "pictures"


@dataclass
class Details:
    """Blocks that open at a click, and in print."""

    title: str
    blocks: Sequence[Any]
    kind: str = "details"


@dataclass
class Section:
    """A heading with its blocks: of this module, or a Table."""

    title: str
    blocks: Sequence[Any] = field(default_factory=list)

    @property
    def anchor(self) -> str:
        return re.sub(r"\W+", "-", self.title.lower()).strip("-")


@dataclass
class Page:
    """A report.

    Attributes:
      title: of the page.
      summary: what was found, in a sentence or two.
      sections: in order.
    """

    title: str
    summary: Sequence[str]
    sections: Sequence[Section]

    def write(self, file: Path) -> Path:
        """Writes the page, whole or not at all; everything in it is escaped."""
        loader = jinja2.FileSystemLoader(Path(__file__).parent)
        environment = jinja2.Environment(
            loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
        )
        # Not in 1e-3, which is to be copied into a command.
        environment.filters["minus"] = lambda text: (
            text.replace("-", "\N{MINUS SIGN}") if NUMERAL.fullmatch(text) else text
        )
        # A line of a narrow column may end after a point: optimizer.|lr.
        environment.filters["breakable"] = lambda text: markupsafe.escape(text).replace(
            ".", markupsafe.Markup(".<wbr>")
        )
        write_whole(file, environment.get_template("page.html.j2").render(page=self))
        return file
