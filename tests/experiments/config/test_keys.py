"""The table of keys: it covers every config, and identities by it keep the names and results of earlier versions."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.core.global_hydra import GlobalHydra
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from experiments.config.identity import config_hash
from experiments.config.keys import COUNTED_AT_FIRST, KEYS, NOT_IDENTITY, role_of
from experiments.config.paths import CONF
from experiments.config.resolvers import register_resolvers
from experiments.run.directory import RunDirectory
from experiments.run.state import read_job
from experiments.sweep.space import compose_swept_job, read_space
from tests.conf import options

OLD = Path(__file__).parents[2] / "faults" / "old" / "format1"
GROUPS = sorted(folder.name for folder in CONF.iterdir() if folder.is_dir() and folder.name != "hydra")


def leaves(node: object, key: str = "") -> list[str]:
    if not isinstance(node, dict) or not node:
        return [key]
    return [leaf for name, value in node.items() for leaf in leaves(value, f"{key}.{name}".lstrip("."))]


def composed(*overrides: str) -> DictConfig:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        return compose("train", list(overrides))


@pytest.mark.parametrize("choice", [f"{group}={option}" for group in GROUPS for option in options(group)])
def test_every_key_of_every_config_has_a_role(choice: str):
    plain = OmegaConf.to_container(composed(choice), resolve=False)
    assert [key for key in leaves(plain) if role_of(key) is None] == []
    first = {key.partition(".")[0] for key in leaves(plain)}
    assert first <= {key.partition(".")[0] for key in KEYS}


def test_no_part_of_the_table_contradicts_another():
    assert not [key for key in COUNTED_AT_FIRST if KEYS[key].numbers or not KEYS[key].resume]
    for key in ("seed", "latent", "data", "model", "optimizer", "trainer", "multirun.stop_below"):
        assert KEYS[key].numbers
    assert {"trainer.log_every", "data.root", "logger", "multirun.view", "resume"} <= set(NOT_IDENTITY)


def old_jobs() -> list[Path]:
    folders = [OLD / name for name in ("finished", "audio")] + sorted(OLD.glob("outputs/*/*/*"))
    return [folder for folder in folders if (folder / "result.json").is_file()]


@pytest.mark.parametrize("folder", old_jobs(), ids=lambda folder: folder.name)
def test_a_result_of_the_first_rule_is_known_by_its_config(folder: Path):
    run = RunDirectory(folder)
    cfg, recorded = run.read_config(), run.read_result()["config_hash"]
    assert recorded == config_hash(cfg, rule=1) != config_hash(cfg)
    state = read_job(run).state
    assert read_job(run, config_hash(cfg)).state == state != "stale"
    cfg.trainer.log_every, cfg.trainer.eval_batch_size = 7, 11
    assert read_job(run, config_hash(cfg)).state == state
    cfg.optimizer.lr = 0.5
    assert read_job(run, config_hash(cfg)).state == "stale"


@pytest.mark.parametrize(
    ("command", "name"),
    [
        (["seed=0,1"], "train-73083b81"),
        (["data=handwriting", "trainer=debug", "latent.z_dim=2,3"], "train-9d0adf73"),
        (["experiment=mnist_rows", "optimizer.lr=1e-3,2e-3", "trainer.log_every=5"], "mnist_rows-d142e6cd"),
    ],
)
def test_multiruns_are_called_as_ever(command: list[str], name: str):
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        loader = GlobalHydra.instance().config_loader()
        config = loader.load_configuration("train", command, run_mode=RunMode.MULTIRUN)
        space = read_space(config, loader, is_grid=True)
        cfg = compose_swept_job(loader, config, space.first_job)
    assert space.directory(cfg) == Path("outputs/sweeps") / name


@pytest.mark.parametrize(
    ("overrides", "recorded"),
    [
        ([], "06a91e6314e96ba8"),
        (["model=rnn", "recurrence=lstm"], "7f8aea14ec4dc06b"),
        (["comparison=gaussian/rnn_gauss"], "9fb6e327e40b75d4"),
    ],
)
def test_keys_that_were_added_since_change_no_identity_at_their_first_value(overrides: list[str], recorded: str):
    """As version 0.2.0 had them: so a multirun finds the jobs that are done."""
    assert config_hash(composed(*overrides)) == recorded
