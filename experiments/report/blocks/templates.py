"""What reports say, from the templates beside this package: pages, Markdown and sentences, all values escaped."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from experiments.report.blocks.tables import NUMERAL, markdown_code, markdown_text
from experiments.text import counted, listed

FOLDER = Path(__file__).parent.parent / "templates"
BREAKS = re.compile(r"\s*[\n\r\v\f\x1c-\x1e\x85\u2028\u2029]\s*")


def html(template: str, **values: Any) -> str:
    """A page with nothing to load from anywhere, and one script: page.js."""
    environment = _environment(autoescape=True)
    environment.filters |= {
        # Not in 1e-3, which is to be copied into a command.
        "minus": lambda text: text.replace("-", "\N{MINUS SIGN}") if NUMERAL.fullmatch(text) else text,
        # A line of a narrow column may end after a point: optimizer.|lr.
        "breakable": lambda text: escape(text).replace(".", Markup(".<wbr>")),
        "anchor": lambda title: re.sub(r"\W+", "-", title.lower()).strip("-"),
    }
    environment.tests["startingwith"] = str.startswith
    script = Markup((FOLDER / "page.js").read_text(encoding="utf-8"))
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()  # the page runs nothing else
    return environment.get_template(template).render(values, script=script, script_hash=digest)


def markdown(template: str, **values: Any) -> str:
    """A document for GitHub."""

    def escaped(value: Any) -> str:
        return value if isinstance(value, Markup) else markdown_text(str(value))

    environment = _environment(finalize=escaped, keep_trailing_newline=True)
    environment.filters |= {
        "table": lambda table: Markup(table.markdown().rstrip()),
        "code": lambda text: Markup(markdown_code(text)),
        "written": Markup,
    }
    return environment.get_template(template).render(values)


def sentences(macro: str, **values: Any) -> list[str]:
    """The paragraphs of a macro of sentences.j2, each in one line."""
    environment = _environment(finalize=lambda value: BREAKS.sub(" ", str(value)))
    environment.globals |= {"counted": counted, "listed": listed}
    text = getattr(environment.get_template("sentences.j2").make_module(values), macro)()
    return [paragraph for lines in text.split("\n\n") if (paragraph := lines.replace("\n", " ").strip(" "))]


def _environment(**how: Any) -> jinja2.Environment:
    loader = jinja2.FileSystemLoader(FOLDER)
    return jinja2.Environment(
        loader=loader, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True, **how
    )
