"""MNIST: where its files are looked for, and what is said when they are missing or damaged."""

from __future__ import annotations

import gzip
import hashlib
import socket
import struct
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pytest
import torch

from tests.data.conftest import TEST, TRAIN, VALID
from vrnn.data import mnist as module
from vrnn.data.mnist import FILES, mnist


@pytest.mark.parametrize("valid_size", [0, -1, TRAIN])
def test_valid_size_out_of_range_is_named(make, valid_size):
    with pytest.raises(ValueError, match=f"valid_size must be from 1 to {TRAIN - 1}, got {valid_size}"):
        make(valid_size=valid_size)


@pytest.mark.parametrize("given", [{"valid_split": "random"}, {"valid_size": VALID - 1}])
def test_the_published_split_is_not_changed_in_silence(make, given):
    with pytest.raises(ValueError, match="valid_split and valid_size must be last and 30 with binarize=static"):
        make(binarize="static", **given)


def test_root_may_be_read_only_and_written_with_a_tilde(make, root, monkeypatch):
    monkeypatch.setenv("HOME", str(root.parent))
    modes = {path: path.stat().st_mode for path in (root, root / "MNIST", root / "MNIST" / "raw")}
    before = sorted(root.rglob("*"))
    try:
        for path in modes:
            path.chmod(0o555)
        assert len(make(root=f"~/{root.name}").test) == TEST
    finally:
        for path, mode in modes.items():
            path.chmod(mode)
    assert sorted(root.rglob("*")) == before


def test_root_defaults_to_data_in_the_working_directory(make, root, tmp_path, monkeypatch):
    (tmp_path / "data").symlink_to(root)
    monkeypatch.chdir(tmp_path)
    assert torch.equal(make(root=None, binarize="none").test.values, make(binarize="none").test.values)


def test_missing_files_are_named_and_nothing_is_left_behind(mirror, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as closed:
        mirror(closed.getsockname()[1])
    root = tmp_path / "nowhere"
    with pytest.raises(FileNotFoundError) as caught:
        mnist(root=str(root))
    for part in (str(root / "MNIST" / "raw"), *FILES, "refused", "data.root=", "VRNN_DATA_DIR", "network"):
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


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["empty", "header", "short", "long", "other"])
def test_a_damaged_file_is_named(root, tmp_path, name, damage):
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for file in FILES:
        (raw / file).write_bytes((root / "MNIST" / "raw" / file).read_bytes())
    whole = (raw / name).read_bytes()
    other = struct.pack(">4I", 0x0803, 1, 32, 32) + bytes(1024)  # images, of another size
    changed = {"empty": b"", "header": whole[:6], "short": whole[:-1], "long": whole + b"0", "other": other}
    (raw / name).write_bytes(changed[damage])
    with pytest.raises(ValueError, match="is damaged") as caught:
        mnist(root=str(tmp_path), valid_size=VALID)
    assert str(raw / name) in str(caught.value)
    assert f"{len(changed[damage])} bytes" in str(caught.value)


def test_a_missing_published_sample_says_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        mnist(root=str(tmp_path), binarize="static")
    file = tmp_path / "mnist_static_binarized" / "binarized_mnist_packed.npz"
    for part in (str(file), "data.root=", "VRNN_DATA_DIR", "static_seeded"):
        assert part in str(caught.value)


@pytest.mark.parametrize("damage", ["short", "text", "keys", "pickle", "width"])
def test_a_damaged_published_sample_is_named(root, tmp_path, damage):
    file = tmp_path / "mnist_static_binarized" / "binarized_mnist_packed.npz"
    file.parent.mkdir()
    whole = (root / "mnist_static_binarized" / file.name).read_bytes()
    bits = np.zeros((4, 98), dtype=np.uint8)
    if damage in ("short", "text"):
        file.write_bytes(whole[: len(whole) // 2] if damage == "short" else b"not an archive")
    elif damage == "keys":
        np.savez(file, train=bits)
    elif damage == "pickle":
        np.savez(file, train=np.array([{}], dtype=object), valid=bits, test=bits)
    else:
        np.savez(file, train=bits, valid=bits, test=bits[:, :50])
    with pytest.raises(ValueError, match=r"is damaged|must hold 784 pixels") as caught:
        mnist(root=str(tmp_path), binarize="static")
    assert str(file) in str(caught.value)


def test_a_torchvision_that_does_not_fit_torch_is_named_with_the_mend(make, monkeypatch, tmp_path):
    (tmp_path / "torchvision").mkdir()
    broken = "raise RuntimeError('operator torchvision::nms does not exist')"
    (tmp_path / "torchvision" / "__init__.py").write_text(broken)
    for name in [name for name in sys.modules if name.partition(".")[0] == "torchvision"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ImportError, match=r"nms does not exist.*pip install --force-reinstall torch torchvision"):
        make()
    assert len(make(binarize="static").test) == TEST  # which does not need it
