"""The apps that look at a finished run: evaluate and sample, and the --help pages."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from experiments.cli.app import CONF
from experiments.cli.help import first_line
from experiments.config.checks import require_keys
from experiments.config.resolvers import register_resolvers
from experiments.errors import UserError
from experiments.evaluate import measure
from experiments.sample import sample
from tests.conf import context
from tests.experiments.command_line import Run, is_drawn


def pixels(path: Path) -> np.ndarray:
    return matplotlib.image.imread(path)


# evaluate


def test_evaluate_finds_the_runs_own_figures_whatever_the_memory(apps, copy, tmp_path):
    own, before = copy.result["figures"], (copy.path / "result.json").read_bytes()
    ended = apps("evaluate", "run=copy", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    (file,) = copy.path.glob("evaluations/*")
    assert file.name == "elbo-1.json"
    found = json.loads(file.read_text())
    assert found["figures"] == {name: figure for name, figure in own.items() if name.startswith("test/")}
    assert (found["checkpoint"], found["step"], found["seed"]) == ("best", copy.result["best_step"], 3)
    assert found["num_samples"] == 1
    assert f"{own['test/log_likelihood']['value']:.2f}" in ended.out
    assert "nats per sequence" in ended.out

    assert apps("evaluate", "run=copy", "memory_gb=1e-6", cwd=tmp_path).code == 0
    for name, figure in json.loads(file.read_text())["figures"].items():
        assert figure["value"] == pytest.approx(own[name]["value"], rel=1e-5)
        assert {**figure, "value": 0, "standard_error": 0} == {**own[name], "value": 0, "standard_error": 0}
    assert (copy.path / "result.json").read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy"]


def test_evaluate_looks_at_another_split_checkpoint_and_seed(apps, copy, tmp_path):
    (copy.path / "checkpoints" / "best.pt").unlink()  # which is not asked for
    ended = apps("evaluate", f"run={copy.path}", "split=valid", "checkpoint=last", "seed=8", cwd=tmp_path)
    assert ended.code == 0, ended.err
    found = json.loads((copy.path / "evaluations" / "elbo-1-valid-last-seed8.json").read_text())
    assert (found["step"], found["seed"]) == (44, 8)
    value = found["figures"]["valid/log_likelihood"]["value"]
    last = copy.metrics[-1]["valid/log_likelihood"]
    assert value != last  # other noise
    assert value == pytest.approx(last, abs=5.0)


# sample


def test_sample_draws_others_with_another_seed(apps, whole, tmp_path):
    assert apps("sample", f"run={whole.path}", "output=other", "seed=4", cwd=tmp_path).code == 0
    for name in ("samples.png", "continuations.png"):
        assert not np.array_equal(pixels(tmp_path / "other" / name), pixels(whole.path / "figures" / name))


def test_sample_writes_to_a_folder_of_its_own_and_is_told_how_long(apps, copy, tmp_path):
    own = {path.name: path.read_bytes() for path in copy.path.glob("figures/*")}
    ended = apps("sample", "run=copy", "num=2", "steps=11", "prefix=4", "split=test", "checkpoint=last", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    (folder,) = copy.path.glob("samples/*")
    assert folder.name == "test-last-44-seed3-num2-steps11-prefix4"
    assert sorted(path.stem for path in folder.glob("*.png")) == ["continuations", "reconstructions", "samples"]
    assert all(map(is_drawn, folder.glob("*.png")))
    assert {path.name: path.read_bytes() for path in copy.path.glob("figures/*")} == own
    assert sorted(path.name for path in tmp_path.iterdir()) == ["copy"]


# What is wrong with a run, or with what is asked of it


def damage(run: Run, name: str) -> None:
    """Something that happens to run directories."""
    best, config = run.path / "checkpoints" / "best.pt", run.path / "config.yaml"
    if name == "truncated":
        best.write_bytes(best.read_bytes()[:1000])
    elif name == "empty":
        best.write_bytes(b"")
    elif name == "missing":
        best.unlink()
    elif name == "other model":
        content = torch.load(best, weights_only=True)
        content["model"]["phi_z.0.weight"] = torch.zeros(3, 3)
        torch.save(content, best)
    elif name == "not a checkpoint":
        torch.save([1, 2], best)
    elif name == "no yaml":
        config.write_text("a: [")
    elif name == "other yaml":
        config.write_text("a: 1\n")
    elif name == "evil":
        config.write_text(config.read_text().replace("vrnn.models.vrnn.VRNN", "os.system"))


@pytest.fixture
def looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Asks for something, without a process, and expects to be refused."""
    register_resolvers()
    monkeypatch.chdir(tmp_path)

    def look(app: str, cfg: DictConfig) -> None:
        require_keys(cfg, app)
        {"evaluate": measure, "sample": sample}[app](cfg, context(app))

    def looked_at(expected: str, apps: Sequence[str] = ("evaluate", "sample"), **arguments: object) -> None:
        for app in apps:
            with initialize_config_dir(str(CONF), version_base="1.3"):
                cfg = OmegaConf.merge(compose(app), {"device": "cpu", **arguments})
            with pytest.raises(UserError) as caught:
                look(app, cfg)
            assert str(caught.value).startswith(expected)

    return looked_at


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("truncated", "copy/checkpoints/best.pt: this is not a whole checkpoint"),
        ("empty", "copy/checkpoints/best.pt: this is not a whole checkpoint"),
        ("missing", "copy/checkpoints/best.pt: there is no such checkpoint"),
        ("other model", "copy/checkpoints/best.pt does not fit the model of copy/config.yaml"),
        ("not a checkpoint", "copy/checkpoints/best.pt"),
        ("no yaml", "copy/config.yaml: this is not a readable YAML file"),
        ("other yaml", "copy/config.yaml: this is not the config of a run"),
        (
            "evil",
            "copy/config.yaml: model._target_=os.system: only vrnn, torch.optim, experiments.tracking may",
        ),
    ],
)
def test_a_damaged_run_is_answered_by_file(looked_at, copy, name, expected):
    damage(copy, name)
    looked_at(expected, run="copy")


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"run": "nowhere"}, "nowhere: there is no such run directory"),
        ({"run": "."}, ".: this is not a run directory"),
        ({"run": 12}, "12: there is no such run directory"),
        ({"split": "dev"}, "split=dev: expected train, valid or test"),
        ({"checkpoint": "first"}, "checkpoint=first: expected best or last"),
        ({"device": "cuda:77"}, "device=cuda:77: device 'cuda:77' is not available"),
        ({"seed": "abc"}, "seed=abc: expected an integer of at least 0, or null, got 'abc'"),
        ({"seed": -1}, "seed=-1: expected an integer of at least 0"),
        ({"root": "/nowhere"}, "data.root: vrnn.data.handwriting.handwriting takes no argument 'root'"),
        ({"apps": ["evaluate"], "memory_gb": 0}, "memory_gb=0: expected a positive number of gigabytes"),
        ({"apps": ["evaluate"], "memory_gb": "much"}, "memory_gb=much: expected a positive number of gigabytes"),
        ({"apps": ["sample"], "num": 0}, "num=0: expected an integer of at least 1"),
        ({"apps": ["sample"], "num": None}, "num=null: expected an integer of at least 1"),
        ({"apps": ["sample"], "steps": 0}, "steps=0: expected an integer of at least 1"),
        ({"apps": ["sample"], "prefix": "half"}, "prefix=half: expected an integer of at least 1"),
        ({"apps": ["sample"], "prefix": 500}, "prefix=500: expected fewer steps than the "),
    ],
)
def test_a_wrong_request_is_answered_by_name(looked_at, copy, arguments, expected):
    looked_at(expected, **{"run": "copy", **arguments})


