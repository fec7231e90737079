"""The ready sweeps of W&B: what is swept is there, and wandb's own agent starts runs that its controller finds."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

import pytest
import yaml
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from experiments.config.paths import CONF
from experiments.config.resolvers import register_resolvers
from tests.conf import chosen, composed
from tests.experiments.command_line import SPEECH, Apps, Run

FOLDER = CONF.parent / "experiments" / "wandb_sweeps"
FILES = sorted(path.name for path in FOLDER.glob("*.yaml"))
PYTHON = ["/usr/bin/env", "python", "-m", "experiments.train"]

# What wandb's sweep engine (`sweeps` 0.3.0, which is for NumPy 1 and so is not installed) knows of a sweep.
KEYS = {"project", "name", "method", "metric", "run_cap", "early_terminate", "parameters", "command"}
RANGES = {"log_uniform_values": float, "uniform": float, "int_uniform": int}


@pytest.fixture(scope="module", autouse=True)
def hydra() -> Iterator[None]:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


class Started(NamedTuple):
    """What an agent's process is called with, and its W&B variables."""

    command: list[str]
    environment: dict[str, str]


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[dict[str, Any], dict[str, Any]], Started]:
    """(sweep, point) -> the process that wandb's agent would start for it."""
    from wandb import wandb_agent

    def process(command: list[str], env: dict[str, str], **_: Any) -> SimpleNamespace:
        environment = {name: value for name, value in env.items() if name.startswith("WANDB_")}
        return SimpleNamespace(started=Started(command, environment))

    def start(sweep: dict[str, Any], point: dict[str, Any]) -> Started:
        agent = wandb_agent.Agent(api=None, queue=None, sweep_id="5w33p")
        agent._sweep_command = list(sweep["command"])
        arguments = {name: {"value": value} for name, value in point.items()}
        agent._command_run({"run_id": "a63n7", "program": None, "args": arguments})
        return agent._run_processes["a63n7"].started

    monkeypatch.setattr(wandb_agent, "AgentProcess", process)
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    for name in ("WANDB_RUN_ID", "WANDB_SWEEP_PARAM_PATH"):  # the agent sets them; so they go when the test does
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("WANDB_DIR", str(tmp_path))
    monkeypatch.setenv("WANDB_PROJECT", "swept")
    monkeypatch.setenv("WANDB_SWEEP_ID", "5w33p")
    return start


def read(name: str) -> dict[str, Any]:
    return yaml.safe_load((FOLDER / name).read_text())


def points(sweep: dict[str, Any]) -> list[dict[str, Any]]:
    """Points that hold every value, and both ends of every range."""
    values = {name: given.get("values") or [given["min"], given["max"]] for name, given in sweep["parameters"].items()}
    number = max(map(len, values.values()))
    return [{name: found[i % len(found)] for name, found in values.items()} for i in range(number)]


def test_there_is_something_to_look_at():
    assert {"bayes.yaml", "grid.yaml"} <= set(FILES)


@pytest.mark.parametrize("name", FILES)
def test_a_sweep_is_what_wandb_understands(name):
    sweep = read(name)
    assert sweep.keys() <= KEYS
    assert sweep["method"] in ("bayes", "grid", "random")
    assert sweep["metric"].items() >= {"name": "valid/log_likelihood", "goal": "maximize"}.items()
    for given in sweep["parameters"].values():
        if "values" in given:
            assert given.keys() == {"values"}
        else:
            assert given.keys() == {"distribution", "min", "max"}
            kind = RANGES[given["distribution"]]
            assert type(given["min"]) is type(given["max"]) is kind  # YAML reads 2e-4 as a text
            assert 0 < given["min"] < given["max"]
            assert sweep["method"] != "grid"


@pytest.mark.parametrize("name", FILES)
def test_the_agents_command_gives_every_parameter_its_value(name, start):
    for point in points(read(name)):
        command = start(read(name), point).command
        assert command[:4] == PYTHON
        cfg, options = composed(*command[4:]), chosen(*command[4:])
        assert {key: options.get(key, OmegaConf.select(cfg, key)) for key in point} == point
        assert cfg.logger.mode == "online"


def test_a_run_that_an_agent_starts_is_the_sweeps_own(apps: Apps, start, tmp_path):
    sweep = read("grid.yaml")
    sweep["command"] += [*SPEECH, "trainer=debug", "logger=wandb"]
    point = {"latent": "tiny", "optimizer": "rmsprop", "seed": 2, "optimizer.lr": 5e-3}
    command, environment = start(sweep, point)
    assert command[:4] == PYTHON
    variables = [f"+hydra.job.env_set.{name}={value}" for name, value in environment.items()]
    ended = apps("train", *command[4:], *variables, cwd=tmp_path)
    assert ended.code == 0, ended.err
    run = Run.only(tmp_path)
    (found,) = run.wandb()
    assert found["exit_code"] == 0
    assert found["summary"].keys() >= {sweep["metric"]["name"]}
    assert found["config"].items() >= point.items()  # by these names the controller looks for them
    assert found["config"]["choices"].items() >= {"optimizer": "rmsprop", "latent": "tiny"}.items()
    assert found["config"]["latent.z_dim"] == 8
    assert found["config"]["trainer"]["max_steps"] == 4
    (record,) = [line["run"] for line in run.wandb_records() if line["type"] == "run"]
    assert (record["run_id"], record["sweep_id"], record["run_group"]) == ("a63n7", "5w33p", "sweep-5w33p")
    assert record["project"] == "swept"
    assert record["display_name"].startswith("vrnn speech latent=tiny optimizer=rmsprop")
    assert json.loads((run.path / "wandb" / "identity.json").read_text())["id"] == "a63n7"
