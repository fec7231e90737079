"""Which of several values wins: a dataset's natural choices, an experiment, a row of a comparison, the command line."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from hydra import initialize_config_dir
from omegaconf import OmegaConf

from experiments.cli.help import first_line
from experiments.config.build import check
from experiments.config.keys import PARTS
from experiments.config.paths import CONF
from experiments.config.resolvers import register_resolvers
from tests.conf import chosen, composed, options, overridden, raw


@pytest.fixture(scope="module", autouse=True)
def hydra() -> Iterator[None]:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


@pytest.mark.parametrize("dataset", options("data"))
def test_the_command_line_wins_over_a_datasets_natural_choices(dataset: str):
    likelihoods, pictures = options("likelihood"), options("figures")
    pairs = zip(itertools.cycle(likelihoods), itertools.cycle(pictures), strict=False)
    for number, (likelihood, figure) in enumerate(itertools.islice(pairs, max(len(likelihoods), len(pictures)))):
        overrides = [f"likelihood={likelihood}", f"figures={figure}", f"data={dataset}"]
        cfg = composed(*(overrides if number % 2 else reversed(overrides)))  # in whatever order
        for group, option in (("likelihood", likelihood), ("figures", figure)):
            assert cfg[group]._target_ == raw(group, option)["_target_"]


@pytest.mark.parametrize("dataset", options("data"))
def test_a_dataset_brings_its_likelihood_and_figures(dataset: str):
    choices, natural = chosen(f"data={dataset}"), overridden("data", dataset)
    assert natural.keys() >= {"likelihood", "figures"}
    assert {group: choices[group] for group in natural} == natural


def leaves(node: dict[str, Any], path: str = "") -> Iterator[tuple[str, Any]]:
    """All values of a file, with their keys as one types them."""
    for name, value in node.items():
        if isinstance(value, dict):
            yield from leaves(value, f"{path}{name}.")
        elif name != "defaults":
            yield f"{path}{name}", value


@pytest.mark.parametrize("experiment", options("experiment"))
def test_an_experiment_wins_over_the_defaults_and_the_command_line_over_both(experiment: str):
    own = raw("experiment", experiment)
    choices = chosen(f"experiment={experiment}")
    expected = overridden("data", choices["data"]) | overridden("experiment", experiment)
    assert {group: choices[group] for group in expected} == expected
    assert {
        group: choices[group] for group in chosen() if group not in {"experiment", *expected}
    }.items() <= chosen().items()
    cfg, values = composed(f"experiment={experiment}"), dict(leaves(own))
    typed = composed(*(f"{key}=7" for key in values), f"experiment={experiment}")
    for key, value in values.items():
        assert OmegaConf.select(cfg, key) == value or "${" in str(value)
        assert OmegaConf.select(typed, key) == 7
    assert chosen("data=speech", f"experiment={experiment}")["data"] == "speech"
    assert f"experiment={experiment}" in first_line(CONF / "experiment" / f"{experiment}.yaml")
    for node in PARTS:
        check(cfg, node)


@pytest.mark.parametrize("row", options("comparison"))
def test_a_row_of_a_comparison_wins_over_an_experiment_and_has_a_label(row: str):
    lineup = row.partition("/")[0]
    base = {
        "gaussian": "data=fsdd",
        "bivariate_gmm": "data=omniglot",
        "bernoulli": "experiment=mnist_static",
        "paper_speech": "experiment=paper/blizzard",
        "paper_handwriting": "experiment=paper/iamondb",
        "family": "experiment=family/strokes",
        "inside_the_frame": "experiment=compare_inside_the_frame",
    }[lineup]
    choices = chosen(base, f"comparison={row}")
    assert {group: choices[group] for group in overridden("comparison", row)} == overridden("comparison", row)
    cfg = composed(base, f"comparison={row}")
    for key, value in leaves(raw("comparison", row)):
        assert OmegaConf.select(cfg, key) == value or "${" in str(value)
    assert first_line(CONF / "comparison" / f"{row}.yaml").startswith(cfg.label)
    for node in PARTS:
        check(cfg, node)
