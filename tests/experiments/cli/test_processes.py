"""Processes that work for another: each has a place of its own, and none outlives its employer."""

from __future__ import annotations

import multiprocessing
import os
import subprocess
import sys
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest

from experiments.cli.processes import take_place
from experiments.disk.locks import is_locked, locked
from experiments.disk.ownership import LOCK
from experiments.errors import UserError

# An employer that is killed when its worker has done one job, and waits for another or is in the midst of it.
EMPLOYER = """
import os, subprocess, sys
code = f"import sys; EMPLOYER = {os.getpid()}\\n" + sys.argv[1]
process = subprocess.Popen([sys.executable, "-c", code, *sys.argv[2:]], stdout=subprocess.PIPE, text=True)
print(process.pid, process.stdout.readline().strip(), flush=True)
process.wait()
"""
WORKER = """
import time
from pathlib import Path
from experiments.cli.signals import at_work
with at_work(EMPLOYER):
    pass
print("done", flush=True)
"""
IDLE = "time.sleep(60)"
BUSY = "with at_work(EMPLOYER): time.sleep(2); Path(sys.argv[1]).touch()"


def is_alive(pid: int) -> bool:
    stat = Path(f"/proc/{pid}/stat")
    return stat.exists() and stat.read_text().rpartition(")")[2].split()[0] != "Z"


def take(directory: Path, pipe: Connection) -> None:
    pipe.send(take_place(directory))
    pipe.recv()


def test_every_process_has_the_lowest_place_that_is_free(tmp_path: Path):
    fork = multiprocessing.get_context("fork")

    def start() -> tuple[multiprocessing.Process, int]:
        mine, its = fork.Pipe()
        process = fork.Process(target=take, args=(tmp_path / "places", its), daemon=True)
        process.start()
        return process, mine.recv()

    processes, places = zip(*(start() for _ in range(3)), strict=True)
    assert places == (0, 1, 2)
    processes[1].kill()
    processes[1].join()
    again, place = start()
    assert place == 1
    for process in (*processes, again):
        process.kill()
        process.join()


@pytest.mark.parametrize("rest", [IDLE, BUSY])
def test_a_worker_ends_with_its_employer_but_ends_its_job_first(tmp_path: Path, rest: str):
    end = tmp_path / "end"
    command = [sys.executable, "-c", EMPLOYER, f"{WORKER}{rest}", str(end)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as employer:
        pid, word = employer.stdout.readline().split()
        assert word == "done"
        assert is_alive(int(pid))
        time.sleep(0.5)  # a busy one is at its second job
        employer.kill()
    deadline = time.monotonic() + 20.0
    while is_alive(int(pid)) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not is_alive(int(pid))
    assert end.exists() == (rest == BUSY)


def test_a_lock_that_is_a_pipe_keeps_nobody_waiting(tmp_path: Path):
    os.mkfifo(tmp_path / LOCK)
    ends = threading.Timer(3.0, os.open, (tmp_path / LOCK, os.O_RDWR))  # of a wait, which fails the test
    ends.start()
    begun = time.monotonic()
    assert not is_locked(tmp_path)
    with pytest.raises(UserError, match=r"\.lock: expected a file, and this is something else; take it away"):
        locked(tmp_path).__enter__()
    assert time.monotonic() - begun < 2.0
    ends.cancel()


TWICE = """
import sys
from joblib.externals.loky.backend import resource_tracker
from experiments.cli.processes import start_silent_tracker
if sys.argv[1] == "silent":
    start_silent_tracker()
resource_tracker.register("/nowhere", "folder")
resource_tracker.unregister("/nowhere", "folder")
resource_tracker.unregister("/nowhere", "folder")
print("the terminal is still there", file=sys.stderr)
"""


@pytest.mark.parametrize("kind", ["silent", "as joblib starts it"])
def test_what_joblibs_tracker_prints_does_not_reach_the_terminal(kind: str):
    ended = subprocess.run([sys.executable, "-c", TWICE, kind], capture_output=True, text=True, check=True)
    assert "the terminal is still there\n" in ended.stderr
    assert ("KeyError" in ended.stderr) == (kind != "silent")
