"""Files of images and strokes with bytes changed at random: read to finite values, or refused in one line by name."""

from __future__ import annotations

import gzip
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.data.conftest import idx
from tests.data.stroke_files import write_iamondb, write_packed, write_pickled, write_raw
from vrnn.data.iamondb import iamondb
from vrnn.data.mnist import mnist
from vrnn.data.omniglot import omniglot
from vrnn.data.sketch import sketch
from vrnn.data.splits import Splits


def write_images(root: Path, packed: bool) -> None:
    raw = root / "MNIST" / "raw"
    raw.mkdir(parents=True)
    for name, number in (("train-images.idx3-ubyte", 12), ("t10k-images-idx3-ubyte", 3)):
        content = idx(number)
        (raw / (f"{name}.gz" if packed else name)).write_bytes(gzip.compress(content, 1) if packed else content)


def write_sample(root: Path) -> None:
    (root / "mnist_static_binarized").mkdir(parents=True)
    rng = np.random.default_rng(0)
    parts = {name: rng.integers(0, 256, (4, 98), dtype=np.uint8) for name in ("train", "valid", "test")}
    np.savez_compressed(root / "mnist_static_binarized" / "binarized_mnist_packed.npz", **parts)


def read_images(root: str) -> Splits:
    return mnist(root=root, valid_size=4, binarize="static_seeded", verify=False)


CORPORA: dict[str, tuple[Callable[[Path], object], Callable[[str], Splits]]] = {
    "idx": (lambda root: write_images(root, packed=False), read_images),
    "idx.gz": (lambda root: write_images(root, packed=True), read_images),
    "published sample": (
        write_sample,
        lambda root: mnist(root=root, binarize="static", valid_size=4, verify=False),
    ),
    "packed drawings": (lambda root: write_packed(root / "sketch.npz"), lambda root: sketch(root=root)),
    "pickled drawings": (lambda root: write_pickled(root / "sketch.npz"), lambda root: sketch(root=root)),
    "simplified Omniglot": (
        lambda root: write_packed(root / "handwriting" / "omniglot_stroke3.npz"),
        lambda root: omniglot(root=root),
    ),
    "folder of Omniglot": (
        lambda root: write_raw(root / "handwriting", archive=False),
        lambda root: omniglot(root=root, variant="raw"),
    ),
    "archive of Omniglot": (
        lambda root: write_raw(root / "handwriting", archive=True),
        lambda root: omniglot(root=root, variant="raw"),
    ),
    "IAM-OnDB": (write_iamondb, lambda root: iamondb(root=root)),
}


def damage(content: bytes, rng: np.random.Generator) -> bytes:
    """The content with some bytes changed, left out, doubled or put in."""
    changed = bytearray(content)
    for _ in range(rng.integers(1, 4)):
        at, length = int(rng.integers(0, len(changed) + 1)), int(rng.choice([1, 2, 8, 300]))
        new = rng.integers(0, 256, length, dtype=np.uint8).tobytes()
        kind = rng.integers(6)
        if kind == 0:
            changed[at : at + length] = new[: len(changed[at : at + length])]
        elif kind == 1:
            del changed[at : at + length]
        elif kind == 2:
            changed[at:at] = changed[at : at + length]
        elif kind == 3:
            changed[at:at] = new
        elif kind == 4:
            del changed[at:]
        else:
            changed[at : at + 1] = rng.choice([b"nan", b"1e400", b"-", b"\xff", b"\n", b"<", b"9999999999"])
    return bytes(changed)


def archive_members(path: Path) -> dict[str, bytes]:
    """Names and contents of what is in an archive; none if it is no archive."""
    if not zipfile.is_zipfile(path):
        return {}
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def attack(name: str, root: Path, seeds: range) -> tuple[int, int]:
    """Reads the corpus with one file damaged per seed; how often it was read, and how often refused."""
    write, read = CORPORA[name]
    write(root)
    paths = sorted(path for path in root.rglob("*") if path.is_file())
    counts = [0, 0]
    for seed in seeds:
        rng = np.random.default_rng(seed)
        path = paths[rng.integers(len(paths))]
        content = path.read_bytes()
        members = archive_members(path) if seed % 2 else {}
        if members:  # beyond the checksums of the archive
            chosen = sorted(members)[rng.integers(len(members))]
            members[chosen] = damage(members[chosen], rng)
            with zipfile.ZipFile(path, "w") as archive:
                for member, inner in members.items():
                    archive.writestr(member, inner)
        else:
            path.write_bytes(damage(content, rng))
        try:
            splits = read(str(root))
        except (ValueError, OSError) as error:
            text = str(error)
            assert text.isprintable(), f"seed {seed}: {text!r}"
            assert path.stem.partition(".")[0] in text or str(root) in text, f"seed {seed}: {text}"
            counts[1] += 1
        else:
            for part in (splits.train, splits.valid, splits.test):
                assert part.values.isfinite().all(), f"seed {seed}"
            counts[0] += 1
        finally:
            path.write_bytes(content)
    return counts[0], counts[1]


@pytest.mark.parametrize("name", CORPORA)
def test_damaged_files_are_read_to_finite_values_or_refused_in_one_line(tmp_path, name):
    _, refused = attack(name, tmp_path, range(20))
    assert refused > 2


@pytest.mark.soak
@pytest.mark.parametrize("name", CORPORA)
def test_many_damaged_files_are_read_to_finite_values_or_refused_in_one_line(tmp_path, name):
    _, refused = attack(name, tmp_path, range(20, 1020))
    assert refused > 100
