"""Where datasets look for their files: an empty path is no path, for none of them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hydra import initialize_config_dir

from experiments.cli.app import CONF
from experiments.config.build import build
from experiments.config.resolvers import register_resolvers
from experiments.errors import UserError
from tests.conf import composed, options, raw
from tests.data.recording_files import clip, write_audio
from vrnn.data.sources.files import data_folder

# Those that read files, found by their key. What would be downloaded is asked for in a form that is not.
DATASETS = [name for name in options("data") if "root" in raw("data", name).get("data", raw("data", name))]
NO_DOWNLOAD = {"mnist": ("data.binarize=static",)}


@pytest.fixture(scope="module", autouse=True)
def hydra() -> Iterator[None]:
    register_resolvers()
    with initialize_config_dir(str(CONF), version_base="1.3"):
        yield


@pytest.fixture(autouse=True)
def with_sounds(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A working directory that holds recordings, though not in its folder `data`."""
    monkeypatch.chdir(tmp_path)
    for number in range(4):
        write_audio(tmp_path / "outputs" / "sounds" / f"{number}.wav", clip(number, 9000, 16_000), 16_000)


def test_there_are_datasets_that_read_files():
    assert {"audio", "mnist", "sketch"} <= set(DATASETS)


@pytest.mark.parametrize("empty", ["", " "])
def test_an_empty_folder_is_the_usual_one(empty: str):
    assert data_folder(empty) == data_folder(None) == Path("data")


@pytest.mark.parametrize("empty", ["", " "])
@pytest.mark.parametrize("dataset", DATASETS)
def test_an_empty_root_is_not_the_working_directory(tmp_path: Path, dataset: str, empty: str):
    cfg = composed(f"data={dataset}", f"data.root='{empty}'", *NO_DOWNLOAD.get(dataset, ()))
    with pytest.raises(UserError, match=f"{tmp_path}/data"):
        build(cfg, "data")


@pytest.mark.parametrize("dataset", DATASETS)
def test_an_empty_environment_variable_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, dataset: str):
    monkeypatch.setenv("VRNN_DATA_DIR", "")
    with pytest.raises(UserError, match=f"{tmp_path}/data"):
        build(composed(f"data={dataset}", *NO_DOWNLOAD.get(dataset, ())), "data")
