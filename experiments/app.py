"""What all apps share: composing with Hydra, answering mistakes, and the exit code."""

from __future__ import annotations

import errno
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig

from experiments.errors import UserError
from experiments.names import register_resolvers

CONF = Path(__file__).resolve().parents[1] / "conf"


class JobFailed(CompactHydraException):
    """One job of a multirun failed; derived so that Hydra lets the other jobs go on and prints no traceback."""


def launch(
    config_name: str,
    task: Callable[[DictConfig], int],
    more_overrides: Callable[[list[str]], list[str]] = lambda arguments: [],
) -> NoReturn:
    """Runs `task` on the composed config and exits with its code (of a multirun: 1 if any job's is not 0).

    Args:
      config_name: the app's YAML in conf/.
      task: returns an exit code. A UserError becomes one message on stderr and the code 1; any other exception is a
        defect of the suite, so its traceback is shown.
      more_overrides: overrides that follow from the command line's arguments and must be known before Hydra starts.
    """
    register_resolvers()
    if answer(lambda: sys.argv.extend(more_overrides(sys.argv[1:])) or 0):
        sys.exit(1)
    codes: list[int] = []

    def guarded(cfg: DictConfig) -> None:
        code = answer(lambda: task(cfg))
        codes.append(code)
        if code and HydraConfig.get().mode == RunMode.MULTIRUN:
            if code > 128:  # stopped by a signal: so is the whole multirun
                raise KeyboardInterrupt
            raise JobFailed(f"job {HydraConfig.get().job.override_dirname or HydraConfig.get().job.num} failed")

    try:
        hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(guarded)()
    except KeyboardInterrupt:
        sys.exit(130)
    sys.exit(next((code for code in codes if code), 0))


def answer(work: Callable[[], int]) -> int:
    """The exit code of `work`; mistakes and failures of the machine are told on stderr, and give 1."""
    try:
        return work()
    except UserError as error:
        print(f"error: {error}", file=sys.stderr, flush=True)
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EROFS):
            raise
        print(f"error: {error.filename}: {error.strerror}; make room, or write elsewhere", file=sys.stderr, flush=True)
    except Exception:
        traceback.print_exc()
    return 1
