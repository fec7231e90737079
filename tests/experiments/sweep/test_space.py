"""What a command line and a sweep's YAML make of each other: which jobs there are, what they are called, and where."""

from __future__ import annotations

import math
from pathlib import Path
from types import SimpleNamespace

import joblib
import pytest
from hydra.errors import HydraException
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from experiments.config.resolvers import register_resolvers
from experiments.errors import UserError
from experiments.sweep.multirun import Multirun
from experiments.sweep.plan import SweepPlan
from experiments.sweep.space import compose_swept_job, read_space
from tests.conf import options
from tests.experiments.sweep.prepared import composed_run, hydra, prepare, space

BASE = ("latent=tiny", "optimizer.lr=1e-3", "seed=0,1")
SEARCH = ("sweep=search",)


@pytest.fixture(autouse=True)
def _resolvers() -> None:
    register_resolvers()


def first(*words: str) -> DictConfig:
    """The config of the first job."""
    with hydra(words) as (config, loader):
        found = read_space(config, loader, is_grid=config.hydra.sweeper._target_.endswith(".GridSweeper"))
        return compose_swept_job(loader, config, found.first_job)


def place(*words: str) -> Path:
    return space(*words).directory(first(*words))


# Where


def test_the_directory_is_that_of_the_base_config_and_the_search_space():
    here = place(*BASE)
    assert here.parent == Path("outputs/sweeps")
    assert place(*reversed(BASE)) == here
    assert place(*BASE[:2], "seed=1,0") == place(*BASE[:2], "seed=range(0,2)") == place(*BASE[:2], "seed=0,1,0") == here
    followed = ("logger=none", "hydra/launcher=joblib", "trainer.device=cpu", "trainer.test=false", "label=mine")
    assert place(*followed, *BASE, "multirun.max_parallel=3", "multirun.fail_fast=true", "multirun.view=table") == here
    others = [
        place("latent=small", *BASE[1:]),
        place(*BASE[:2], "seed=0,2"),
        place("latent=tiny", "optimizer.lr=2e-3", "seed=0,1"),
        place("latent=tiny", "optimizer.lr=1e-3,2e-3", "seed=0,1"),
        place(*BASE, "multirun.stop_below={quantile:0.5,after:1,jobs:2}"),
        place(*BASE, "experiment=mnist_rows"),
    ]
    assert len({here, *others}) == len(others) + 1
    assert others[-1].name.startswith("mnist_rows-")


def test_a_searchs_directory_is_that_of_its_sampler_too_but_not_of_its_length():
    here = place(*SEARCH)
    assert here.name.startswith("search-")
    assert place(*SEARCH, "hydra.sweeper.n_trials=7", "hydra/launcher=basic", "multirun.max_parallel=1") == here
    others = [
        place(*SEARCH, "hydra.sweeper.sampler.seed=1"),
        place(*SEARCH, "hydra/sweeper/sampler=random"),
        place(*SEARCH, "latent.z_dim=2,4"),
        place(*SEARCH, "latent.z_dim=2"),
        place(*SEARCH, "optimizer=adamw"),
    ]
    assert len({here, *others}) == len(others) + 1


def test_a_key_that_only_the_swept_options_have_is_no_hindrance():
    assert place("data=fsdd,audio", "data.root=choice(/there)").name.startswith("train-")
    assert place("objective=iwae", "objective.num_samples=5,10").name.startswith("train-")


# Which jobs


@pytest.mark.parametrize(
    ("words", "points"),
    [
        (["seed=range(1,4)"], [{"seed": value} for value in "123"]),
        (["trainer.batch_size=range(4,10,2)"], [{"trainer.batch_size": value} for value in "468"]),
        (["latent=glob(*)"], [{"latent": option} for option in options("latent")]),
        (["latent=glob(*,exclude=[l*,m*])"], [{"latent": "small"}, {"latent": "tiny"}]),
        (["+optimizer.amsgrad=true,false"], [{"+optimizer.amsgrad": "True"}, {"+optimizer.amsgrad": "False"}]),
        (
            ["seed=1,2", "latent=tiny", "latent.z_dim=3,4"],
            [{"seed": seed, "latent.z_dim": size} for seed in "12" for size in "34"],
        ),
        (["label='a, b',c"], [{"label": "'a, b'"}, {"label": "c"}]),
        (["model.phi_x=[8],[8,9]"], [{"model.phi_x": "[8]"}, {"model.phi_x": "[8,9]"}]),
        (["latent=tiny", "seed=0"], [{}]),
        (["seed=1,0,1"], [{"seed": "1"}, {"seed": "0"}]),
    ],
)
def test_the_jobs_are_those_that_hydra_makes_under_the_names_that_hydra_gives(words, points):
    found = space(*words)
    assert found.points == points
    plan = SweepPlan(Path("here"), "", found.shared, found.keys, found.points, None)
    names = [plan.name(point) for point in points]
    assert len(set(names)) == len(names) == plan.total
    with hydra(words) as (config, loader):
        subdir = f"hydra.sweep.subdir=${{job_name:{','.join(found.keys) or '-'}}}"
        # What a multirun adds for itself is among a job's overrides, and is not in its name.
        job = [f"{key}={value}" for key, value in points[-1].items()]
        cfg = compose_swept_job(
            loader, config, ["multirun.view=lines", subdir, *found.shared, "trainer.test=false", *job]
        )
        assert cfg.hydra.sweep.subdir == names[-1]


