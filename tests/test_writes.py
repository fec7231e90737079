"""Who may take away, move or overwrite files: read from the source of every module."""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
FILES = sorted(path for package in ("vrnn", "experiments") for path in (ROOT / package).rglob("*.py"))

# Names of calls, however they are reached: methods of a path, functions of os and shutil.
TAKES_AWAY = {"rmtree", "unlink", "rmdir", "removedirs", "move", "rename", "renames", "truncate"}
REPLACES = {"write_text", "write_bytes", "copy", "copy2", "copyfile", "copytree", "savefig", "savez", "savetxt"}
REPLACES |= {"symlink_to", "hardlink_to", "link_to", "symlink"}

# module: what it may do. Whoever needs more in experiments/ asks removal.py, or writes by write_whole.
ALLOWED = {
    "experiments/disk/removal.py": {"unlink", "rename", "rmdir"},
    "experiments/disk/arrays.py": {"open", "replace", "savez", "unlink"},  # tables, in a folder that is claimed
    "experiments/disk/files.py": {"open", "replace", "unlink"},  # write_whole: a file that was not there before
    "experiments/run/measuring.py": {"savez"},  # test_sequences.npz, in a directory that is claimed
    "experiments/tracking/guard.py": {"unlink"},  # the half of a file that could not be written
    "experiments/run/withdrawal.py": {"unlink"},  # what a refused start wrote, in a directory that it claimed
    "experiments/sweep/study.py": {"copyfile", "replace"},  # a study upgraded in a copy, which takes its place
    "experiments/cli/processes.py": {"open"},  # the null device, in place of a terminal
    "experiments/benchmark.py": {"savefig"},
    "experiments/report/blocks/plots.py": {"savefig"},
    "experiments/bench/measure.py": {"write_text"},  # to /proc: the high-water mark of memory starts again
    "vrnn/compiled/cache.py": {"replace"},  # in a cache of its own
    "vrnn/training/checkpoint.py": {"open", "replace", "unlink"},
    "vrnn/training/metrics.py": {"write_text", "replace"},
    "vrnn/data/checks/inspection.py": {"write_text", "replace", "unlink"},  # in a cache of its own
    "vrnn/data/images/mnist_files.py": {"move", "rename"},  # a download, to where no such file is
    "vrnn/data/recordings/storage.py": {"rename", "write_text"},  # likewise, made elsewhere
}


def calls(path: Path) -> Counter[str]:
    """The calls in a module that take away, move or overwrite."""
    found: Counter[str] = Counter()
    for node in ast.walk(ast.parse(path.read_text())):
        if not isinstance(node, ast.Call):
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        values = [*node.args, *(keyword.value for keyword in node.keywords)]
        modes = [each.value for each in values if isinstance(each, ast.Constant) and isinstance(each.value, str)]
        of_os = isinstance(node.func, ast.Attribute) and ast.unparse(node.func.value) == "os"
        if (
            (name in TAKES_AWAY | REPLACES and (name != "copy" or values))  # a dictionary's copy takes nothing
            or (name == "remove" and of_os)  # a list and a legend have one as well
            or (name == "open" and any(set(mode) & set("wx+") and len(mode) <= 3 for mode in modes))
            or (name == "replace" and isinstance(node.func, ast.Attribute) and (of_os or len(values) == 1))  # of a path
        ):
            found[name] += 1
    return found


def test_files_are_taken_away_moved_and_overwritten_in_few_places():
    for path in FILES:
        name = path.relative_to(ROOT).as_posix()
        allowed = {"savefig", "open", "unlink", "imsave"} if "figures" in path.parts else ALLOWED.get(name, set())
        assert not set(calls(path)) - allowed, name


@pytest.mark.parametrize(
    ("line", "name"),
    [
        ("shutil.rmtree(path)", "rmtree"),
        ("rmtree(path)", "rmtree"),
        ("path.unlink(missing_ok=True)", "unlink"),
        ("os.remove(path)", "remove"),
        ("path.replace(other)", "replace"),
        ("os.replace(path, other)", "replace"),
        ("open(path, 'w')", "open"),
        ("path.open(mode='wb')", "open"),
        ("path.open('x', encoding='utf-8')", "open"),
        ("(path / 'a').write_text('b')", "write_text"),
    ],
)
def test_such_calls_are_seen(tmp_path: Path, line: str, name: str):
    (tmp_path / "module.py").write_text(line)
    assert calls(tmp_path / "module.py") == {name: 1}


@pytest.mark.parametrize("line", ["text.replace('a', 'b')", "open(path)", "path.open('r')", "open(path, 'a')"])
def test_others_are_not(tmp_path: Path, line: str):
    (tmp_path / "module.py").write_text(line)
    assert not calls(tmp_path / "module.py")
