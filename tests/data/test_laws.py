"""Laws of every dataset: its seed, its parts, its standardisation, its files."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from experiments.config.build import build
from tests.conf import options
from tests.datasets import SmallDataset, make_dataset
from vrnn.data.checks.inspection import inspect
from vrnn.data.splits import Sequences


@pytest.fixture(params=options("data"))
def dataset(request: pytest.FixtureRequest, small_dataset: Callable[[str], SmallDataset]) -> SmallDataset:
    """Every option of conf/, found there, so a new one is held to these laws without an edit."""
    return small_dataset(request.param)


def contents(sequences: Sequences) -> list[bytes]:
    """Every sequence, as it can be told from others."""
    return [values.numpy().tobytes() for values in sequences.values.split(sequences.lengths.tolist())]


def moments(values: torch.Tensor) -> list[tuple[float, float]]:
    """Mean and standard deviation of values [n, D], over all of them, and of their sums over D (as of offsets)."""
    values = values.double()
    sizes = values.numel(), len(values)
    means = [float(values.sum() / size) for size in sizes]
    return [
        (mean, float((values.square().sum() / size - mean**2).clamp_min(0.0).sqrt()))
        for mean, size in zip(means, sizes, strict=True)
    ]


def test_values_are_finite_steps_of_the_width_that_the_config_says(dataset: SmallDataset):
    splits, x_dim = dataset.splits, dataset.cfg.data.x_dim
    assert splits.x_dim == len(splits.standardisation.mean) == len(splits.standardisation.std) == x_dim
    for part in splits.parts.values():
        assert part.values.shape == (int(part.lengths.sum()), x_dim)
        assert part.values.dtype == torch.float32
        assert part.values.isfinite().all()


def test_no_sequence_is_empty_and_no_part_is(dataset: SmallDataset):
    for part in dataset.splits.parts.values():
        assert len(part) > 0
        assert part.lengths.dtype == torch.int64
        assert part.lengths.min() > 0


def test_every_visit_of_a_batch_gives_finite_values_and_zeros_behind_them(dataset: SmallDataset):
    for part in dataset.splits.parts.values():
        batch = part.batch(torch.arange(len(part)), torch.Generator().manual_seed(0))
        assert batch.x.shape == (len(part), int(part.lengths.max()), dataset.splits.x_dim)
        assert batch.x.isfinite().all()
        assert not batch.x[~batch.mask].any()


def test_the_config_alone_decides_and_global_generators_are_left_alone(dataset: SmallDataset):
    torch.manual_seed(99)
    np.random.seed(99)
    random.seed(99)
    before = torch.get_rng_state(), np.random.get_state()[1].tolist(), random.getstate()
    again = dataset.build()
    assert torch.equal(before[0], torch.get_rng_state())
    assert before[1:] == (np.random.get_state()[1].tolist(), random.getstate())
    for name, part in dataset.splits.parts.items():
        assert torch.equal(part.values, again.parts[name].values)
        assert torch.equal(part.lengths, again.parts[name].lengths)
    assert again.standardisation.equals(dataset.splits.standardisation)
    assert not inspect(again).change_from(inspect(dataset.splits)).words


def test_another_seed_is_told_by_the_fingerprint_where_it_changes_a_value(dataset: SmallDataset):
    cfg = dataset.cfg.copy()
    cfg.data.seed += 1
    other = build(cfg, "data")
    pairs = [(part, other.parts[name]) for name, part in dataset.splits.parts.items()]
    same = all(torch.equal(a.values, b.values) and torch.equal(a.lengths, b.lengths) for a, b in pairs)
    assert inspect(other).change_from(inspect(dataset.splits)).is_other == (not same)


def test_train_valid_and_test_share_no_sequence(dataset: SmallDataset):
    parts = [set(contents(part)) for part in dataset.splits.parts.values()]
    assert sum(map(len, parts)) == len(set.union(*parts))


def test_the_standardisation_is_not_fitted_on_more_than_train(dataset: SmallDataset):
    """It may be fitted on train in any way, or be fixed; the moments of train with another part are no coincidence."""
    scale = dataset.splits.standardisation
    fitted = (scale.mean != 0.0) | (scale.std != 1.0)  # [D]; the pen is not standardised
    if not fitted.any():
        return
    raw = {
        name: scale.inverse(part.values.double())[:, fitted] for name, part in dataset.splits.parts.items()
    }  # [n, D] each
    mean, std = float(scale.mean[fitted].mean()), float(scale.std[fitted].mean())
    stated = pytest.approx((mean, std), rel=0.0, abs=1e-6 * std)
    for others in (("valid",), ("test",), ("valid", "test")):
        assert stated not in moments(torch.cat([raw["train"], *(raw[name] for name in others)]))


def test_raw_values_take_no_more_levels_than_are_stated(dataset: SmallDataset):
    if dataset.splits.levels is not None:
        for part in dataset.splits.parts.values():
            raw = dataset.splits.standardisation.inverse(part.values.double())
            assert float(raw.max() - raw.min()) <= dataset.splits.levels


def test_pictures_and_the_sample_rate_are_of_the_values(dataset: SmallDataset):
    splits = dataset.splits
    assert splits.sample_rate in (None, dataset.cfg.data.get("sample_rate"))
    assert splits.pictured(splits.test.values).isfinite().all()


def test_files_that_were_read_are_named_with_their_sizes(dataset: SmallDataset):
    if dataset.root is None:
        assert not dataset.splits.files
    else:
        files = [path for path in dataset.root.rglob("*") if path.is_file()]
        assert dataset.splits.files
        for name, size in dataset.splits.files:
            assert size in [path.stat().st_size for path in files if path.as_posix().endswith(f"/{name}")]


def test_a_dataset_of_files_without_a_maker_is_told_what_to_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(LookupError, match=r"write tests/data/makers/sketch.py with a function make\(root: Path\)"):
        make_dataset("sketch", tmp_path)
