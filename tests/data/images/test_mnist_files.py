"""MNIST: in which forms its files are read, and what is said where they are others, damaged or not there."""

from __future__ import annotations

import gzip
import hashlib
import re
import struct
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.data.conftest import TEST, TRAIN, VALID, idx
from vrnn.data.images import mnist_files as module
from vrnn.data.images.mnist_files import SHA256
from vrnn.data.mnist import mnist

IMAGES = list(SHA256)


@pytest.fixture
def raw(root, tmp_path) -> Path:
    """A folder MNIST/raw with images of its own, below the working folder of the test."""
    raw = tmp_path / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name in IMAGES:
        (raw / name).write_bytes((root / "MNIST" / "raw" / name).read_bytes())
    return raw


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


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


# Whose images they are


def test_images_of_another_dataset_under_mnists_names_are_refused_with_what_was_found(root):
    content = (root / "MNIST" / "raw" / IMAGES[0]).read_bytes()
    ink = np.frombuffer(content, np.uint8)[16:].mean() / 255
    with pytest.raises(ValueError, match="FashionMNIST, KMNIST or EMNIST") as caught:
        mnist(root=str(root), valid_size=VALID)
    message = str(caught.value)
    for part in (
        str(root / "MNIST" / "raw" / IMAGES[0]),
        f"{TRAIN} images, {ink:.1%}",
        " verify=false",
        "another root",
    ):
        assert part in message
    assert hashlib.sha256(content).hexdigest()[:16] in message
    assert SHA256[IMAGES[0]][:16] in message
    assert "\n" not in message


@pytest.mark.parametrize("other", IMAGES)
def test_one_file_of_another_dataset_is_enough(make, root, monkeypatch, other):
    digests = {name: hashlib.sha256((root / "MNIST" / "raw" / name).read_bytes()).hexdigest() for name in IMAGES}
    monkeypatch.setattr(module, "SHA256", digests)
    assert make(verify=True).caution is None
    monkeypatch.setitem(module.SHA256, other, "0" * 64)
    with pytest.raises(ValueError, match=f"is not MNIST's {other}"):
        make(verify=True)
    caution = make(verify=False).caution
    assert caution.startswith("not MNIST's own images, taken as they are (verify=false): " + other)
    assert digests[other][:16] in caution
    assert not any(digest[:16] in caution for name, digest in digests.items() if name != other)


def test_files_and_counts_are_told(make, root):
    splits = make(valid_split="within")
    sizes = [(root / "MNIST" / "raw" / name).stat().st_size for name in IMAGES]
    assert splits.files == [(f"MNIST/raw/{name}", size) for name, size in zip(IMAGES, sizes, strict=True)]
    assert splits.tally == {"images found": TRAIN + TEST} == make().tally
    assert make(binarize="static").tally == {"images found": 130}


# Forms in which they are passed on


@pytest.mark.parametrize(
    "form", ["{0}.gz", "{1}", "{1}.gz", "{0}/{0}", "{1}/{1}", "{0}", "a link"], ids=lambda form: form.replace("/", ">")
)
@pytest.mark.parametrize("packed", [True, False], ids=["gzip", "plain"])
def test_every_form_holds_the_same_images_and_nothing_is_written(make, raw, form, packed):
    for name in IMAGES:
        content = (raw / name).read_bytes()
        (raw / name).unlink()
        path = raw / ("elsewhere-" + name if form == "a link" else form.format(name, name.replace("-idx", ".idx")))
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(gzip.compress(content, 1) if packed else content)  # whatever the name says
        if form == "a link":
            (raw / name).symlink_to(path)
    before = contents(raw)
    found, expected = make(root=str(raw.parents[1]), binarize="none"), make(binarize="none")
    for part in ("train", "valid", "test"):
        assert torch.equal(getattr(found, part).values, getattr(expected, part).values)
    assert contents(raw) == before


