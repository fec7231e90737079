"""MNIST: its download, and what is said when there is none."""

from __future__ import annotations

import gzip
import hashlib
import socket
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import torch

from tests.data.conftest import TEST, idx
from vrnn.data.images import mnist_files as module
from vrnn.data.images.mnist_files import FILES, SHA256
from vrnn.data.mnist import mnist


def test_missing_files_are_named_and_nothing_is_left_behind(mirror, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        mirror(closed.getsockname()[1])
    root = tmp_path / "nowhere"
    with pytest.raises(FileNotFoundError) as caught:
        mnist(root=str(root))
    for part in (str(root / "MNIST" / "raw"), *SHA256, "refused", " root=", "network"):
        assert part in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list(tmp_path.iterdir()) == []


def test_a_network_that_never_answers_does_not_hang(mirror, monkeypatch, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and says nothing
        mirror(silent.getsockname()[1])
        monkeypatch.setattr(module, "SILENCE", 0.1)
        with pytest.raises(FileNotFoundError, match="timed out"):
            mnist(root=str(tmp_path))
    assert socket.getdefaulttimeout() is None
    assert list(tmp_path.iterdir()) == []


def test_missing_files_are_downloaded_once(make, root, mirror, monkeypatch, tmp_path):
    from torchvision.datasets import MNIST

    asked: list[str] = []

    class Server(SimpleHTTPRequestHandler):
        def log_message(self, *args) -> None:
            asked.append(self.path)

    served, target = tmp_path / "served", tmp_path / "target" / "deep"
    served.mkdir()
    checksums = []
    for name in FILES:
        packed = gzip.compress((root / "MNIST" / "raw" / name).read_bytes())
        (served / f"{name}.gz").write_bytes(packed)
        checksums.append((f"{name}.gz", hashlib.md5(packed).hexdigest()))
    monkeypatch.setattr(MNIST, "resources", checksums)
    with ThreadingHTTPServer(("127.0.0.1", 0), partial(Server, directory=str(served))) as server:
        threading.Thread(target=server.serve_forever).start()
        mirror(server.server_port)
        try:
            downloaded = make(root=str(target), binarize="none")
            once = len(asked)
            make(root=str(target))
        finally:
            server.shutdown()
    assert once == len(asked) >= len(FILES)
    assert torch.equal(downloaded.train.values, make(binarize="none").train.values)
    assert sorted(path.name for path in (target / "MNIST" / "raw").iterdir()) == sorted(FILES)


def test_a_download_adds_what_is_missing_and_replaces_nothing(root, monkeypatch, tmp_path):
    from torchvision.datasets import MNIST

    def fetch(stage: str, download: bool) -> None:
        folder = Path(stage, "MNIST", "raw")
        folder.mkdir(parents=True)
        for name in FILES:
            (folder / name).write_bytes((root / "MNIST" / "raw" / name).read_bytes())

    monkeypatch.setattr(MNIST, "__init__", lambda self, stage, download: fetch(stage, download))
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    own = {f"{FILES[0].replace('-idx', '.idx')}.gz": gzip.compress(idx(40)), FILES[1]: b"labels of my own"}
    for name, content in own.items():
        (raw / name).write_bytes(content)
    digests = {FILES[0]: hashlib.sha256(idx(40)).hexdigest(), FILES[2]: SHA256[FILES[2]]}
    monkeypatch.setattr(module, "SHA256", digests)
    splits = mnist(root=str(tmp_path), valid_size=10, verify=False)
    assert (len(splits.train), len(splits.valid), len(splits.test)) == (30, 10, TEST)
    assert sorted(path.name for path in raw.iterdir()) == sorted([*own, *FILES[2:]])
    assert all((raw / name).read_bytes() == content for name, content in own.items())


@pytest.mark.parametrize("verify", [True, False])
def test_nothing_is_downloaded_beside_the_images_of_another_dataset(monkeypatch, tmp_path, verify):
    monkeypatch.setattr(module, "_download", lambda raw: pytest.fail("downloads"))
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    (raw / FILES[2]).write_bytes(idx(40))
    kind, message = (
        (ValueError, "is not MNIST's t10k") if verify else (FileNotFoundError, "^train-images-idx3-ubyte is not in")
    )
    with pytest.raises(kind, match=message) as caught:
        mnist(root=str(tmp_path), verify=verify)
    assert "its 40 images" in str(caught.value)
    assert [path.name for path in raw.iterdir()] == [FILES[2]]


def test_a_torchvision_that_does_not_fit_torch_is_named_with_the_mend(make, monkeypatch, tmp_path):
    (tmp_path / "torchvision").mkdir()
    broken = "raise RuntimeError('operator torchvision::nms does not exist')"
    (tmp_path / "torchvision" / "__init__.py").write_text(broken)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match=r"nms does not exist.*pip install --force-reinstall torch torchvision"):
        make(root=str(tmp_path))
    assert len(make().test) == TEST  # reading does not need it
