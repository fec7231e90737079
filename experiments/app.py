"""What all apps share: composing with Hydra, answering mistakes, and the exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

import hydra
from hydra.core.hydra_config import HydraConfig
from hydra.errors import CompactHydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.errors import UserError
from experiments.names import CONF, register_resolvers, settled
from experiments.processes import take_gpu
from experiments.signals import at_work, is_worker
from experiments.streams import is_output_lost, protect_streams
from experiments.surroundings import answer_to, hydra_raising, require_working_directory

DEVICE = ("trainer.device", "device")  # keys under which the apps' configs have it
NO_BEST_TRIAL = "Record does not exist."  # Optuna on a study in which nothing has succeeded


class JobFailed(CompactHydraException):
    """One job of a multirun failed; derived so that Hydra lets the other jobs go on and prints no traceback."""


def fail(cfg: DictConfig, code: int) -> None:
    """The outcome of a job whose app knows nothing better: nothing, or a failure that ends in the exit code 1."""
    if code:
        raise JobFailed(f"job {HydraConfig.get().job.override_dirname or HydraConfig.get().job.num} failed")


def launch(
    config_name: str,
    task: Callable[[DictConfig], int],
    prepare: Callable[[list[str]], list[str]] = list,
    outcome: Callable[[DictConfig, int], float | None] = fail,
    conclude: Callable[[int], int] = int,
    ready: Callable[[DictConfig], DictConfig] | None = None,
) -> NoReturn:
    """Runs `task` on the composed config and exits with its code (of a multirun: 1 if any job's is not 0).

    Args:
      config_name: the app's YAML in conf/.
      task: returns an exit code. A UserError becomes one message on stderr and the code 1; any other exception is a
        defect of the suite, so its traceback is shown.
      prepare: the command line's arguments -> those that Hydra is to see.
      outcome: of a job of a multirun and its exit code, the number that a sweeper is to maximise.
      conclude: called at the end, with the exit code; returns the final one.
      ready: the composed config -> what `task` is called with; None: `complete`.
    """
    protect_streams()
    register_resolvers()
    is_traced = os.environ.get("HYDRA_FULL_ERROR") == "1"

    def prepared() -> int:
        require_working_directory()
        refuse_null(sys.argv[1:])
        sys.argv[1:] = prepare(sys.argv[1:])
        return 0

    if answer(prepared):
        sys.exit(1)
    codes: list[int] = []
    process = os.getpid()

    def guarded(cfg: DictConfig) -> float | None:
        protect_streams()  # a worker has streams of its own
        with at_work(process):
            if is_worker() and any(OmegaConf.select(cfg, key) in ("auto", "cuda") for key in DEVICE):
                take_gpu(process)
            code = answer(lambda: task((ready or complete)(cfg)))
        codes.append(code)
        if HydraConfig.get().mode != RunMode.MULTIRUN:
            return None
        if code > 128 and not is_worker():  # stopped by a signal: so is the whole multirun
            raise KeyboardInterrupt
        return outcome(cfg, code)

    code = 0
    try:
        with hydra_raising():
            hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(guarded)()
    except KeyboardInterrupt:
        code = next((code for code in codes if code > 128), 130)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception as error:
        code = 1
        if str(error) != NO_BEST_TRIAL:
            tell(error, traced=is_traced)
    code = conclude(code or next((code for code in codes if code), 0))
    lost = not codes and is_output_lost()  # of --help or --cfg, which do nothing but write
    sys.exit(code or int(lost))


def refuse_null(arguments: list[str]) -> None:
    """Raises UserError where a group is given null, which Hydra takes in its own files only."""
    for argument in arguments:
        group, _, option = argument.partition("=")
        if option == "null" and (CONF / group).is_dir():
            options = ", ".join(sorted(path.stem for path in (CONF / group).glob("*.yaml")))
            raise UserError(f"{argument}: expected one of its options ({options}); to leave the group out: ~{group}")


def complete(cfg: DictConfig) -> DictConfig:
    """The config, if every value that must be given was, and every reference leads somewhere.

    Raises:
      UserError: names the first for which that is not so.
    """
    try:
        for key in sorted(OmegaConf.missing_keys(cfg)):
            raise UserError(f"{key}: no value was given; add {key}=<value>, --help says what it is")
        settled(cfg)
        OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException as error:
        raise UserError(f"{error.full_key}: {str(error).splitlines()[0]}") from error
    return cfg


def answer(work: Callable[[], int]) -> int:
    """The exit code of `work`; mistakes and failures of the machine are told on stderr, and give 1."""
    try:
        return work()
    except Exception as error:
        tell(error)
    return 1


def tell(error: Exception, *, traced: bool = False) -> None:
    """Says on stderr what went wrong: mistakes and failures of the machine in a line, defects with their traceback.

    Args:
      error: what was raised.
      traced: show the traceback of what Hydra says as well.
    """
    text = answer_to(error) if isinstance(error, OSError) else None
    if isinstance(error, UserError) or text:
        print(f"error: {text or error}", file=sys.stderr, flush=True)
    elif isinstance(error, CompactHydraException) and not traced:
        causes = [error.__cause__] if isinstance(error.__cause__, OmegaConfBaseException) else []
        hint = "\nSet the environment variable HYDRA_FULL_ERROR=1 for a complete stack trace."
        print(*(str(text) for text in (error, *causes, hint)), sep="\n", file=sys.stderr, flush=True)
    else:
        traceback.print_exception(error)
