"""The page's own script: nothing else may run, and in a real browser it sorts, filters and offers to copy."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shutil
import subprocess
from html import unescape
from pathlib import Path
from types import SimpleNamespace

import pytest

from experiments.report.blocks.tables import Cell, Column, Table
from experiments.report.blocks.templates import FOLDER, html

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
VALUES = ["9", "-1,000.5", "–", "10", "0.5", "7", "8", "-2", "3"]
TIMES = ["12 s", "1 h 05 min", "3 min 40 s", *["1 min 00 s"] * 6]
# Sorts by the second column twice, then by the last, and filters; what the page says then becomes its title.
ACT = """
const names = () => [...document.querySelectorAll("tbody tr:not([hidden]) th")].map((th) => th.textContent).join("");
const heads = document.querySelectorAll(".sort"), told = [];
for (const place of [1, 1, 2]) { heads[place].click(); told.push(names()); }
const input = document.querySelector(".filter input");
input.value = "MIN -2"; input.dispatchEvent(new Event("input"));
told.push(names(), heads[2].parentNode.getAttribute("aria-sort"), String(document.querySelectorAll(".copy").length));
document.title = JSON.stringify(told);
"""


@pytest.fixture(scope="module")
def page() -> str:
    """A page with a table of nine rows, a to i."""
    columns = [Column("name", numeric=False), Column("value"), Column("time")]
    rows = [[Cell(name), Cell(value), Cell(time)] for name, value, time in zip("abcdefghi", VALUES, TIMES, strict=True)]
    report = SimpleNamespace(summary=["<b>&"], remarks={}, what="rows")
    return html("page.html.j2", report=report, title="t", above=Table(columns, [("", rows)]), rest=Table([], []))


def opened(text: str, folder: Path) -> str:
    """The page after its scripts have run."""
    file = folder / "page.html"
    file.write_text(text, encoding="utf-8")
    flags = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--dump-dom"]
    flags += [f"--user-data-dir={folder / 'profile'}", file.as_uri()]
    return subprocess.run([str(BROWSER), *flags], capture_output=True, text=True, timeout=60).stdout


def test_the_page_may_run_its_own_script_alone(page: str):
    (script,) = re.findall(r"<script>(.*?)</script>", page, re.DOTALL)
    assert script == (FOLDER / "page.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert (
        f"default-src 'none'; img-src data:; media-src data:; style-src 'unsafe-inline'; script-src 'sha256-{digest}'"
        in page
    )


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_in_a_browser_the_policy_lets_the_script_run_and_no_other(page: str, tmp_path: Path):
    stranger = "<script>document.title = 'a stranger was here'</script></body>"
    shown = opened(page.replace("</body>", stranger), tmp_path)
    assert 'class="scripted"' in shown
    assert "<title>t</title>" in shown


@pytest.mark.skipif(BROWSER is None, reason="no Chromium here")
def test_in_a_browser_a_table_is_sorted_and_filtered(page: str, tmp_path: Path):
    bare = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page)
    bare = bare.replace("</main>", '<div class="command"><code>a command</code></div></main>')
    shown = opened(bare.replace("</body>", f"<script>{ACT}</script></body>"), tmp_path)
    (title,) = re.findall(r"<title>(.*?)</title>", shown)
    down, up, slowest, filtered, direction, copies = json.loads(unescape(title))
    assert down == "dagfiehbc"  # the empty one last
    assert up == "bheifgadc"
    assert (slowest[:2], slowest[-1]) == ("bc", "a")
    assert filtered == "h"  # both words, in any case
    assert direction == "descending"
    assert copies == "1"
