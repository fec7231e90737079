"""Where datasets look for their files: an empty path is no path, for none of them."""

from __future__ import annotations

from pathlib import Path

import pytest
from hydra import initialize_config_dir

from experiments.cli.app import CONF
from experiments.config.build import build
from experiments.config.resolvers import register_resolvers
from experiments.errors import UserError
from tests.conf import composed, options, raw
from tests.data.recording_files import clip, write_audio
from vrnn.data.audio import audio
from vrnn.data.blizzard import blizzard
from vrnn.data.fsdd import fsdd
from vrnn.data.iamondb import iamondb
from vrnn.data.ljspeech import ljspeech
from vrnn.data.mnist import mnist
from vrnn.data.omniglot import omniglot
from vrnn.data.sketch import sketch
from vrnn.data.sources.files import data_folder
from vrnn.data.timit import timit

DATASETS = [audio, fsdd, timit, ljspeech, blizzard, omniglot, sketch, iamondb]


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_root_is_not_the_working_directory(monkeypatch, tmp_path, empty):
    monkeypatch.chdir(tmp_path)
    assert data_folder(empty) == data_folder(None) == Path("data")
    for number in range(4):
        write_audio(tmp_path / "outputs" / "sounds" / f"{number}.wav", clip(number, 9000, 16_000), 16_000)
    for dataset in DATASETS:
        with pytest.raises(FileNotFoundError, match=rf"{tmp_path}/data"):
            dataset(root=empty)
    with pytest.raises(FileNotFoundError, match=rf"{tmp_path}/data/mnist_static_binarized"):
        mnist(root=empty, binarize="static")


@pytest.mark.parametrize("dataset", [dataset.__name__ for dataset in DATASETS])
def test_an_empty_environment_variable_is_none(monkeypatch, tmp_path, dataset):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("VRNN_DATA_DIR", "")
    write_audio(tmp_path / "outputs" / "sounds.wav", clip(0, 9000, 16_000), 16_000)
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        cfg = composed(f"data={dataset}")
    with pytest.raises(UserError, match=rf"{tmp_path}/data"):
        build(cfg, "data")


def test_no_dataset_with_a_root_is_forgotten_here():
    with_root = {name for name in options("data") if "root" in raw("data", name).get("data", raw("data", name))}
    assert with_root == {*(dataset.__name__ for dataset in DATASETS), "mnist"}
