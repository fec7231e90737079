"""Calls the apps as a user does, each call a process of its own, and reads what they leave behind."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, NamedTuple

import matplotlib.image
import pytest
import torch

# Words of some 30 steps, and a fraction of a second of speech: a run costs little more than the start of its process.
WORDS = (
    "data=handwriting",
    "data.sample_rate=10",
    "data.words_per_writer=2",
    "data.train_sequences=40",
    "data.valid_sequences=6",
    "data.test_sequences=5",
)
SPEECH = (
    "data.num_frames=6",
    "data.train_sequences=16",
    "data.valid_sequences=6",
    "data.test_sequences=5",
    "figures.num_examples=1",
)

SMALL = ("latent=tiny", "trainer=debug", "logger=none")

ODD = "a run, of=mine's"  # what has a meaning to the shell, to Hydra, or to both
QUOTED = "'a run, of=mine\\'s'"

# Most of a call's time goes to importing libraries. This process imports them once and is then forked for every call;
# what happens in the fork is what `python -m` does: the module runs as __main__, with nothing of the suite imported.
# Only the libraries are not torn down at the end, object by object, which takes seconds in a fork.
WARM = """
import atexit, json, os, runpy, sys, threading, traceback
import hydra, matplotlib.backends.backend_agg, matplotlib.figure, pydantic, rich.progress, rich.table
import jinja2, joblib, optuna, PIL.Image, scipy.io.wavfile, scipy.signal, shutil, torch, torch._dynamo, wandb
import sklearn.ensemble, sklearn.inspection, sklearn.model_selection, sqlalchemy.dialects.sqlite
from wandb.sdk.data_types._private import MEDIA_TMP
atexit.unregister(MEDIA_TMP.cleanup), MEDIA_TMP._finalizer.detach()  # or the first fork that ends takes it from all
def wait(child, file):
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with open(file + ".new", "w") as new:
        new.write(str(code))
    os.rename(file + ".new", file)
for line in sys.stdin:
    call = json.loads(line)
    child = os.fork()
    if child == 0:
        os.setpgid(0, 0)
        os.chdir(call["cwd"])
        for number, name in enumerate([os.devnull, call["out"], call["err"]]):
            os.dup2(os.open(name, os.O_WRONLY if number else os.O_RDONLY), number)
        sys.argv = ["experiments", *call["arguments"]]
        code = 0
        exec(call["before"])
        try:
            runpy.run_module("experiments." + call["app"], run_name="__main__", alter_sys=True)
        except SystemExit as end:
            code = end.code or 0
        except BaseException:
            traceback.print_exc()
            code = 1
        threading._shutdown()
        atexit._run_exitfuncs()
        sys.stdout.flush(), sys.stderr.flush()
        os._exit(code)
    threading.Thread(target=wait, args=(child, call["code"])).start()
    print(child, flush=True)
shutil.rmtree(MEDIA_TMP.name, ignore_errors=True)
"""


class Ended(NamedTuple):
    """What a call printed, and its exit code (negative: the signal that ended it)."""

    code: int
    out: str
    err: str


class Call:
    """A call that goes on."""

    def __init__(self, pid: int, code: Path, out: Path, err: Path):
        self.pid = pid
        self.code, self.out, self.err = code, out, err

    def kill(self, number: int) -> None:
        """Sends a signal to the call's process group, as Ctrl-C in a terminal does."""
        os.killpg(self.pid, number)

    @property
    def is_over(self) -> bool:
        return self.code.exists()

    def ended(self) -> Ended:
        """Waits for the end of it."""
        while not self.is_over:
            time.sleep(0.005)
        said = (file.read_bytes().decode(errors="surrogateescape") for file in (self.out, self.err))
        return Ended(int(self.code.read_text()), *said)


