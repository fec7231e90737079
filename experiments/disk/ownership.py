"""Which directories are the suite's own: those that carry its mark, and older ones that hold what only it writes."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Literal

from experiments.disk.files import write_json
from experiments.disk.reading import clean, read_text, read_yaml
from experiments.errors import UserError

Kind = Literal["run", "sweep", "comparison", "samples", "latents", "scores", "forecasts", "benchmark"]

LATER: tuple[Kind, ...] = ("latents", "scores", "forecasts")

MARK = ".vrnn.json"
LOCK = ".lock"  # taken while a directory is worked in
STOP = ".stop"  # in a multirun's directory: no job begins any more, and those that run save and stop
PLAN = "sweep.json"
STUDY = "study.db"  # of a search

# All that is written in a directory of each kind, in the order in which it may go: what says how the work stands, last.
DRAWN = (
    *(f"{name}.png" for name in ("samples", "reconstructions", "continuations", "curves")),
    *(
        f"{name}.{suffix}"
        for suffix in ("wav", "mid")
        for name in (
            *("samples_sample", "reconstructions_input", "reconstructions_reconstruction"),
            *("reconstructions_prediction", "continuations_input", "continuations_continuation_[12]"),
        )
    ),
)
COMPUTED = (
    "checkpoints/best.pt",
    "checkpoints/last.pt",
    "checkpoints/*.tmp",
    "metrics.jsonl",
    "metrics.tmp",
    "data.json",
)
TOLD = ("test_sequences.npz", "overrides.yaml", "result.json", "config.yaml")
LOOKED: dict[Kind, tuple[str, ...]] = {  # what the apps that look at a run write, each in a folder of its own there
    "samples": DRAWN,
    **{kind: tuple(f"{kind}.{end}" for end in ("npz", "parquet", "json", "png")) for kind in LATER},
}
MEASURED_LATER = (
    "evaluations/*.json",
    *(f"{kind}/*/{name}" for kind, names in LOOKED.items() for name in (*names, MARK)),
)
RUN = (*COMPUTED, *(f"figures/{name}" for name in DRAWN), *MEASURED_LATER, *TOLD)
BY_HYDRA = ("multirun.yaml", "optimization_results.yaml")
REPORT = tuple(f"{name}.{suffix}" for name in ("sweep", "comparison") for suffix in ("html", "md", "tex", "csv"))
SWEEP = (PLAN, STUDY, STOP, *BY_HYDRA, *REPORT, "figures/*.png")
BENCHMARK = ("benchmark.json", "benchmark.md", "benchmark.png")
WRITTEN: dict[Kind, tuple[str, ...]] = {
    "run": RUN,
    "sweep": SWEEP,
    "comparison": SWEEP,
    **LOOKED,
    "benchmark": BENCHMARK,
}

# What a folder may hold and be called empty: the lock of this very start, and what desktops leave behind.
NOT_COUNTED = (LOCK, ".DS_Store", "Thumbs.db", "desktop.ini")
CONFIG = {"data", "likelihood", "latent", "recurrence", "model", "objective", "trainer", "seed"}  # a run's config has


def claim(
    directory: Path,
    kind: Kind | None,
    remedy: str,
    just_written: Iterable[str] = (),
    written: Iterable[str] | None = None,
) -> None:
    """Makes sure that a start may write in a directory: it is new, empty, or the suite's own. Nothing is written yet.

    Args:
      directory: where the work is to be done.
      kind: of the work; None: whatever the suite did there before.
      remedy: what to do where it may not, for the message.
      just_written: names that Hydra has written there for this very start.
      written: names that the work may write; None: all of its kind.

    Raises:
      UserError: it holds something else, work of another kind, or a link in the place of a file that is to be written.
    """
    try:
        if not directory.exists():
            return
    except ValueError as error:  # a name that no file can have
        raise UserError(f"{ascii(str(directory))[1:-1]}: this cannot be a folder ({error}); {remedy}") from error
    if not directory.is_dir():
        raise UserError(f"{directory}: this is a file, and a folder is expected; {remedy}")
    if read_mark(directory).get("format", 1) != 1:
        raise UserError(f"{directory / MARK}: was written by another version of this suite; use that one, or {remedy}")
    found = sorted(path.name for path in directory.iterdir() if path.name not in (*NOT_COUNTED, *just_written))
    found = [name for name in found if not fnmatch(name, f"{MARK}*.tmp")]  # a start that was killed at once
    if found and not is_own(directory, kind):
        other = read_mark(directory).get("kind")
        held = f"a {other} of this suite" if other else f"{listed(found)}, which this suite has not written there"
        raise UserError(f"{directory}: holds {held}; nothing was changed; {remedy}")
    for path in links(directory, WRITTEN[kind or "run"] if written is None else tuple(written)):
        raise UserError(f"{path}: this is a link, and what it leads to would be overwritten; take it away, or {remedy}")


def mark(directory: Path, kind: Kind, **about: Any) -> None:
    """Writes the mark by which the directory is known from now on, with what is to be known of its first start."""
    write_json(directory / MARK, {"format": 1, "kind": kind, **about})


def read_mark(directory: Path) -> dict[str, Any]:
    """The content of the mark; empty where there is none."""
    found = read_dict(directory / MARK)
    return found if found.get("kind") in [*WRITTEN] else {}  # a list: what lies there need not be hashable


def is_own(directory: Path, kind: Kind | None) -> bool:
    """Whether the suite has made a directory, for work of this kind."""
    found = read_mark(directory).get("kind")
    if found is not None:
        return kind in (None, found)
    return any(known(directory) for known in ([RECOGNISED[kind]] if kind else RECOGNISED.values()))


def own_files(directory: Path, patterns: Iterable[str]) -> Iterator[Path]:
    """The files of these names that are there; a link, and what lies behind one, is not among them."""
    for pattern in patterns:
        for path in sorted(directory.glob(pattern)):
            between = path.relative_to(directory).parents
            if (
                path.is_file()
                and not path.is_symlink()
                and not any((directory / part).is_symlink() for part in between)
            ):
                yield path


def links(directory: Path, patterns: Iterable[str]) -> Iterator[Path]:
    """Links that stand where a file of these names, or the folder that it lies in, belongs."""
    folders = sorted({pattern.partition("/")[0] for pattern in patterns if "/" in pattern})
    for pattern in (MARK, LOCK, *folders, *patterns):
        found = sorted(directory.glob(pattern)) if "*" in pattern else [directory / pattern]  # also one to nowhere
        yield from (path for path in found if path.is_symlink())


def is_run(directory: Path) -> bool:
    """Whether a run was begun there by a version that set no mark."""
    if {"status", "config_hash", "format"} <= set(read_dict(directory / "result.json")):
        return True
    beside = ("overrides.yaml", "metrics.jsonl", "checkpoints")
    if is_config(directory / "config.yaml") and any((directory / name).exists() for name in beside):
        return True
    return {path.name for path in directory.iterdir()} <= {*NOT_COUNTED, ".hydra"} and is_config(
        directory / ".hydra" / "config.yaml"  # it was killed before it had written more
    )


def is_sweep(directory: Path) -> bool:
    """Whether a multirun was started there by a version that set no mark."""
    return {"command", "keys", "points"} <= set(read_dict(directory / PLAN)) or holds_only_jobs(directory)


def is_comparison(directory: Path) -> bool:
    """Whether a comparison was made there by a version that set no mark."""
    try:
        text = read_text(directory / "comparison.md")
    except (OSError, UserError):
        text = ""
    return "\npython -m experiments.compare" in text or holds_only_jobs(directory)


def holds_only_jobs(directory: Path) -> bool:
    """Whether there are runs of the suite, and nothing beside them that a person may have written.

    A report or a study there would be replaced, and only a plan or a comparison beside it tells whose it is.
    """
    others = {*NOT_COUNTED, STOP, *BY_HYDRA, "wandb"}
    rest = [path for path in directory.iterdir() if path.name not in others]
    return bool(rest) and all(path.is_dir() and (read_mark(path).get("kind") == "run" or is_run(path)) for path in rest)


def is_benchmark(directory: Path) -> bool:
    """Whether measurements were written there by a version that set no mark."""
    return {"format", "shapes", "growth"} <= set(read_dict(directory / "benchmark.json"))


RECOGNISED: dict[Kind, Callable[[Path], bool]] = {
    "run": is_run,
    "sweep": is_sweep,
    "comparison": is_comparison,
    **dict.fromkeys(LOOKED, lambda directory: False),
    "benchmark": is_benchmark,
}


def is_config(file: Path) -> bool:
    """Whether a file is the config of a run of this suite."""
    try:
        return set(read_yaml(file)) >= CONFIG
    except Exception:  # no such file, no YAML, no mapping
        return False


def read_dict(file: Path) -> dict[str, Any]:
    """The content of a JSON file; empty where it is none, or none that holds keys."""
    try:
        found = clean(json.loads(read_text(file)))
    except (OSError, ValueError, RecursionError, UserError):
        return {}
    return found if isinstance(found, dict) else {}


def listed(names: list[str]) -> str:
    """The first few names."""
    shown = ", ".join(ascii(name)[1:-1] for name in names[:3])
    return shown + (f" and {len(names) - 3} more" if len(names) > 3 else "")
