"""A stranger's checkpoints, links, devices, pipes and huge files: nothing is unpickled, followed or waited for."""

from __future__ import annotations

import os
import pickle
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from tests.faults.reading import answers, compared, evaluated, nested, repeated, text


class Canary:
    """Unpickled, it makes a file."""

    def __reduce__(self):
        return (Path.touch, (Path("canary"),))


def saved(**changes: Any) -> Callable[[Path], None]:
    """Puts values in a checkpoint."""

    def change(run: Path) -> None:
        file = run / "checkpoints" / "best.pt"
        torch.save(torch.load(file, weights_only=True) | changes, file)

    return change


def bomb(run: Path) -> None:
    """A checkpoint whose storage claims to be of 2^40 bytes."""
    file = run / "checkpoints" / "best.pt"
    with zipfile.ZipFile(file) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(file, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content[:8] if "/data/" in name else content)


CHECKPOINTS: dict[str, Callable[[Path], None]] = {
    "a pickle": lambda run: (run / "checkpoints/best.pt").write_bytes(pickle.dumps(Canary())),
    "a pickle by torch": lambda run: torch.save({"model": Canary()}, run / "checkpoints/best.pt"),
    "a pickle by torch of before": lambda run: torch.save(
        {"model": Canary()}, run / "checkpoints/best.pt", _use_new_zipfile_serialization=False
    ),
    "a whole model": lambda run: torch.save(torch.nn.Linear(1, 1), run / "checkpoints/best.pt"),
    "a program for torch.jit": lambda run: torch.jit.script(torch.nn.Linear(1, 1)).save(run / "checkpoints/best.pt"),
    "storages cut short": bomb,
    "nothing": text("", "checkpoints/best.pt"),
    "text": text("evil", "checkpoints/best.pt"),
    "a list": lambda run: torch.save([1, 2], run / "checkpoints/best.pt"),
    "a number": lambda run: torch.save(1, run / "checkpoints/best.pt"),
    "weights that are a list": saved(model=[1, 2]),
    "weights that are text": saved(model="evil"),
    "weights that are numbers": saved(model={"phi_x.0.weight": 1}),
    "weights of another model": saved(model={"evil": torch.zeros(3)}),
    "weights of another size": saved(model={"phi_x.0.weight": torch.zeros(2**20).expand(2**20, 2**20)}),
    "a step that is text": saved(step="four"),
    "a step that is a list": saved(step=[4]),
    "no step": saved(step=None),
    "a standardisation that is text": saved(standardisation="evil"),
    "a standardisation that is a list": saved(standardisation={"mean": [0], "std": [1]}),
    "a standardisation of another size": saved(standardisation={"mean": torch.zeros(7), "std": torch.ones(7)}),
    "a standardisation by zero": saved(standardisation={"mean": torch.zeros(3), "std": torch.zeros(3)}),
}


@pytest.mark.parametrize("name", CHECKPOINTS)
@pytest.mark.filterwarnings("ignore:.*torch.jit.*:DeprecationWarning")
def test_checkpoints(run: Path, name: str):
    CHECKPOINTS[name](run)
    (answer,) = answers(run, evaluated)
    assert "run/checkpoints" in answer, answer


def linked(name: str, to: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        (run / name).unlink(missing_ok=True)
        (run / name).symlink_to(to)

    return change


def fifo(name: str) -> Callable[[Path], None]:
    def change(run: Path) -> None:
        (run / name).unlink()
        os.mkfifo(run / name)

    return change


def huge(name: str) -> Callable[[Path], None]:
    """A file of 10^12 zeros, which lie nowhere."""
    return lambda run: os.truncate(run / name, 10**12)


OTHER = "../../../secret.txt"
FILES: dict[str, tuple[Callable[[Path], None], Callable[[Path], None]]] = {
    "a config that is a pipe": (fifo("config.yaml"), evaluated),
    "a config that is a device": (linked("config.yaml", "/dev/zero"), evaluated),
    "a config that is a secret of another folder": (linked("config.yaml", "../../secret.txt"), evaluated),
    "a config that is a link to itself": (linked("config.yaml", "config.yaml"), evaluated),
    "a config of 10^12 bytes": (huge("config.yaml"), evaluated),
    "overrides that are a pipe": (fifo("overrides.yaml"), repeated),
    "overrides that are a device": (linked("overrides.yaml", "/dev/zero"), repeated),
    "overrides that are a secret of another folder": (linked("overrides.yaml", "../../secret.txt"), repeated),
    "overrides of 10^12 bytes": (huge("overrides.yaml"), repeated),
    "an evaluation that is a device": (linked("evaluations/iwae-3.json", "/dev/zero"), compared),
    "an evaluation that is a secret of another folder": (
        linked("evaluations/iwae-3.json", OTHER),
        compared,
    ),
    "an evaluation of 10^12 bytes": (huge("evaluations/iwae-3.json"), compared),
    "metrics that are a device": (linked("metrics.jsonl", "/dev/zero"), compared),
    "metrics that are a secret of another folder": (linked("metrics.jsonl", "../../secret.txt"), compared),
    "metrics of 10^12 bytes": (huge("metrics.jsonl"), compared),
    "arrays that are a device": (linked("test_sequences.npz", "/dev/zero"), compared),
    "arrays that are a secret of another folder": (linked("test_sequences.npz", "../../secret.txt"), compared),
    "data.json that is a device": (linked("data.json", "/dev/zero"), evaluated),
    "data.json that is a secret of another folder": (linked("data.json", "../../secret.txt"), evaluated),
    "data.json of a list": (text("[1]", "data.json"), evaluated),
    "data.json of lists within each other": (text(nested(100_000, "[", "]"), "data.json"), evaluated),
    "a checkpoint that is a pipe": (fifo("checkpoints/best.pt"), evaluated),
    "a checkpoint that is a device": (linked("checkpoints/best.pt", "/dev/zero"), evaluated),
    "a checkpoint that is a secret of another folder": (
        linked("checkpoints/best.pt", OTHER),
        evaluated,
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_links_devices_and_huge_files(run: Path, name: str):
    attack, way = FILES[name]
    attack(run)
    answers(run, way)