class Apps:
    """Calls of experiments.<app>, in forks of an interpreter that has the libraries imported already.

    Args:
      folder: for its own files.
      environment: of all calls.
    """

    def __init__(self, folder: Path, environment: dict[str, str]):
        self.folder = folder
        self.environment = environment
        self.calls: list[Call] = []
        command = [sys.executable, "-c", WARM]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "start_new_session": True}
        self.server = subprocess.Popen(command, env=environment, cwd=folder, **pipes)

    def start(self, app: str, *arguments: str, cwd: Path, before: str = "") -> Call:
        """Starts a call; `before` is code that runs in its process first, such as what is to befall it later."""
        code, out, err = (self.folder / f"{len(self.calls)}.{name}" for name in ("code", "out", "err"))
        out.touch(), err.touch()
        call = {"app": app, "arguments": arguments, "cwd": str(cwd), "before": before}
        self.server.stdin.write(json.dumps(call | {"code": str(code), "out": str(out), "err": str(err)}) + "\n")
        self.server.stdin.flush()
        self.calls.append(Call(int(self.server.stdout.readline()), code, out, err))
        return self.calls[-1]

    def end(self) -> None:
        """Ends what a failed test has left running."""
        for call in self.calls:
            if not call.is_over:
                with contextlib.suppress(ProcessLookupError):
                    call.kill(signal.SIGKILL)
                call.ended()

    def __call__(self, app: str, *arguments: str, cwd: Path, before: str = "") -> Ended:
        """The whole call."""
        return self.start(app, *arguments, cwd=cwd, before=before).ended()

    def fresh(self, app: str, *arguments: str, cwd: Path) -> Ended:
        """The whole call, in an interpreter of its own."""
        command = [sys.executable, "-m", f"experiments.{app}", *arguments]
        done = subprocess.run(command, cwd=cwd, env=self.environment, capture_output=True, text=True)
        return Ended(done.returncode, done.stdout, done.stderr)


class Run:
    """What lies in a run directory.

    Args:
      path: of the run.
    """

    def __init__(self, path: Path):
        self.path = path

    @classmethod
    def only(cls, folder: Path) -> Run:
        """The one run below a folder."""
        (run,) = cls.all(folder)
        return run

    @classmethod
    def all(cls, folder: Path) -> list[Run]:
        """The runs below a folder, by name."""
        return [
            cls(file.parent)
            for file in sorted(folder.rglob("config.yaml"))
            if (file.parent / "overrides.yaml").exists()
            and not (file.parent / "hydra.yaml").exists()  # Hydra's own record
            and not file.parent.name.startswith("former-")
        ]

    @property
    def result(self) -> dict[str, Any]:
        return json.loads((self.path / "result.json").read_text(), parse_constant=pytest.fail)

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """All lines but the time that they took."""
        lines = map(json.loads, (self.path / "metrics.jsonl").read_text().splitlines())
        return [{name: value for name, value in line.items() if name != "seconds"} for line in lines]

    def checkpoint(self, name: str) -> dict[str, Any]:
        return torch.load(self.path / "checkpoints" / f"{name}.pt", weights_only=True)

    def wandb(self) -> list[dict[str, Any]]:
        """What each of the run's W&B folders holds, read back by W&B's own reader, in order of time."""
        reader = Path(sys.executable).with_name("wandb")
        found = []
        for folder in sorted((self.path / "wandb").glob("offline-run-*")):
            command = [reader, "leet", "inspect", "--summary", "--json", folder]
            found.append(json.loads(subprocess.run(command, capture_output=True, check=True).stdout))
        return found

    def wandb_records(self) -> list[dict[str, Any]]:
        """The records of the run's first W&B folder."""
        folder = min((self.path / "wandb").glob("offline-run-*"))
        command = [Path(sys.executable).with_name("wandb"), "leet", "inspect", "--json", folder]
        lines = subprocess.run(command, capture_output=True, check=True).stdout.splitlines()
        return [json.loads(line) for line in lines]

    def wait_for_lines(self, number: int, call: Call) -> None:
        """Returns when that many lines of metrics are there."""
        file = self.path / "metrics.jsonl"
        deadline = time.monotonic() + 60.0
        while not (file.exists() and file.read_bytes().count(b"\n") >= number):
            try:
                os.kill(call.pid, 0)
            except ProcessLookupError:
                pytest.fail(f"ended before {number} lines of metrics: {call.err.read_text()}")
            assert time.monotonic() < deadline, f"no {number} lines of metrics in a minute"
            time.sleep(0.002)


def is_drawn(path: Path) -> bool:
    """Whether a PNG can be read, is of a size that can be looked at, and is not blank."""
    pixels = matplotlib.image.imread(path)
    return min(pixels.shape[:2]) >= 100 and float(pixels[..., :3].std()) > 0.01
