"""MNIST: splits, binarisations, layouts; the real data where given."""

from __future__ import annotations

import inspect
from pathlib import Path

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from tests.data.conftest import TEST, TRAIN, VALID
from vrnn.data.images.mnist_files import FILES
from vrnn.data.mnist import mnist

CONF = Path(__file__).parents[2] / "conf" / "data" / "mnist.yaml"
BINARIZED = ["threshold", "stochastic", "static", "static_seeded"]


def pixels(sequences) -> torch.Tensor:
    """All stored images, [N, 784]."""
    return sequences.values.reshape(len(sequences), 784)


def numbers(sequences) -> list[int]:
    """Which image of its file each sequence is: grey pixels only."""
    return (pixels(sequences)[:, 0] * 255).round().int().tolist()


# Splits


def test_grey_values_are_the_pixels_of_the_file_in_row_major_order(make, root):
    raw = np.fromfile(root / "MNIST" / "raw" / FILES[2], dtype=np.uint8)[16:].reshape(TEST, 28, 28)
    test = make(binarize="none").test
    x = test.batch(torch.arange(TEST)).x
    assert x.dtype == torch.float32
    torch.testing.assert_close(x, torch.from_numpy(raw).float() / 255)


def test_last_images_validate_and_test_is_the_test_file(make):
    splits = make(binarize="none")
    assert numbers(splits.train) == list(range(TRAIN - VALID))
    assert numbers(splits.valid) == list(range(TRAIN - VALID, TRAIN))
    assert numbers(splits.test) == list(range(TEST))


def test_random_validation_is_disjoint_complete_and_chosen_by_the_seed(make):
    one, same, other = (make(binarize="none", valid_split="random", seed=seed) for seed in (1, 1, 2))
    assert sorted(numbers(one.train) + numbers(one.valid)) == list(range(TRAIN))
    assert len(one.valid) == VALID
    assert numbers(one.valid) == numbers(same.valid)
    assert set(numbers(one.valid)) != set(numbers(other.valid)) != set(range(TRAIN - VALID, TRAIN))
    assert torch.equal(one.test.values, other.test.values)


def test_a_final_fit_trains_on_all_images_and_says_that_valid_is_among_them(make):
    splits = make(binarize="none", valid_split="within", valid_size=5)
    assert numbers(splits.train) == list(range(TRAIN))
    assert numbers(splits.valid) == list(range(TRAIN - 5, TRAIN))
    assert "the validation images are among those trained on" in splits.caution
    assert "among those trained on" in make(binarize="threshold", valid_split="within").caution
    assert "among those trained on" not in make(binarize="threshold").caution


@pytest.mark.parametrize("binarize", ["none", *BINARIZED])
def test_data_are_a_pure_function_of_their_arguments(make, binarize):
    torch.manual_seed(3)
    one = make(binarize=binarize)
    drawn = torch.rand(1)
    torch.manual_seed(3)
    assert torch.equal(torch.rand(1), drawn)  # the global generator was left alone
    two = make(binarize=binarize)
    for part in ("train", "valid", "test"):
        assert torch.equal(getattr(one, part).values, getattr(two, part).values)


@pytest.mark.parametrize("binarize", ["none", *BINARIZED])
def test_standardisation_is_the_identity(make, binarize):
    splits = make(binarize=binarize)
    assert splits.standardisation.log_det == 0.0
    assert torch.equal(splits.standardisation.inverse(splits.test.values), splits.test.values)


# Binarisations


@pytest.mark.parametrize("binarize", BINARIZED)
def test_binarized_values_are_zero_or_one(make, binarize):
    splits = make(binarize=binarize)
    train = splits.train.batch(torch.arange(len(splits.train)), torch.Generator().manual_seed(0)).x
    for x in (train, splits.valid.values, splits.test.values):
        assert set(x.unique().tolist()) == {0.0, 1.0}


def test_threshold_is_at_one_half(make):
    grey, binary = make(binarize="none"), make(binarize="threshold")
    assert torch.equal(binary.train.values, (grey.train.values * 255).round().ge(128).float())


def test_stochastic_train_is_drawn_anew_at_every_visit_and_its_mean_is_grey(make):
    grey, train = make(binarize="none").train, make(binarize="stochastic").train
    index, generator = torch.arange(len(train)), torch.Generator().manual_seed(0)
    draws = torch.stack([train.batch(index, generator).x for _ in range(200)])
    assert not torch.equal(draws[0], draws[1])
    expected = grey.batch(index).x
    deviation = (draws.mean(0) - expected) / (expected * (1 - expected) / 200).sqrt().clamp_min(1e-3)
    assert deviation.abs().max() < 6
    assert deviation.std() < 1.1
    certain = (expected == 0) | (expected == 1)
    assert torch.equal(draws.mean(0)[certain], expected[certain])