@pytest.mark.parametrize("app", ["evaluate", "sample"])
def test_a_run_must_be_given(apps, tmp_path, app):
    ended = apps(app, cwd=tmp_path)
    assert ended.code == 1
    assert ended.err == "error: run: no value was given; add run=<value>, --help says what it is\n"
    assert list(tmp_path.iterdir()) == []


# --help


@pytest.mark.parametrize("app", sorted(path.stem for path in CONF.glob("*.yaml")))
def test_help_has_a_line_for_every_option(apps, tmp_path, app):
    ended = apps(app, "--help", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert ended.out.startswith(first_line(CONF / f"{app}.yaml"))
    lines = [" ".join(line.split()) for line in ended.out.splitlines()]
    groups = [path for path in CONF.iterdir() if path.is_dir() and path.name != "hydra"]
    if app != "train":
        groups = [group for group in groups if f"- {group.name}:" in (CONF / f"{app}.yaml").read_text()]
    options = [(group, path) for group in groups for path in group.rglob("*.yaml")]
    for group, path in options:
        assert f"{group.name}={path.relative_to(group).with_suffix('')} {first_line(path)}" in lines
    assert len([line for line in lines if line.split("=")[0] in {group.name for group in groups}]) == len(options)
    assert list(tmp_path.iterdir()) == []
