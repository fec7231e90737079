"""Datasets as conf/data/ has them, small: what the laws run over, whatever is added."""

from __future__ import annotations

import importlib
import importlib.util
from pathlib import Path
from typing import NamedTuple

from omegaconf import DictConfig

from experiments.config.build import build
from tests.conf import composed, hydra_ready
from vrnn.data.splits import Splits

SEQUENCES = 7  # of every key that ends in _sequences


class SmallDataset(NamedTuple):
    """A dataset of a few short sequences.

    Attributes:
      overrides: that make it small, of experiments.train.
      cfg: composed with them.
      root: the folder of its files; None: it reads none.
      splits: what it builds.
    """

    overrides: tuple[str, ...]
    cfg: DictConfig
    root: Path | None
    splits: Splits

    def build(self) -> Splits:
        """The same once more."""
        return build(self.cfg, "data")


def make_dataset(dataset: str, folder: Path) -> SmallDataset:
    """A small dataset from an option of conf/data/; `folder` is an empty one for its files and caches."""
    with hydra_ready():
        keys = composed(f"data={dataset}").data
        overrides = [f"data={dataset}"]
        overrides += [f"data.{key}={SEQUENCES}" for key in keys if key.endswith("_sequences")]
        overrides += [f"data.cache={folder / 'cache'}"] if "cache" in keys else []
        root = None
        if "root" in keys:
            root = folder / "root"
            root.mkdir()
            overrides += [f"data.root={root}", *write_files(dataset, root)]
        cfg = composed(*overrides)
    return SmallDataset(tuple(overrides), cfg, root, build(cfg, "data"))


def write_files(dataset: str, root: Path) -> tuple[str, ...]:
    """Has the maker of a dataset write its files; returns the further overrides that the dataset then needs.

    Raises:
      LookupError: it has no maker.
    """
    name = f"tests.data.makers.{dataset}"
    if importlib.util.find_spec(name) is None:
        raise LookupError(
            f"conf/data/{dataset}.yaml has a root, so it reads files: write tests/data/makers/{dataset}.py with a "
            "function make(root: Path) that writes a few small files as the dataset reads them, so that its laws are "
            "tested"
        )
    maker = importlib.import_module(name)
    maker.make(root)
    return getattr(maker, "OVERRIDES", ())
