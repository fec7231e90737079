"""What all apps share: composing with Hydra, answering mistakes, and the exit code."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from typing import NoReturn

import hydra
from hydra.errors import CompactHydraException
from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from experiments.cli.arguments import checked_arguments, read_arguments
from experiments.cli.context import JobContext
from experiments.cli.folders import leave_no_folder
from experiments.cli.help import suite_help
from experiments.cli.processes import take_gpu
from experiments.cli.signals import at_work, is_worker
from experiments.cli.streams import is_output_lost, protect_streams
from experiments.cli.surroundings import answer_to, hydra_raising, require_working_directory
from experiments.config.checks import require_keys, require_read
from experiments.config.compose import settled
from experiments.config.packages import allowed_packages
from experiments.config.paths import CONF
from experiments.config.resolvers import register_resolvers
from experiments.errors import UserError
from experiments.nearest import nearest

DEVICE = ("trainer.device", "device")  # keys under which the apps' configs have it


Work = Callable[[DictConfig, JobContext], int]  # one job of an app -> its exit code
Outcome = Callable[[DictConfig, JobContext, int], None]


class JobFailed(CompactHydraException):
    """One job of a multirun failed; derived so that Hydra lets the other jobs go on and prints no traceback."""


def fail(cfg: DictConfig, context: JobContext, code: int) -> None:
    """The outcome of a job whose app knows nothing better: nothing, or a failure that ends in the exit code 1."""
    if code:
        raise JobFailed(f"job {','.join(context.overrides) or context.number} failed")


class AppTask:
    """What Hydra calls for each job of an app, in this process or in one that works for it.

    Args:
      config_name: the app's YAML in conf/.
      work: the app, see `launch`.
      outcome: see `launch`.
      completed: hold the config to `complete` before `work` is called.

    Attributes:
      words: of this process's command line, flags first, before an app adds its own.
      codes: exit codes of the jobs that this process has done.
    """

    def __init__(self, config_name: str, work: Work, outcome: Outcome, *, completed: bool):
        self.config_name, self.work, self.outcome, self.completed = config_name, work, outcome, completed
        self.words: list[str] = []
        self.codes: list[int] = []
        self.process = os.getpid()

    def __call__(self, cfg: DictConfig) -> None:
        protect_streams()  # a worker has streams of its own
        with at_work(self.process):
            if is_worker() and any(OmegaConf.select(cfg, key) in ("auto", "cuda") for key in DEVICE):
                take_gpu(self.process)
            context = JobContext.current()
            code = answer(lambda: self.job(cfg.copy(), context))
        self.codes.append(code)
        if context.multirun is None:
            return
        if code > 128 and not is_worker():  # stopped by a signal: so is the whole multirun
            raise KeyboardInterrupt(code)
        self.outcome(cfg, context, code)

    def job(self, cfg: DictConfig, context: JobContext) -> int:
        """One job; returns its exit code."""
        if self.completed:
            complete(cfg, context, self.config_name)
        return self.work(cfg, context)


def launch(
    config_name: str,
    work: Work,
    prepare: Callable[[list[str]], list[str]] = list,
    outcome: Outcome = fail,
    conclude: Callable[[int], int] = int,
    completed: bool = True,
) -> NoReturn:
    """Runs `work` on the composed config and exits with its code (of a multirun: 1 if any job's is not 0).

    Args:
      config_name: the app's YAML in conf/.
      work: returns an exit code. A UserError becomes one message on stderr and the code 1; any other exception is a
        defect of the suite, so its traceback is shown.
      prepare: the command line's arguments -> those that Hydra is to see.
      outcome: called with the config, context and exit code of a job of a multirun.
      conclude: called at the end, with the exit code; returns the final one.
      completed: hold the config to `complete` before `work` is called; False: it does so itself.
    """
    protect_streams()
    register_resolvers()
    OmegaConf.register_new_resolver("suite_help", suite_help, replace=True)
    is_traced = os.environ.get("HYDRA_FULL_ERROR") == "1"
    task = AppTask(config_name, work, outcome, completed=completed)
    try:
        require_working_directory()
        allowed_packages()
        task.words = checked_arguments(sys.argv[1:])
        sys.argv[1:] = prepare(list(task.words))
        require_package(sys.argv[1:], config_name)
    except Exception as error:
        tell(error if is_traced else explained(error, config_name))
        sys.exit(1)
    code = 0
    try:
        with hydra_raising():
            hydra.main(version_base="1.3", config_path=str(CONF), config_name=config_name)(task)()
    except KeyboardInterrupt:
        code = next((code for code in task.codes if code > 128), 130)
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except Exception as error:
        code = 1
        tell(error if is_traced or task.codes else explained(error, config_name))
    code = code or next((code for code in task.codes if code), 0)
    if code:
        leave_no_folder()
    code = conclude(code)
    lost = not task.codes and is_output_lost()  # of --help or --cfg, which do nothing but write
    sys.exit(code or int(lost))


def complete(cfg: DictConfig, context: JobContext, app: str | None = None) -> DictConfig:
    """The config, if every value that must be given was, every reference leads somewhere, and an app's keys fit.

    Raises:
      UserError: names the first for which that is not so.
    """
    try:
        for key in sorted(OmegaConf.missing_keys(cfg)):
            raise UserError(f"{key}: no value was given; add {key}=<value>, --help says what it is")
        settled(cfg)
        OmegaConf.to_container(cfg, resolve=True)
    except OmegaConfBaseException as error:
        raise UserError(unresolved(error, context.overrides)) from error
    if app is not None:
        require_keys(cfg, app)
        require_read(context.overrides, app)
    return cfg


def unresolved(error: OmegaConfBaseException, words: Sequence[str]) -> str:
    """Why a reference leads nowhere, by the word that took its goal away, or that made it."""
    text = f"{error.full_key}: {str(error).partition(chr(10))[0]}"
    for word in words:
        key = word.lstrip("+~").partition("=")[0]
        if word.startswith("~") and (f"'{key}'" in text or f"'{key}." in text):
            return f"{word}: {text}; leave {word} out"
    made = [word for word in words if "${" in word]
    named = [word for word in made if word.lstrip("+~").startswith(f"{error.full_key}=")] or made
    return f"{named[-1]}: {text}" if named else text


def answer(work: Callable[[], int]) -> int:
    """The exit code of `work`; mistakes and failures of the machine are told on stderr, and give 1."""
    try:
        return work()
    except Exception as error:
        tell(error)
    return 1


def require_package(arguments: list[str], config_name: str) -> None:
    """Raises UserError where --package names no part of the config that --cfg is to show."""
    parsed = read_arguments(arguments)
    if parsed.package is not None:
        from experiments.config.explain import known_names

        names = known_names(parsed.overrides, "", config_name)
        if parsed.package not in ("_global_", *names):
            raise UserError(f"--package {parsed.package}: the config has no such part{nearest(parsed.package, names)}")


def explained(error: Exception, config_name: str) -> Exception:
    """What Hydra raised before any job began, by the word that is at fault; a defect of the suite as it is."""
    from experiments.config.explain import explain_composition

    if isinstance(error, UserError | OSError) and not isinstance(error, CompactHydraException):
        return error
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    text = explain_composition(error, words, config_name)
    return error if text is None else UserError(text)


def tell(error: Exception) -> None:
    """Says on stderr what went wrong: mistakes and failures of the machine in a line, defects with their traceback."""
    text = answer_to(error) if isinstance(error, OSError) else None
    if isinstance(error, UserError | JobFailed) or text:
        print(f"error: {in_a_line(text or str(error))}", file=sys.stderr, flush=True)
    else:
        traceback.print_exception(error)


def in_a_line(text: str) -> str:
    """A message whose values may hold line ends, in one line."""
    return " ".join(text.splitlines()) if len(text.splitlines()) > 1 else text
