"""Adam by the fused kernel alone: the numbers and the state of torch.optim, bit for bit."""

from __future__ import annotations

import copy
import functools
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn

from vrnn.training.adam import Adam, make_optimizer
from vrnn.training.gradient import clip_gradient

SHAPES = [(7, 5), (33,), (1,), (4, 3, 2), (130, 9)]  # with tails of every vector width
OPTIONS = {
    "adam": functools.partial(torch.optim.Adam, lr=1e-2, fused=True),
    "adam, decay": functools.partial(torch.optim.Adam, lr=1e-2, betas=(0.8, 0.99), weight_decay=0.1, fused=True),
    "adamw": functools.partial(torch.optim.AdamW, lr=1e-2, eps=1e-3, weight_decay=0.1, fused=True),
}
each = pytest.mark.parametrize("build", OPTIONS.values(), ids=OPTIONS)


def weights() -> list[Tensor]:
    generator = torch.Generator().manual_seed(0)
    return [torch.randn(shape, generator=generator).requires_grad_() for shape in SHAPES]


def update(optimizer, parameters: list[Tensor], steps: range) -> None:
    """Steps with gradients of their own each; the last parameter has none before step 2."""
    for step in steps:
        generator = torch.Generator().manual_seed(step + 1)
        for number, parameter in enumerate(parameters):
            grad = torch.randn(parameter.shape, generator=generator)
            parameter.grad = None if step < 2 and number == len(parameters) - 1 else grad
        optimizer.param_groups[0]["lr"] = 1e-2 / (step + 1)
        optimizer.step()


def assert_same(found: list[Tensor], expected: list[Tensor]) -> None:
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(found, expected, strict=True))


@each
def test_its_steps_and_its_state_are_those_of_torch(build):
    ours, theirs = weights(), weights()
    optimizer, reference = make_optimizer(build, ours), build(theirs)
    assert isinstance(optimizer, Adam)
    for steps in (range(1), range(1, 5)):
        update(optimizer, ours, steps)
        update(reference, theirs, steps)
        assert_same(ours, theirs)
        mine, expected = optimizer.state_dict(), reference.state_dict()
        assert mine["param_groups"] == expected["param_groups"]
        assert mine["state"].keys() == expected["state"].keys()
        for number, state in expected["state"].items():
            assert mine["state"][number].keys() == state.keys()
            assert_same(list(mine["state"][number].values()), list(state.values()))


@each
@pytest.mark.parametrize("first", ["ours", "torch's"])
def test_each_goes_on_from_what_the_other_has_saved(build, first):
    ours, theirs = weights(), weights()
    optimizer, reference = make_optimizer(build, ours), build(theirs)
    update(reference, theirs, range(5))
    saver, other = (optimizer, build) if first == "ours" else (build(ours), functools.partial(make_optimizer, build))
    update(saver, ours, range(3))
    saved = copy.deepcopy(saver.state_dict())
    heir = other(ours)
    heir.load_state_dict(saved)
    update(heir, ours, range(3, 5))
    assert_same(ours, theirs)
    found, expected = (each.state_dict()["state"] for each in (heir, reference))
    for number, state in expected.items():
        assert_same(list(found[number].values()), list(state.values()))


def test_a_loaded_state_is_a_copy():
    parameters = weights()
    optimizer = make_optimizer(OPTIONS["adam"], parameters)
    update(optimizer, parameters, range(3))
    saved = optimizer.state_dict()
    before = copy.deepcopy(saved["state"])
    heir = make_optimizer(OPTIONS["adam"], parameters)
    heir.load_state_dict(saved)
    update(heir, parameters, range(3, 4))
    for number, state in before.items():
        assert_same(list(saved["state"][number].values()), list(state.values()))


@pytest.mark.parametrize(
    "build",
    [
        functools.partial(torch.optim.SGD, lr=0.1),
        functools.partial(torch.optim.Adam, lr=0.1),
        functools.partial(torch.optim.Adam, lr=0.1, fused=True, amsgrad=True),
        functools.partial(torch.optim.AdamW, lr=0.1, fused=True, maximize=True),
        functools.partial(torch.optim.NAdam, lr=0.1),
    ],
)
def test_every_other_optimizer_is_torchs_own(build):
    optimizer = make_optimizer(build, weights())
    assert type(optimizer) is build.func


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lr": -1.0}, "learning rate: -1.0"),
        ({"betas": [0.9, 1.0]}, "beta parameter at index 1"),
        ({"eps": -1e-8}, "epsilon"),
        ({"momentum": 0.9}, "momentum"),
    ],
)
def test_a_wrong_option_is_refused_in_torchs_words(options, message):
    with pytest.raises((ValueError, TypeError), match=message):
        make_optimizer(functools.partial(torch.optim.Adam, fused=True, **options), weights())


def test_a_state_of_other_parameters_is_refused():
    state = make_optimizer(OPTIONS["adam"], weights()).state_dict()
    with pytest.raises(ValueError, match="2 parameters in one group was expected"):
        make_optimizer(OPTIONS["adam"], weights()[:2]).load_state_dict(state)


@pytest.mark.parametrize("max_norm", [0.5, 1e3, float("inf")])
@pytest.mark.parametrize("value", [None, float("nan"), float("inf")])
def test_the_clip_is_that_of_torch(max_norm, value):
    ours, theirs = weights(), weights()
    for parameters in (ours, theirs):
        update(torch.optim.SGD(parameters, lr=0.0), parameters, range(1))
        if value is not None:
            parameters[1].grad[3] = value
    norm, expected = clip_gradient(ours, max_norm), nn.utils.clip_grad_norm_(theirs, max_norm)
    torch.testing.assert_close(norm, expected, rtol=0.0, atol=0.0, equal_nan=True)
    for mine, other in zip(ours[:-1], theirs[:-1], strict=True):
        torch.testing.assert_close(mine.grad, other.grad, rtol=0.0, atol=0.0, equal_nan=True)


def test_an_update_imports_no_compiler():
    """torch's takes more than a second, of every start."""
    code = """
import functools, sys, torch
from hydra import compose, initialize_config_dir
from experiments.config.paths import CONF
from experiments.config.resolvers import register_resolvers
from experiments.config.sizes import build_model
from vrnn.training.adam import make_optimizer
register_resolvers()
with initialize_config_dir(str(CONF), version_base="1.3"):
    model = build_model(compose("train", ["latent=tiny", "data.x_dim=2"]))
optimizer = make_optimizer(functools.partial(torch.optim.Adam, fused=True), model.parameters())
next(model.parameters()).sum().backward()
optimizer.step()
print(*{"torch._dynamo", "sympy"} & set(sys.modules))
"""
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == ""
