"""Memory does not grow while a run goes on: not that of its process, nor of those that it starts."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pytest

from tests.experiments.command_line import WORDS

SECONDS = 240.0
PAGE = os.sysconf("SC_PAGE_SIZE")


def group_memory(group: int) -> int:
    """Bytes that the processes of a process group hold in memory, the pages that they share counted for each."""
    total = 0
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            fields = (folder / "stat").read_text().rpartition(")")[2].split()  # state, parent, group, ...
            if int(fields[2]) == group:
                total += PAGE * int((folder / "statm").read_text().split()[1])
        except (OSError, IndexError, ValueError):
            continue  # it has ended meanwhile
    return total


@pytest.mark.soak
def test_memory_does_not_grow(apps, tmp_path):
    """Four minutes of updates, checkpoints, validations and W&B: the last holds at most 1 % more than the second."""
    arguments = (
        "latent=tiny",
        "trainer=debug",
        "trainer.max_steps=100000000",
        "trainer.checkpoint_every=50",
        "logger=wandb",
    )
    call = apps.start("train", *WORDS, *arguments, "hydra.run.dir=run", cwd=tmp_path)
    started, looks = time.monotonic(), []
    while (now := time.monotonic() - started) < SECONDS:
        assert not call.is_over, call.err.read_text()
        looks.append((now, group_memory(call.pid)))
        time.sleep(1.0)
    call.kill(2)
    assert call.ended().code == 130
    early = np.mean([held for when, held in looks if SECONDS / 4 <= when < SECONDS / 2])
    late = np.mean([held for when, held in looks if when >= SECONDS * 3 / 4])
    print(f"memory of the process and its children: {early / 2**20:.1f} MB, then {late / 2**20:.1f} MB")
    assert late < 1.01 * early
