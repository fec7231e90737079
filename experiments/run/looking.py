"""What the apps that look at a finished run share: their folder in it, and its sequences batch by batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import torch
from omegaconf import DictConfig

from experiments.cli.terminal import console, say
from experiments.disk.ownership import MEASURED_LATER, Kind, claim, mark, read_mark
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.run.restore import Request, Restored, restore
from vrnn.batch import Batch
from vrnn.data.splits import Sequences
from vrnn.training.evaluation import rows_within

ELSEWHERE = "give another output, an empty folder or a new one"


class Looked(NamedTuple):
    """A run that is looked at.

    Attributes:
      run: its directory.
      restored: its model and data.
      seed: of all draws.
    """

    run: RunDirectory
    restored: Restored
    seed: int


def look(cfg: DictConfig, whole: bool = False) -> Looked:
    """Restores the run that an app was asked to look at; `whole`: see `restore`.

    Raises:
      UserError: it is none, or something does not fit.
    """
    run = RunDirectory.existing(cfg.run)
    claim(run.path, "run", "give the directory of a run that experiments.train made", written=MEASURED_LATER)
    request = Request(cfg.split, cfg.checkpoint, cfg.device, cfg.root, cfg.consent)
    restored = restore(run, request, whole)
    return Looked(run, restored, restored.cfg.seed if cfg.seed is None else cfg.seed)


def claimed(cfg: DictConfig, looked: Looked, kind: Kind, keys: Sequence[str]) -> tuple[Path, dict[str, Any]]:
    """The folder for what is asked for, that of cfg.output or one in the run's own, and what is asked for.

    Args:
      cfg: the app's config, with split, checkpoint and output.
      looked: the run.
      kind: of the folder; in the run it lies in one of that name.
      keys: of the config that say what is asked for as well.

    Raises:
      UserError: it holds something else, as it would what was made for another request.
    """
    run, restored, seed = looked
    request: dict[str, Any] = {"split": cfg.split, "checkpoint": cfg.checkpoint, "step": restored.step, "seed": seed}
    request |= {key: cfg[key] for key in keys}
    request["on"] = None if restored.other is None else restored.other.name
    words = [cfg.split, cfg.checkpoint, f"{restored.step}", f"seed{seed}"]
    words += [f"{name}{cfg[name]}" for name in keys if cfg[name] is not None]
    words += [] if request["on"] is None else [request["on"]]
    folder = Path(str(cfg.output)) if cfg.output else run.path / kind / "-".join(words)
    claim(folder, kind, ELSEWHERE)
    whose = {"run": str(run.path.resolve())} if cfg.output else {}  # a run may be moved with all it holds
    about = whose | request
    previous = read_mark(folder)
    if previous and {key: previous.get(key) for key in about} != about:
        raise UserError(f"output={cfg.output}: holds what was made for another request; {ELSEWHERE}")
    return folder, about


def opened(cfg: DictConfig, looked: Looked, kind: Kind, keys: Sequence[str]) -> Path:
    """`claimed`, marked as what is asked for from now on; notes and cautions are told."""
    folder, request = claimed(cfg, looked, kind, keys)
    mark(folder, kind, **request)
    for note in looked.restored.notes:
        say(f"note: {note}")
    if looked.restored.other is not None:
        say(f"caution: {looked.restored.other.caution}")
    return folder


def in_order(looked: Looked, sequences: Sequences, memory_gb: float, samples: int = 1) -> Iterator[Batch]:
    """All sequences in their order, as many at a time as about that much memory holds, with a bar in a terminal.

    Args:
      looked: the run; its model and the sequences are on one device.
      sequences: of one split.
      memory_gb: gigabytes.
      samples: rows that are made of each sequence.
    """
    from rich.progress import track

    generator = torch.Generator(sequences.device).manual_seed(looked.seed)
    rows = rows_within(looked.restored.model, int(sequences.lengths.max()), memory_gb * 1e9)
    parts = torch.arange(len(sequences)).split(max(1, rows // samples))
    for index in track(parts, "sequences", console=console, transient=True, disable=not console.is_terminal):
        yield sequences.batch(index, generator)


def steps_of(batch: Batch, sequences: Sequences) -> dict[str, Any]:
    """Which sequence and step each real step of a batch is [n], with its group and label where they are known."""
    mask = batch.mask.cpu()
    index, lengths = batch.index.cpu(), batch.lengths.cpu()
    found: dict[str, Any] = {"sequence": index.repeat_interleave(lengths).numpy()}
    found["step"] = torch.arange(batch.steps).expand(mask.shape)[mask].numpy()
    if sequences.groups is not None:
        names = [sequences.groups[number] for number in index.tolist()]
        found["group"] = [name for name, length in zip(names, lengths.tolist(), strict=True) for _ in range(length)]
    if sequences.labels is not None:
        marks = [sequences.labels_of(number) for number in index.tolist()]
        found["label"] = torch.cat([each for each in marks if each is not None]).numpy()
    return found
