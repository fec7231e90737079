"""Multiruns: directories that the same command finds again, and the lock on them."""

from __future__ import annotations

import signal
import time
from pathlib import Path

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser

from experiments.errors import UserError
from experiments.names import register_resolvers
from experiments.sweeps import Sweep, identify
from tests.experiments.command_line import SMALL, WORDS, Apps

BASE = ("latent=tiny", "optimizer.lr=1e-3", "seed=0,1")


def place(*overrides: str) -> Path:
    register_resolvers()
    return identify(OverridesParser.create().parse_overrides(list(overrides)))[0]


def test_the_directory_is_that_of_the_base_config_and_the_search_space():
    here = place(*BASE)
    assert here.parent == Path("outputs/sweeps")
    assert place(*reversed(BASE)) == here
    assert place(*BASE, "logger=none", "hydra/launcher=joblib", "trainer.device=cpu") == here
    others = [
        place("latent=small", *BASE[1:]),
        place(*BASE[:2], "seed=0,2"),
        place(*BASE[:2], "seed=0,1,2"),
        place("latent=tiny", "optimizer.lr=2e-3", "seed=0,1"),
        place("latent=tiny", "optimizer.lr=1e-3,2e-3", "seed=0,1"),
        place(*BASE, "experiment=mnist_rows"),
    ]
    assert len({here, *others}) == len(others) + 1
    assert others[-1].name.startswith("mnist_rows-")


def test_a_key_that_only_the_swept_options_have_is_no_hindrance():
    assert place("data=fsdd,audio", "data.root=/there").name.startswith("train-")
    assert place("objective=iwae", "objective.num_samples=5,10").name.startswith("train-")


def test_the_keys_that_name_a_job_are_those_that_are_swept():
    _, keys = identify(OverridesParser.create().parse_overrides(list(BASE)))
    assert keys == ["seed"]


@pytest.mark.parametrize(
    "arguments", [["latent=tiny", "seed=0"], ["--multirun", "seed=0,1", "hydra.sweep.dir=mine"], ["-m", "no.such=1,2"]]
)
def test_one_job_a_chosen_directory_and_what_does_not_compose_are_left_to_hydra(monkeypatch, tmp_path, arguments):
    monkeypatch.chdir(tmp_path)
    if arguments[0] == "-m":
        arguments = [*arguments, "no.such.either=1"]
    assert Sweep().prepare(arguments) == arguments
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("flags", [("--multirun", *BASE), (*BASE, "-m"), (BASE[0], *BASE[1:], "--multirun")])
def test_all_overrides_stay_in_one_row(monkeypatch, tmp_path, flags):
    monkeypatch.chdir(tmp_path)
    found = Sweep().prepare(list(flags))
    where = [number for number, argument in enumerate(found) if not argument.startswith("-")]
    assert where == list(range(where[0], where[0] + 5))


def test_a_second_live_start_is_refused_and_a_dead_one_is_no_hindrance(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    first = Sweep()
    first.prepare(["-m", *BASE])
    with pytest.raises(UserError, match="these jobs are running already"):
        Sweep().prepare(["-m", *BASE])
    Sweep().prepare(["-m", *BASE[:2], "seed=2,3"])  # another one
    first.lock.close()  # what the end of a process does, whatever ended it
    Sweep().prepare(["-m", *BASE])


def test_the_same_command_finds_what_is_done_and_runs_the_rest(apps: Apps, tmp_path):
    command = ("--multirun", *WORDS, *SMALL, "seed=0,1")
    call = apps.start("train", *command, cwd=tmp_path)
    deadline = time.monotonic() + 60.0
    while not list(tmp_path.glob("outputs/sweeps/*/seed-0-*/result.json")) and time.monotonic() < deadline:
        time.sleep(0.05)
    call.kill(signal.SIGKILL)
    call.ended()
    ended = apps("train", *command, cwd=tmp_path)
    assert ended.code == 0, ended.err
    (sweep,) = tmp_path.glob("outputs/sweeps/*")
    assert len(list(sweep.glob("seed-*/result.json"))) == 2
    assert ended.out.count("done already") == 1
    again = apps("train", *reversed(command[1:]), "--multirun", cwd=tmp_path)
    assert again.code == 0, again.err
    assert again.out.count("done already") == 2
