"""Every file in conf/, as it is found there: it composes, builds, trains, and has no key that nothing reads."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from hydra import initialize_config_dir
from omegaconf import DictConfig, OmegaConf

from experiments.cli.app import CONF
from experiments.cli.help import first_line
from experiments.config.build import build, check
from experiments.config.keys import PARTS
from experiments.config.resolvers import register_resolvers
from tests.conf import composed, options, overridden, raw
from tests.datasets import SmallDataset

FILES = sorted(CONF.rglob("*.yaml"))
GROUPS = sorted(folder.name for folder in CONF.iterdir() if folder.is_dir() and folder.name != "hydra")


@pytest.fixture(scope="module", autouse=True)
def hydra() -> Iterator[None]:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


@pytest.fixture
def train(
    small_dataset: Callable[[str], SmallDataset], tmp_path: Path
) -> Callable[..., tuple[DictConfig, torch.nn.Module]]:
    """Two updates with a dataset and further overrides; the config and the model."""

    def train(dataset: str, *overrides: str) -> tuple[DictConfig, torch.nn.Module]:
        small = small_dataset(dataset)
        splits = small.splits
        debug = ("trainer=debug", "trainer.max_steps=2", "trainer.batch_size=3", "trainer.device=cpu")
        cfg = composed(*small.overrides, *debug, *overrides)
        torch.manual_seed(0)
        model = build(cfg, "model")
        model.likelihood.check(splits.train.values)
        before = [parameter.detach().clone() for parameter in model.parameters()]
        objective, optimizer, schedule = (build(cfg, node) for node in ("objective", "optimizer", "schedule"))
        rest = {"seed": 0, "directory": tmp_path, "observers": []}
        progress = build(cfg, "trainer").fit(model, objective, splits, optimizer, schedule, **rest)
        assert progress.step == 2
        assert math.isfinite(progress.best)
        assert all(not torch.equal(old, new) for old, new in zip(before, model.parameters(), strict=True))
        return cfg, model

    return train


# Every file


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(CONF)))
def test_line_1_is_a_sentence_that_help_can_print(path: Path):
    line = next(line for line in path.read_text().splitlines() if not line.startswith("# @package"))
    assert line.startswith("# ")
    assert first_line(path) == line.removeprefix("# ")
    assert len(line.split()) > 3


@pytest.mark.parametrize("choice", [f"{group}={option}" for group in GROUPS for option in options(group)])
def test_every_option_composes_without_gaps_and_each_of_its_keys_is_read(choice: str):
    group, _, option = choice.partition("=")
    # A figure may read its data's keys, and a likelihood be for such data only, so each is looked at beside data that
    # bring it.
    wanted = {group: option, **(overridden(group, option) if group != "data" else {})}
    data = [f"data={name}" for name in options("data") if overridden("data", name).items() & wanted.items()]
    cfg = composed(*data[:1], choice)
    assert OmegaConf.to_container(cfg, resolve=True, throw_on_missing=True)["trainer"]
    for node in PARTS:
        check(cfg, node)


@pytest.mark.parametrize("app", sorted(path.stem for path in CONF.glob("*.yaml")))
def test_every_key_of_an_app_is_read_and_has_a_value_or_must_be_given(app: str):
    own = {key: value for key, value in raw(".", app).items() if key not in ("defaults", "hydra")}
    assert OmegaConf.missing_keys(composed(app=app)) == {key for key, value in own.items() if value == "???"}
    sources = "".join(path.read_text() for path in CONF.with_name("experiments").rglob("*.py"))
    ways = ("cfg.{}", "asked.{}", "asked.{}", 'cfg.get("{}")', 'value_of("{}"')
    assert [key for key in own if not any(way.format(key) in sources for way in ways)] == []


def test_every_object_of_the_config_is_checked_before_a_job_starts():
    objects = {name for name, node in composed().items() if OmegaConf.is_dict(node) and "_target_" in node}
    assert objects == set(PARTS)


def test_all_sizes_of_latent_are_read_by_some_other_file():
    text = "".join(path.read_text() for path in FILES)
    for option in options("latent"):
        assert [key for key in raw("latent", option) if f"${{latent.{key}}}" not in text] == []


# What they build


@pytest.mark.parametrize("dataset", options("data"))
@pytest.mark.parametrize(("recurrence", "latent"), [*itertools.product(["gru", "lstm"], ["tiny", "small"])])
def test_every_dataset_trains_with_its_natural_likelihood(train, dataset: str, recurrence: str, latent: str):
    cfg, model = train(dataset, f"recurrence={recurrence}", f"latent={latent}")
    sizes = raw("latent", latent)
    assert (model.z_dim, model.recurrence.h_dim) == (sizes["z_dim"], sizes["h_dim"])
    assert type(model.recurrence).__name__.lower() == recurrence
    assert model.likelihood.x_dim == cfg.data.x_dim


@pytest.mark.parametrize(
    "choice", [f"{group}={option}" for group in ("model", "objective", "logger") for option in options(group)]
)
def test_every_model_and_objective_trains_and_every_logger_builds(train, choice: str):
    cfg, _ = train("handwriting", choice, "latent=tiny")
    assert callable(build(cfg, "logger").open)


@pytest.mark.parametrize("emission", options("emission"))
@pytest.mark.parametrize("dataset", ["speech", "pianoroll"])
def test_every_emission_trains(train, dataset: str, emission: str):
    cfg, model = train(dataset, f"emission={emission}", "latent=tiny")
    assert model.likelihood.plain.label == build(cfg, "likelihood").label
    assert (model.likelihood is model.likelihood.plain) == (emission == "factorised")


@pytest.mark.parametrize("likelihood", options("likelihood"))
def test_every_likelihood_gives_nats(likelihood: str):
    built = build(composed("data=handwriting", f"likelihood={likelihood}"), "likelihood")
    nats = built(built.initial_params().expand(4, 5, -1)).log_prob(torch.ones(4, 5, built.x_dim))
    assert nats.shape == (4, 5)
    assert nats.isfinite().all()


@pytest.mark.parametrize(("optimizer", "schedule"), [*itertools.product(options("optimizer"), options("schedule"))])
def test_every_optimizer_steps_under_every_schedule(optimizer: str, schedule: str):
    cfg = composed(f"optimizer={optimizer}", f"schedule={schedule}")
    factors = [build(cfg, "schedule")(step, 20) for step in range(20)]
    assert 0.0 <= min(factors) <= max(factors) == pytest.approx(0.9, abs=0.1 + 1e-6)  # the peak, at most 1
    weight = torch.ones(3, requires_grad=True)
    built = build(cfg, "optimizer")([weight])
    assert built.param_groups[0]["lr"] == cfg.optimizer.lr
    weight.square().sum().backward()
    built.step()
    assert (weight < 1.0).all()


def test_x_dim_is_typed_in_the_data_only():
    cfg = composed("data.x_dim=17")
    assert (cfg.model.x_dim, cfg.likelihood.x_dim, cfg.model.likelihood.x_dim) == (17, 17, 17)
    for text in (path.read_text() for path in FILES if path.parent.name != "data"):
        assert text.count("x_dim:") == text.count("x_dim: ${data.x_dim}")