@pytest.mark.parametrize("option", options("sweep"))
def test_a_sweeps_yaml_is_a_multirun_by_itself_of_what_it_names(option: str):
    assert composed_run(f"sweep={option}").hydra.mode == RunMode.MULTIRUN
    found, cfg = space(f"sweep={option}"), first(f"sweep={option}")
    params = cfg.hydra.sweeper.params
    assert found.keys == sorted(params)
    assert found.directory(cfg).name.startswith(f"{option}-")
    trials = None if found.is_grid else cfg.hydra.sweeper.n_trials
    plan = SweepPlan(Path("here"), "", found.shared, found.keys, found.points, trials)
    if found.is_grid:
        assert len(found.points) == math.prod(len(str(value).split(",")) for value in params.values())
    else:
        assert (found.points, plan.total) == ([], trials)
    assert len({plan.name(point) for point in found.points}) == len(found.points)


def test_everything_in_a_sweeps_yaml_can_be_typed_otherwise():
    assert first("sweep=latent_grid").hydra.runtime.choices["hydra/launcher"] == "joblib"
    words = ("sweep=latent_grid", "hydra/launcher=basic", "seed=7", "latent.z_dim=3,5,6", "trainer.test=true")
    typed, cfg = space(*words), first(*words)
    assert typed.keys == ["latent.h_dim", "latent.z_dim"]
    assert [point["latent.z_dim"] for point in typed.points] == ["3", "3", "5", "5", "6", "6"]
    assert "seed=7" in typed.shared
    assert cfg.seed == 7
    assert cfg.trainer.test
    assert cfg.hydra.runtime.choices["hydra/launcher"] == "basic"
    assert typed.directory(cfg) != place("sweep=latent_grid")
    assert not space("sweep=latent_grid", "hydra/sweeper=search", "hydra.sweeper.n_trials=3").is_grid
    words = ("sweep=search", "hydra.sweeper.n_trials=9", "hydra.sweeper.sampler.seed=4", "latent.z_dim=2")
    sweeper = first(*words).hydra.sweeper
    assert (sweeper.n_trials, sweeper.sampler.seed) == (9, 4)
    assert "latent.z_dim" not in space(*words).keys
    grid = ("optimizer.lr=1e-3", "objective.beta.start=0,1", "objective.beta.steps=64", "trainer.batch_size=16")
    grid = space("sweep=search", "hydra/sweeper=grid", *grid, "latent.z_dim=2", "latent.h_dim=16,32")
    assert (grid.is_grid, len(grid.points)) == (True, 4)
    sweeper = first("sweep=search", "hydra/sweeper/sampler=random").hydra.sweeper
    found = (sweeper.sampler._target_, sweeper.sampler.seed, sweeper.n_trials)
    assert found == ("optuna.samplers.RandomSampler", 0, 20)


def test_values_that_go_together_are_crossed_with_the_others():
    together = "hydra.sweeper.points=[{latent.z_dim:2,latent.h_dim:32},{model:rnn,+optimizer.amsgrad:true}]"
    found = space(together, "seed=0,1")
    assert found.keys == ["+optimizer.amsgrad", "latent.h_dim", "latent.z_dim", "model", "seed"]
    pair, other = {"latent.z_dim": "2", "latent.h_dim": "32"}, {"model": "rnn", "+optimizer.amsgrad": "true"}
    assert found.points == [{**point, "seed": seed} for point in (pair, other) for seed in "01"]
    with pytest.raises(UserError, match=r"latent.z_dim=4: hydra.sweeper.points gives latent.z_dim its values"):
        space(together, "latent.z_dim=4")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["sweep=latent_grid", "++latent.z_dim=4"], "++latent.z_dim=4: latent.z_dim is given as well"),
        (["sweep=latent_grid", "~latent.z_dim"], "~latent.z_dim: latent.z_dim is given as well"),
        (["seed=0,1", "++seed=3"], "++seed=3: seed is given as well"),
        (["sweep=latent_grid,search"], "sweep=latent_grid,search: expected one sweep"),
        (["sweep=latent_grid", "resume=there"], "resume=there: one run goes on at a time"),
        (["multirun.view=table,lines"], "multirun.view=table,lines: it is of all jobs together"),
    ],
)
def test_what_is_no_search_space_is_refused_by_name(words: list[str], expected: str):
    with pytest.raises(UserError) as caught:
        space(*words)
    assert str(caught.value).startswith(expected)


@pytest.mark.parametrize("words", [["seed=0"], ["sweep=latent_grid", "hydra.mode=RUN"], []])
def test_what_asks_for_one_run_is_none(words: list[str]):
    assert composed_run(*words).hydra.mode != RunMode.MULTIRUN


@pytest.mark.parametrize("words", [["no.such.key=1,2"], ["latent=nosuch,tiny"]])
def test_what_does_not_compose_is_refused(words: list[str]):
    with pytest.raises((HydraException, UserError), match=r"no.?such"):
        prepare(*words)


@pytest.mark.parametrize("word", ["model=glob(x*)", "data=glob(nothing)"])
def test_a_pattern_that_nothing_matches_is_named(word):
    with pytest.raises(UserError) as refused:
        space(word, "seed=0,1")
    assert str(refused.value).startswith(f"{word}: nothing matches it")


@pytest.mark.parametrize(("typed", "jobs"), [(3, 3), (-1, joblib.cpu_count()), (-2, max(1, joblib.cpu_count() - 1))])
def test_jobs_at_a_time_are_those_of_the_launcher(typed: int, jobs: int):
    multirun = SimpleNamespace(cfg=OmegaConf.create({"hydra": {"launcher": {"n_jobs": typed}}}))
    assert Multirun.number_in_parallel(multirun, ["hydra.launcher.n_jobs"]) == jobs
