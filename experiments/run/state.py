"""The jobs of a multirun as their directories tell them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple

from experiments.cli.terminal import say
from experiments.config.identity import RULE, config_hash
from experiments.disk.locks import is_locked
from experiments.disk.ownership import read_mark
from experiments.errors import UserError
from experiments.run.directory import RunDirectory

State = Literal["waiting", "running", "interrupted", "failed", "stale", "resumed", "done"]


class Job(NamedTuple):
    """One job of a multirun.

    Attributes:
      run: its directory, which need not be there yet.
      state: waiting (never started), running, interrupted (stopped or killed), failed, stale (what lies there was made
        with another config), resumed (it was made with this config, and then taken further by resume= with another
        limit), or done.
      result: its result.json; empty where there is none.
    """

    run: RunDirectory
    state: State
    result: dict[str, Any]

    @property
    def is_over(self) -> bool:
        """Whether nothing is left to do: it is done, be it with more training than was asked for."""
        return self.state == "done" or (self.state == "resumed" and self.result.get("status") == "done")

    @property
    def may_be_of_another_config(self) -> bool:
        """Whether it pays to compare its config with today's: it is done, or was resumed by hand."""
        return self.state == "done" or (self.state in ("interrupted", "failed") and was_resumed(self.run))


def read_job(run: RunDirectory, expected_hash: str | None = None, *, alive: bool = True) -> Job:
    """A job as its directory tells it.

    Args:
      run: the job's directory.
      expected_hash: `config_hash` of the config that it should have been made with; None: whatever it was.
      alive: look whether a process works on it; False: whoever asks holds the lock.
    """
    if alive and is_locked(run.path):
        return Job(run, "running", {})
    result = run.read_result()
    if not result:
        if not run.config_file.is_file():
            return Job(run, "waiting", {})
        if expected_hash is not None and config_hash(run.read_config()) != expected_hash:
            return Job(run, "resumed" if was_taken_further(run, expected_hash) else "stale", {})
        return Job(run, "interrupted", {})
    if expected_hash not in (None, result["config_hash"], identity_of(run, result)):
        return Job(run, "resumed" if was_taken_further(run, expected_hash) else "stale", result)
    return Job(run, result["status"], result)


def identity_of(run: RunDirectory, result: dict[str, Any]) -> str | None:
    """`config_hash` of what a result was made with: one of an earlier rule is computed again, from the run's config."""
    if result["identity_rule"] == RULE or result["config_hash"] is None:
        return result["config_hash"]
    try:
        return config_hash(run.read_config())
    except UserError:
        return result["config_hash"]


def was_taken_further(run: RunDirectory, expected_hash: str | None) -> bool:
    """Whether a run was begun with the config of this hash, and is of another one by now since it was resumed.

    Of one that an earlier version has begun nobody knows by this rule how it was: it passes for such a one.
    """
    if not was_resumed(run):
        return False
    begun = read_mark(run.path)
    return begun.get("identity_rule", 1) != RULE or begun.get("config_hash", expected_hash) == expected_hash


def was_resumed(run: RunDirectory) -> bool:
    """Whether a run has been gone on with by resume=, as far as its config can be read."""
    try:
        return run.config_file.is_file() and run.read_config().get("resume") is not None
    except UserError:
        return False


def tell_changed(jobs: Iterable[Job], *, replace: bool) -> None:
    """Says, before anything begins, what lies there that is not what this multirun asks for, and what becomes of it."""
    for job in jobs:
        if job.state == "resumed" and not replace:
            say(
                f"kept        {job.run}: resume= has taken it further than this asks for; "
                "multirun.replace_resumed=true puts it aside and makes it anew"
            )
        elif job.state in ("stale", "resumed"):
            say(f"put aside   {job.run}: what lies there is of another config; nothing of it is deleted")
