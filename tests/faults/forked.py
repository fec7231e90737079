"""Calls an app in a fork of this process, as `python -m` does, up to where it would begin to compute."""

from __future__ import annotations

import hashlib
import os
import resource
import runpy
import signal
import sys
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tests.experiments.command_line import Ended

REACHED = 77  # the exit code where an app was about to compute: everything before that is done
MEMORY = 3 * 2**30  # bytes of address space, beyond those that this process has: other tests have used it before
SECONDS = 30  # that one call may take

# Where each app begins to compute, or hands its work to other processes.
WORK = (
    "vrnn.training.trainer.Trainer.fit",
    "vrnn.training.evaluation.evaluate",
    "experiments.run.gallery.draw_gallery",
    "experiments.bench.measure.machine",
    "experiments.cli.processes.run",
    "experiments.report.comparison.report.Comparison.write",
    "hydra_plugins.hydra_joblib_launcher.joblib_launcher.JoblibLauncher.launch",
)


def call(app: str, arguments: Sequence[str], folder: Path, streams: Path) -> Ended:
    """The whole call, in a folder; what it prints goes through files in another one."""
    child = os.fork()
    if child == 0:
        _be_called(app, arguments, folder, streams)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    out, err = ((streams / name).read_text(errors="backslashreplace") for name in ("out", "err"))
    return Ended(code, out, err)


def address_space() -> int:
    """Bytes of this process's address space; 0 where the system does not tell it."""
    pages = Path("/proc/self/statm")
    return int(pages.read_text().split()[0]) * resource.getpagesize() if pages.exists() else 0


def _be_called(app: str, arguments: Sequence[str], folder: Path, streams: Path) -> NoReturn:
    code = 70
    try:
        for number, name in enumerate((os.devnull, streams / "out", streams / "err")):
            os.dup2(os.open(name, os.O_RDWR | os.O_CREAT | os.O_TRUNC), number)
        sys.stdout, sys.stderr = (os.fdopen(number, "w", closefd=False) for number in (1, 2))
        os.chdir(folder)
        for name in [name for name in os.environ if name.startswith(("WANDB_", "VRNN_", "HYDRA_"))]:
            del os.environ[name]
        os.environ["COLUMNS"] = "120"
        limit = address_space() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.alarm(SECONDS)
        _stop_before_work()
        sys.argv = ["experiments", *arguments]
        runpy.run_module(f"experiments.{app}", run_name="__main__", alter_sys=True)
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
    finally:
        _leave(code)


def _leave(code: int) -> NoReturn:
    sys.stdout.flush(), sys.stderr.flush()
    os._exit(code)


def _stop_before_work() -> None:
    for name in WORK:
        module, attribute = name.rsplit(".", 1)
        if module not in sys.modules and module.rpartition(".")[0] in sys.modules:  # a method
            owner = getattr(sys.modules[module.rpartition(".")[0]], module.rpartition(".")[2])
        else:
            owner = sys.modules[module]
        setattr(owner, attribute, lambda *arguments, **settings: _leave(REACHED))


def tree(folder: Path) -> dict[str, str]:
    """Everything below a folder: the hash of each file."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else "folder"
        for path in sorted(folder.rglob("*"))
    }
