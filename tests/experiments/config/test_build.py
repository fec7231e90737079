"""What a config may build, and how a wrong value is answered."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from omegaconf import OmegaConf

from experiments.cli.app import CONF
from experiments.config.build import build, check, find_target
from experiments.errors import UserError

MLP = {"_target_": "vrnn.nn.mlp", "in_dim": 3, "widths": [4, 5], "out_dim": 6}
GAUSSIAN = {"_target_": "vrnn.likelihoods.gaussian.Gaussian", "x_dim": 2, "min_std": 1e-4}
LINEAR = {"_target_": "vrnn.objectives.schedules.Linear", "start": 0.5, "end": 1.0, "steps": 4}
ELBO = {"_target_": "vrnn.objectives.elbo.ELBO", "beta": LINEAR, "free_nats": LINEAR}


def message(node: dict[str, Any], **others: Any) -> str:
    """How building a node is refused."""
    with pytest.raises(UserError) as caught:
        build(OmegaConf.create({"node": node, **others}), "node")
    return str(caught.value)


def test_classes_and_functions_of_the_library_and_of_torch_optim_are_built():
    cfg = OmegaConf.create({"node": MLP, "adam": {"_target_": "torch.optim.Adam", "_partial_": True, "lr": 0.25}})
    assert build(cfg, "node")(torch.zeros(2, 3)).shape == (2, 6)
    assert build(cfg, "adam")([torch.zeros(1, requires_grad=True)]).param_groups[0]["lr"] == 0.25


@pytest.mark.parametrize(
    "target",
    [
        pytest.param("os.system", id="outside"),
        pytest.param("builtins.eval", id="built in"),
        pytest.param("subprocess.Popen", id="a class outside"),
        pytest.param("torch.hub.load", id="elsewhere in torch"),
        pytest.param("torch.optim.optimizer.torch.hub.load", id="through a module that an allowed one imports"),
        pytest.param("vrnn.data.images.mnist_files.os.system", id="through a module that one of ours imports"),
        pytest.param("vrnn.data.images.mnist_files.shutil.rmtree", id="a function there"),
        pytest.param("vrnn.data.mnist.Path", id="a class that one of ours imports"),
        pytest.param("vrnn.nn.F.softplus", id="a built-in there"),
        pytest.param("vrnn.nn", id="a module"),
        pytest.param("vrnn.data.images.mnist_files.FILES", id="a constant"),
        pytest.param("vrnn", id="the package"),
        pytest.param("vrnnx.nn.mlp", id="a package of a similar name"),
        pytest.param("experiments.cli.app.launch", id="the app"),
        pytest.param("vrnn.nn.nothing", id="missing"),
        pytest.param("vrnn.nowhere.mlp", id="in a missing module"),
        pytest.param("vrnn..nn", id="malformed"),
        pytest.param(3, id="a number"),
    ],
)
def test_a_target_outside_is_refused_by_name(target: object):
    with pytest.raises(UserError, match=r"node\._target_=.*(may be built|no such class or function)"):
        find_target("node", target)


ADAM = {"_target_": "torch.optim.Adam"}  # any list will do for its params, until it is read
EVIL = {"_target_": "pathlib.Path.touch", "self": "${path:}"}


@pytest.mark.parametrize(
    ("node", "others"),
    [
        pytest.param({**MLP, "in_dim": EVIL}, {}, id="in an argument"),
        pytest.param({**ADAM, "params": [3, EVIL]}, {}, id="in a list"),
        pytest.param({**ADAM, "params": [[{"deep": EVIL}]]}, {}, id="in a dict in a list in a list"),
        pytest.param({**MLP, "in_dim": "${other}"}, {"other": EVIL}, id="where an interpolation leads"),
        pytest.param({**ADAM, "params": ["${other.0.x}"]}, {"other": [{"x": EVIL}]}, id="where one in a list leads"),
        pytest.param({"any": {"node": EVIL}}, {}, id="below a node that is no object"),
        pytest.param({**MLP, "_args_": [EVIL]}, {}, id="in positional arguments"),
        pytest.param(
            {**MLP, "in_dim": {**EVIL, "_target_": "${name}"}}, {"name": EVIL["_target_"]}, id="by another key"
        ),
    ],
)
def test_nothing_outside_is_called_wherever_it_stands(tmp_path: Path, node: dict, others: dict):
    canary = tmp_path / "canary"
    OmegaConf.register_new_resolver("path", lambda: canary, replace=True)
    assert "_target_=pathlib.Path.touch: only vrnn, " in message(node, **others).replace(
        "${name}", others.get("name", "")
    )
    assert not canary.exists()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"in_dim": "three"}, "node.in_dim=three: expected int, got 'three' (str)"),
        ({"in_dim": "3"}, "node.in_dim=3: expected int, got '3' (str)"),
        ({"in_dim": 2.5}, "node.in_dim=2.5: expected int, got 2.5 (float)"),
        ({"in_dim": True}, "node.in_dim=True: expected int, got True (bool)"),
        ({"in_dim": None}, "node.in_dim=null: expected int, got None (NoneType)"),
        ({"out_dim": 2.5}, "node.out_dim=2.5: expected int or null, got 2.5 (float)"),
        ({"widths": 4}, "node.widths=4: expected Sequence[int], got 4 (int)"),
        ({"widths": ["a"]}, "node.widths=['a']: expected Sequence[int], got ['a'] (list)"),
        ({"in_dim": "${size}"}, "size=abc: expected int, got 'abc' (str)"),
        ({"depth": 4}, "node.depth: vrnn.nn.mlp takes no argument 'depth'; it takes in_dim, out_dim, widths"),
        ({"in_dim": "${nowhere}"}, "node.in_dim: Interpolation key 'nowhere' not found"),
        ({"in_dim": "???"}, "node.in_dim: Missing mandatory value: node.in_dim"),
        ({"widths": [3, 0]}, "node: the widths of the layers must be at least 1, got [3, 0]"),
    ],
)
def test_a_wrong_value_is_answered_by_its_own_key(change: dict[str, Any], expected: str):
    assert message({**MLP, **change}, size="abc") == expected


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        pytest.param({**GAUSSIAN, "min_std": 0}, "node.min_std=0: min_std must be positive, got 0", id="its own"),
        pytest.param({**GAUSSIAN, "x_dim": "${sizes.x}"}, "sizes.x=0: x_dim must be at least 1, got 0", id="another's"),
        pytest.param(
            {**ELBO, "free_nats": {**LINEAR, "steps": -1}},
            "node.free_nats.steps=-1: steps must be at least 0, got -1",
            id="the second of two parts with the same arguments",
        ),
        pytest.param(
            {**ELBO, "beta": {**LINEAR, "steps": -2}},
            "node.beta.steps=-2: steps must be at least 0, got -2",
            id="the first of them",
        ),
        pytest.param(
            {**ELBO, "beta": "${part}"},
            "part.steps=-3: steps must be at least 0, got -3",
            id="one that stands elsewhere",
        ),
    ],
)
def test_a_value_out_of_range_is_answered_by_the_key_that_one_would_change(node: dict[str, Any], expected: str):
    assert message(node, sizes={"x": 0}, part={**LINEAR, "steps": -3}).startswith(expected)


@pytest.mark.parametrize(
    ("value", "fits"),
    [(1, True), (0.5, True), (1e-3, True), ("1e-3", False), (True, False), (None, False), ([], False)],
)
def test_a_number_is_read_as_one_and_text_never(value: object, fits: bool):
    cfg = OmegaConf.create({"node": {**LINEAR, "start": value}})
    if fits:
        assert build(cfg, "node")(0) == value
    else:
        with pytest.raises(UserError, match=r"node\.start=.*: expected float, got"):
            check(cfg, "node")


def test_every_argument_that_a_config_can_reach_is_annotated():
    """Or there would be nothing to hold its value to."""
    named = {name for path in CONF.rglob("*.yaml") for name in re.findall(r"_target_: (\S+)", path.read_text())}
    own = [find_target("conf", name) for name in sorted(named) if name.startswith("vrnn.")]
    bare = [
        f"{target.__qualname__}({parameter.name})"
        for target in own
        for parameter in inspect.signature(target).parameters.values()
        if parameter.annotation is parameter.empty
    ]
    assert len(own) >= 10
    assert bare == []
