"""What the README names is there. (What is new need not be named: adding a dataset takes no edit of the README.)"""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_tree_names_no_file_that_is_gone():
    tree = README.split("## Where everything is")[1].split("```")[1]
    named = set(re.findall(r"\b(\w+\.py)\b", tree))
    assert len(named) > 40
    assert named <= {path.name for folder in ("vrnn", "experiments") for path in (ROOT / folder).rglob("*.py")}


def test_the_table_names_no_option_that_is_gone():
    rows = re.findall(r"^\| `(\w+)` \| ([^|]+) \|", README, flags=re.MULTILINE)
    assert len(rows) > 8
    gone = [
        f"{group}={option}"
        for group, options in rows
        for option in re.findall(r"`([\w/]+)`", options)
        if not (ROOT / "conf" / group / f"{option}.yaml").is_file()
    ]
    assert gone == []


def test_every_picture_is_there():
    pictures = re.findall(r"docs/[\w./-]+\.png", README)
    assert pictures
    assert [picture for picture in pictures if not (ROOT / picture).is_file()] == []