def test_labels_need_not_be_there(make, raw):
    assert not list(raw.glob("*labels*"))
    assert len(make(root=str(raw.parents[1])).test) == TEST


# Damage


def damaged(content: bytes, how: str) -> bytes:
    """A file of images with something wrong in it."""
    packed = gzip.compress(content, 1)
    return {
        "empty": b"",
        "header": content[:6],
        "short": content[:-1],
        "long": content + b"0",
        "sides": idx(1, side=32),
        "labels": struct.pack(">2I", 0x0801, 10) + bytes(10),
        "none": struct.pack(">4I", 0x0803, 0, 28, 28),
        "all of memory": struct.pack(">4I", 0x0803, 2**32 - 1, 28, 28) + bytes(784),
        "gz cut": packed[: len(packed) // 2],
        "gz of 10 bytes": packed[:10],
        "gz changed": packed[:5000] + bytes(50) + packed[5050:],
        "gz and more": packed + b"0",
        "gz of gz": gzip.compress(packed),
        "gz of a page": gzip.compress(b"<!DOCTYPE html><title>404 Not Found</title>"),
        "gz short": gzip.compress(content[:-1]),
        "gz long": gzip.compress(content + b"0"),
        "gz that promises more": gzip.compress(struct.pack(">4I", 0x0803, 900_000, 28, 28) + bytes(784)),
    }[how]


KINDS = ["empty", "header", "short", "long", "sides", "labels", "none", "all of memory"]
KINDS += ["gz cut", "gz of 10 bytes", "gz changed", "gz and more", "gz of gz", "gz of a page", "gz short", "gz long"]


@pytest.mark.parametrize("name", IMAGES)
@pytest.mark.parametrize("how", [*KINDS, "gz that promises more"])
@pytest.mark.parametrize("verify", [True, False])
def test_a_damaged_file_is_named(raw, name, how, verify, monkeypatch):
    monkeypatch.setitem(module.SHA256, IMAGES[0], hashlib.sha256((raw / IMAGES[0]).read_bytes()).hexdigest())
    content = damaged((raw / name).read_bytes(), how)
    (raw / name).write_bytes(content)
    with pytest.raises(ValueError, match=re.escape(f"{raw / name} is damaged: no IDX file of 1 to ")) as caught:
        mnist(root=str(raw.parents[1]), valid_size=VALID, verify=verify)
    assert "\n" not in str(caught.value)
    assert (raw / name).read_bytes() == content


@pytest.mark.parametrize("what", ["folder", "link to nothing", "denied"])
def test_what_is_no_readable_file_is_named_and_left_alone(raw, monkeypatch, what):
    path = raw / IMAGES[1]
    if what == "denied":  # as root, who runs tests in some places, nothing is
        opened = Path.open
        denied = PermissionError(13, "Permission denied", str(path))

        def refuse(self, *arguments, **keywords):
            if self == path:
                raise denied
            return opened(self, *arguments, **keywords)

        monkeypatch.setattr(Path, "open", refuse)
    else:
        path.unlink()
        path.mkdir() if what == "folder" else path.symlink_to("gone")
    expected = {"folder": "is a folder", "link to nothing": "gone, which is not there", "denied": "Permission denied"}
    with pytest.raises(OSError, match=expected[what]) as caught:
        mnist(root=str(raw.parents[1]), valid_size=VALID, verify=False)
    assert str(path) in str(caught.value)
    assert "put t10k-images-idx3-ubyte in its place" in str(caught.value)
    assert path.is_dir() or path.is_symlink() or path.is_file()


def test_a_file_in_place_of_the_folder_is_named_and_nothing_is_downloaded(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_download", lambda raw: pytest.fail("downloads"))
    (tmp_path / "MNIST").mkdir()
    (tmp_path / "MNIST" / "raw").write_text("no folder")
    with pytest.raises(OSError, match=r"MNIST/raw cannot be read \(Not a directory\): it holds MNIST's files"):
        mnist(root=str(tmp_path))