def test_stochastic_valid_and_test_are_drawn_once_from_the_seed(make):
    one, other = make(binarize="stochastic"), make(binarize="stochastic", seed=1)
    for part in ("valid", "test"):
        assert getattr(one, part).draw is None
        assert not torch.equal(getattr(one, part).values, getattr(other, part).values)


@pytest.mark.parametrize("valid_split", ["last", "random"])
def test_static_seeded_shares_valid_and_test_with_stochastic(make, valid_split):
    static, stochastic = (make(binarize=b, valid_split=valid_split) for b in ("static_seeded", "stochastic"))
    assert torch.equal(static.valid.values, stochastic.valid.values)
    assert torch.equal(static.test.values, stochastic.test.values)
    assert static.train.draw is None
    assert not torch.equal(static.train.values, make(binarize="static_seeded", seed=1).train.values)


def test_static_is_the_published_sample_in_its_own_split(make, root):
    splits = make(binarize="static")
    with np.load(root / "bits.npz") as bits:
        for part in ("train", "valid", "test"):
            assert np.array_equal(pixels(getattr(splits, part)).numpy(), bits[part])


def test_only_grey_pixels_have_an_entropy_floor_that_no_bernoulli_passes(make):
    grey = make(binarize="none")
    x = pixels(grey.test).double()
    best = max(
        float(torch.distributions.Bernoulli(p, validate_args=False).log_prob(x).sum(-1).mean())
        for p in (x.clamp(1e-9, 1 - 1e-9), x.clamp(0.01, 0.99), x.mean(0).expand_as(x).clamp(0.01, 0.99))
    )
    assert f"{best:.2f} nats per image on the test set" in grey.caution
    assert not any("entropy" in make(binarize=b).caution for b in BINARIZED)


# Layouts


@pytest.mark.parametrize("binarize", ["none", "static_seeded", "static"])
def test_layouts_hold_the_same_pixels_in_the_same_order(make, binarize):
    rows, single = make(binarize=binarize), make(binarize=binarize, layout="pixels", x_dim=1)
    index = torch.tensor([3, 0, 5])
    assert (rows.x_dim, single.x_dim) == (28, 1)
    assert rows.test.batch(index).x.shape == (3, 28, 28)
    assert single.test.batch(index).x.shape == (3, 784, 1)
    assert torch.equal(rows.test.batch(index).x.flatten(1), single.test.batch(index).x.flatten(1))


@pytest.mark.parametrize(("layout", "x_dim", "expected"), [("rows", 1, 28), ("pixels", 28, 1)])
def test_an_x_dim_that_does_not_follow_from_the_layout_is_refused(make, layout, x_dim, expected):
    with pytest.raises(ValueError, match=f"x_dim must be {expected} for layout={layout}, got {x_dim}"):
        make(layout=layout, x_dim=x_dim)


# Config


@pytest.mark.parametrize(("layout", "x_dim"), [("rows", 28), ("pixels", 1), ("foo", None)])
def test_config_lets_x_dim_follow_from_the_layout(layout, x_dim):
    config = OmegaConf.load(CONF)
    config.data.layout = layout
    config.model = {"x_dim": "${data.x_dim}"}
    resolved = OmegaConf.to_container(config, resolve=True)  # an unknown layout is left to the type check to name
    assert resolved["data"]["x_dim"] == resolved["model"]["x_dim"] == x_dim


@pytest.mark.parametrize("folder", [None, "/some/where"])
def test_config_gives_every_argument_and_takes_the_root_from_the_environment(monkeypatch, folder):
    monkeypatch.delenv("VRNN_DATA_DIR", raising=False)
    if folder:
        monkeypatch.setenv("VRNN_DATA_DIR", folder)
    data = OmegaConf.to_container(OmegaConf.load(CONF), resolve=True)["data"]
    assert data.pop("_target_") == "vrnn.data.mnist.mnist"
    assert data.pop("root") == folder
    assert data == {k: p.default for k, p in inspect.signature(mnist).parameters.items() if k != "root"}


# The real data


def test_real_counts_and_entropy_floor(real):
    splits = mnist(root=real, binarize="none")
    assert (len(splits.train), len(splits.valid), len(splits.test)) == (50_000, 10_000, 10_000)
    assert "-45.53 nats per image on the test set" in splits.caution
    assert pixels(splits.train).mean() == pytest.approx(0.1307, abs=1e-3)


def test_real_published_sample(real):
    if not Path(real, "mnist_static_binarized").is_dir():
        pytest.skip("needs mnist_static_binarized in VRNN_DATA_DIR")
    splits = mnist(root=real, binarize="static", layout="pixels", x_dim=1)
    assert [len(s) for s in (splits.train, splits.valid, splits.test)] == [50_000, 10_000, 10_000]
    for part in (splits.train, splits.valid, splits.test):
        assert ((part.values == 0) | (part.values == 1)).all()
        assert pixels(part).mean() == pytest.approx(0.1307, abs=3e-3)
