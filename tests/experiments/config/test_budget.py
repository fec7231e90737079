"""Equal numbers of parameters for models of different kinds."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hydra import compose, initialize_config_dir

from experiments.config.budget import matched_width, num_parameters
from experiments.config.build import build
from experiments.config.paths import CONF
from experiments.config.resolvers import register_resolvers

LINEUPS = {"speech": "gaussian", "handwriting": "bivariate_gmm", "mnist": "bernoulli"}


@pytest.fixture(scope="module", autouse=True)
def hydra() -> Iterator[None]:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


def rows(lineup: str) -> list[str]:
    return sorted(f"{lineup}/{path.stem}" for path in (CONF / "comparison" / lineup).glob("*.yaml"))


@pytest.mark.parametrize("dataset", LINEUPS)
def test_the_rows_of_a_comparison_have_equal_numbers_of_parameters(dataset: str):
    counts = [
        num_parameters(compose("train", [f"data={dataset}", f"comparison={row}"])) for row in rows(LINEUPS[dataset])
    ]
    assert len(counts) >= 3
    assert max(counts) < 1.03 * min(counts)


@pytest.mark.parametrize("experiment", ["synthetic_speech", "piano_rolls"])
def test_the_family_has_equal_numbers_of_parameters_under_the_likelihood_of_each_dataset(experiment: str):
    composed = [compose("train", [f"experiment=family/{experiment}", f"comparison={row}"]) for row in rows("family")]
    assert len(composed) == 7
    counts = [num_parameters(cfg) for cfg in composed]
    assert max(counts) < 1.03 * min(counts)


@pytest.mark.parametrize("data", [("data=speech",), ("data=mnist", "latent=tiny"), ("data=pianoroll",)])
def test_emissions_that_see_inside_the_frame_have_no_more_parameters(data: tuple[str, ...]):
    base = ["experiment=compare_inside_the_frame", *data]
    composed = [compose("train", [*base, f"comparison={row}"]) for row in rows("inside_the_frame")]
    counts = [num_parameters(cfg) for cfg in composed]
    assert len(counts) == 4
    assert max(counts) < 1.03 * min(counts)


@pytest.mark.parametrize("row", rows("gaussian"))
def test_the_width_is_the_best_of_all(row: str):
    budget = num_parameters(compose("train", ["model=vrnn", "latent=tiny"]))
    chosen = ["latent=tiny", f"comparison={row}"]
    width = compose("train", chosen).net_width
    assert 8 < width < 60
    errors = {
        w: abs(num_parameters(compose("train", [*chosen, f"net_width={w}"])) - budget)
        for w in range(width - 2, width + 3)
    }
    assert errors[width] == min(errors.values())


def test_a_model_matches_itself():
    cfg = compose("train", ["latent=tiny", "latent.width=27"])
    assert matched_width("vrnn", "gaussian", _root_=cfg) == 27


def test_counting_makes_what_building_would():
    cfg = compose("train", ["latent=tiny", "model=rnn", "likelihood=gmm", "recurrence=lstm", "initialisation=paper"])
    assert num_parameters(cfg) == build(cfg, "model").num_parameters
    assert all(not parameter.is_meta for parameter in build(cfg, "model").parameters())


@pytest.mark.parametrize("corpus", ["blizzard", "timit", "iamondb"])
def test_the_papers_models_have_about_equal_numbers_of_parameters(corpus: str):
    lineup = "paper_handwriting" if corpus == "iamondb" else "paper_speech"
    base = [f"experiment=paper/{corpus}"]
    counts = [num_parameters(compose("train", [*base, f"comparison={row}"])) for row in rows(lineup)]
    assert max(counts) < 1.3 * min(counts)
