"""Published numbers: only beside runs that they compare with."""

from __future__ import annotations

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

from experiments.config.paths import CONF
from experiments.config.resolvers import register_resolvers
from experiments.report.comparison.published import find_published, literature

# The experiment of the suite whose runs stand beside the numbers.
EXPERIMENTS = {
    "mnist": "mnist_static",
    "blizzard": "paper/blizzard",
    "timit": "paper/timit",
    "iamondb": "paper/iamondb",
}


@pytest.fixture(scope="module", autouse=True)
def hydra():
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


@pytest.mark.parametrize("dataset", literature())
def test_an_experiment_is_comparable_and_every_requirement_counts(dataset):
    config = compose("train", [f"experiment={EXPERIMENTS[dataset]}"])
    published = find_published(config)
    assert published is literature()[dataset]
    assert published.differences(config) == []
    for key in published.requires:
        other = OmegaConf.merge(config)
        OmegaConf.update(other, key, "other")
        (difference,) = published.differences(other)
        assert difference == f"{key}=other, not {published.requires[key]}"


def test_no_numbers_for_other_data():
    assert find_published(compose("train", ["data=handwriting"])) is None
    grey = compose("train", ["data=mnist", "data.binarize=none"])
    assert find_published(grey).differences(grey) == ["data.binarize=none, not static"]


def test_a_run_made_before_a_requirement_had_a_key_meets_it():
    config = compose("train", ["experiment=mnist_static"])
    del config.data.verify
    assert find_published(config).differences(config) == []
    other = compose("train", ["experiment=mnist_static", "data.verify=false"])
    assert find_published(other).differences(other) == ["data.verify=False, not True"]


def test_the_papers_numbers():
    timit = literature()["timit"].rows
    assert [value.value for value in timit["VRNN-GMM"]] == [28982, 29604]
    assert [value.kind for value in timit["VRNN-GMM"]] == ["lower_bound", "estimate"]
    assert timit["RNN-Gauss"][0].verified
    assert not any(value.verified for values in literature()["iamondb"].rows.values() for value in values)
    for published in literature().values():
        for values in published.rows.values():
            assert len({value.kind == "estimate" for value in values}) == len(values)  # one of each at most
