"""Small files in the layout of MNIST, made here, and the real ones where they are given."""

from __future__ import annotations

import os
import struct
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from vrnn.data.images.mnist_files import FILES
from vrnn.data.mnist import mnist

TRAIN, VALID, TEST = 90, 30, 40  # train includes valid


def idx(number: int, side: int = 28, seed: int = 0) -> bytes:
    """The content of an IDX file of random images."""
    pixels = np.random.default_rng(seed).integers(0, 256, (number, side, side), dtype=np.uint8)
    return struct.pack(">4I", 0x0803, *pixels.shape) + pixels.tobytes()


def write_idx(path: Path, values: np.ndarray) -> None:
    """Writes uint8 values as IDX: magic number, sizes, bytes."""
    path.write_bytes(struct.pack(f">{1 + values.ndim}I", 0x0800 + values.ndim, *values.shape) + values.tobytes())


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A folder in the layout of the real one with images of its own, each one with its number in the first pixel."""
    root = tmp_path_factory.mktemp("data")
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, number in (("train", TRAIN), ("t10k", TEST)):
        images = rng.integers(0, 256, (number, 28, 28), dtype=np.uint8)
        images[:, 20:] = np.array([0, 255], dtype=np.uint8).repeat(14)  # pixels that no draw may change
        images[:, 0, 0] = np.arange(number)
        write_idx(raw / f"{part}-images-idx3-ubyte", images)
        write_idx(raw / f"{part}-labels-idx1-ubyte", rng.integers(0, 10, number, dtype=np.uint8))
    published = root / "mnist_static_binarized"
    published.mkdir()
    bits = {
        name: rng.integers(0, 2, (n, 784), dtype=np.uint8) for name, n in (("train", 60), ("valid", 30), ("test", 40))
    }
    np.savez(published / "binarized_mnist_packed.npz", **{k: np.packbits(v, axis=1) for k, v in bits.items()})
    np.savez(root / "bits.npz", **bits)
    return root


@pytest.fixture
def make(root):
    return partial(mnist, root=str(root), valid_size=VALID, verify=False)


@pytest.fixture(scope="module")
def real() -> str:
    folder = os.environ.get("VRNN_DATA_DIR", "")
    if not Path(folder, "MNIST", "raw", FILES[0]).is_file():
        pytest.skip("needs the real MNIST: set VRNN_DATA_DIR to the folder that holds MNIST/raw")
    return folder


@pytest.fixture
def mirror(monkeypatch):
    """Makes torchvision fetch MNIST from a port of this machine, and from nowhere else."""
    from torchvision.datasets import MNIST

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    return lambda port: monkeypatch.setattr(MNIST, "mirrors", [f"http://127.0.0.1:{port}/"])
