"""MNIST's published binarisation: known by its sizes and its ink, and refused where it is another or damaged."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vrnn.data.images import mnist_files as module
from vrnn.data.mnist import mnist
from vrnn.data.sources import files

PARTS = ("train", "valid", "test")


@pytest.fixture
def file(tmp_path) -> Path:
    file = tmp_path / "mnist_static_binarized" / "binarized_mnist_packed.npz"
    file.parent.mkdir()
    return file


def test_a_missing_published_sample_says_what_to_do(tmp_path, file):
    with pytest.raises(FileNotFoundError) as caught:
        mnist(root=str(tmp_path), binarize="static")
    for part in (str(file), " root=", "static_seeded"):
        assert part in str(caught.value)


@pytest.mark.parametrize("damage", ["short", "text", "keys", "pickle", "width", "empty part", "bomb"])
def test_a_damaged_published_sample_is_named(root, tmp_path, file, damage, monkeypatch):
    monkeypatch.setattr(files, "free_memory", lambda: 2**22)
    whole = (root / "mnist_static_binarized" / file.name).read_bytes()
    bits = np.zeros((4, 98), dtype=np.uint8)
    arrays = {
        "keys": {"train": bits},
        "pickle": {"train": np.array([{}], dtype=object), "valid": bits, "test": bits},
        "width": {"train": bits, "valid": bits, "test": bits[:, :50]},
        "empty part": {"train": bits, "valid": bits[:0], "test": bits},
        "bomb": {"train": np.zeros((2**14, 98), dtype=np.uint8), "valid": bits, "test": bits},
    }
    if damage in arrays:
        np.savez_compressed(file, **arrays[damage])
    else:
        file.write_bytes(whole[: len(whole) // 2] if damage == "short" else b"not an archive")
    with pytest.raises(ValueError, match=r"is damaged|must hold 784 pixels") as caught:
        mnist(root=str(tmp_path), binarize="static", verify=False)
    assert str(file) in str(caught.value)
    assert ("claim to unpack to" in str(caught.value)) == (damage == "bomb")


def test_a_sample_of_other_sizes_is_refused_or_told(make):
    with pytest.raises(
        ValueError, match=r"is not the published sample.*have \(60, 30, 40\) images, not \(50000, 10000"
    ):
        make(binarize="static", verify=True)
    caution = make(binarize="static").caution
    assert caution.startswith("not MNIST's own images, taken as they are (verify=false): binarized_mnist_packed.npz")


def test_noise_of_the_right_sizes_is_no_digits(make, monkeypatch):
    monkeypatch.setattr(module, "PUBLISHED_SIZES", (60, 30, 40))
    with pytest.raises(
        ValueError, match=r"train has (49\.\d|50\.\d)% ink, spread 8\.\d\d pixels down and 8\.\d\d across"
    ):
        make(binarize="static", verify=True)


def test_the_real_sample_is_known_and_not_on_its_side_nor_mirrored(real, monkeypatch):
    path = Path(real, "mnist_static_binarized", "binarized_mnist_packed.npz")
    if not path.is_file():
        pytest.skip("needs mnist_static_binarized in VRNN_DATA_DIR")
    with np.load(path) as packed:
        test = packed["test"]
    images = np.unpackbits(test, axis=1).reshape(-1, 28, 28)
    cases = {
        "upright": images,
        "on its side": images.swapaxes(1, 2),
        "paper and ink": 1 - images,
        "bits of each byte reversed": np.unpackbits(test, axis=1, bitorder="little"),
    }
    monkeypatch.setattr(module, "PUBLISHED_SIZES", (10_000,) * 3)
    doubts = {case: module._doubt([pixels.reshape(-1, 784)] * 3) for case, pixels in cases.items()}
    assert [case for case, doubt in doubts.items() if doubt is None] == ["upright"]
