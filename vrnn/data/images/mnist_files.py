"""MNIST's files: where they are looked for, how they are read and known to be MNIST's, and their download."""

from __future__ import annotations

import gzip
import hashlib
import os
import shutil
import socket
import struct
import tempfile
import zlib
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from vrnn.data.sources.files import listed, require_archive, require_file, shown

SIDE = 28
PIXELS = SIDE * SIDE
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
SHA256 = {  # of the uncompressed files whose MD5s, compressed, torchvision.datasets.MNIST.resources has
    "train-images-idx3-ubyte": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
    "t10k-images-idx3-ubyte": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
}
MAX_IMAGES = 1_000_000  # the largest set in MNIST's layout, EMNIST by class, has 814,255
MAX_RATIO = 1032  # deflate makes nothing smaller than that
SILENCE = 5.0  # seconds without an answer after which a server counts as out of reach
PUBLISHED_SIZES = (50_000, 10_000, 10_000)
# Share of ink, and the standard deviation of its row and of its column in pixels, of the 70,000 digits of MNIST.
INK, INK_DOWN, INK_ACROSS = 0.131, 5.51, 4.12


class ImageFile(NamedTuple):
    """What a file of images held.

    Attributes:
      pixels: the images, row-major, uint8 [N, 784].
      file: name below the data's folder, and size.
      doubt: why they are not known to be MNIST's, None where they are.
    """

    pixels: NDArray[np.uint8]
    file: tuple[str, int]
    doubt: str | None


def read_images(root: Path, verify: bool) -> tuple[ImageFile, ImageFile]:
    """MNIST's training and test images, from `root`/MNIST/raw; downloaded to it where they are not there.

    Names are those of torchvision, or with `.idx` for `-idx`; each file plain or compressed by gzip.

    Args:
      root: the folder that holds MNIST/raw.
      verify: refuse images that are not MNIST's own.

    Raises:
      OSError: a file cannot be read, or is not there and cannot be downloaded.
      ImportError: a file is not there, and torchvision, which would download it, does not work beside this torch.
      ValueError: a file is damaged, or is not MNIST's.
    """
    raw, (train, test) = root / "MNIST" / "raw", SHA256
    read = {name: _read(root, name, verify) for name in SHA256 if _find(raw, name) is not None}
    missing = [name for name in SHA256 if name not in read]
    if missing and (doubts := [image.doubt for image in read.values() if image.doubt]):
        raise FileNotFoundError(
            f"{missing[0]} is not in {shown(raw)}, and MNIST's own, which can be downloaded, does not go with what is "
            f"there, {doubts[0]}"
        )
    if missing:
        try:
            os.listdir(raw)
        except FileNotFoundError:
            pass
        except OSError as error:
            advice = "it holds MNIST's files; make it readable, or give another root"
            raise type(error)(f"{shown(raw)} cannot be read ({error.strerror}): {advice}") from error
        try:
            _download(raw)
        except (OSError, RuntimeError, HTTPException) as error:
            reason = str(error).strip().rpartition("\n")[2]  # torchvision lists every mirror, the last one last
            raise FileNotFoundError(
                f"MNIST is not in {shown(raw)}: expected there, plain or as .gz, {train} and {test}; downloading them "
                f"failed: {reason}. Give root=<the folder that holds MNIST/raw>, or "
                "connect to the network"
            ) from error
    for name in missing:
        read[name] = _read(root, name, verify)
    return read[train], read[test]


def _find(raw: Path, name: str) -> Path | None:
    """The file of that name in one of the forms in which it is passed on; None where nothing at all has the name."""
    spellings = (name, name.replace("-idx", ".idx"))
    places = [raw / spelling for spelling in spellings]
    places += [raw / spelling / spelling for spelling in spellings]  # an archive of Kaggle's unpacks to this
    places += [raw / f"{spelling}.gz" for spelling in spellings]
    taken = [path for path in places if os.path.lexists(path)]
    return next((path for path in taken if os.path.isfile(path)), taken[0] if taken else None)


def _read(root: Path, name: str, verify: bool) -> ImageFile:
    """The images of one file."""
    path = _find(root / "MNIST" / "raw", name)
    assert path is not None
    require_file("MNIST is read from", path, f"put {name} in its place, plain or as .gz, or give another root")
    try:
        with path.open("rb") as file:
            packed = file.read(2) == b"\x1f\x8b"  # the name does not tell: some programs unpack, others do not
        with gzip.open(path) if packed else path.open("rb") as file:
            head = file.read(16)
            magic, number, *sides = struct.unpack(">4I", head.ljust(16, b"\0"))
            size = path.stat().st_size
            fits = size * MAX_RATIO >= number * PIXELS if packed else size == 16 + number * PIXELS
            if (magic, sides) != (0x0803, [SIDE, SIDE]) or not 1 <= number <= MAX_IMAGES or not fits:
                raise ValueError(f"its {size} bytes begin with {head[:16]!r}")
            pixels = np.empty((number, PIXELS), np.uint8)
            if file.readinto(pixels.reshape(-1).data) != pixels.size or file.read(1):
                raise ValueError(f"unpacked, it does not hold the {number} images that its header says")
    except (ValueError, EOFError, zlib.error, OSError) as error:
        raise ValueError(
            f"{shown(path)} is damaged: no IDX file of 1 to {MAX_IMAGES} images of {SIDE} x {SIDE} pixels, cut short "
            f"perhaps ({error}); delete it to have it downloaded again, or give another root"
        ) from error
    digest = hashlib.sha256(head)
    digest.update(pixels.data)
    if digest.hexdigest() == SHA256[name]:
        return ImageFile(pixels, listed(path, root), None)
    found = (
        f"its {number} images, {pixels.mean() / 255:.1%} of it ink, have SHA-256 {digest.hexdigest()[:16]}..., and "
        f"MNIST's own have {SHA256[name][:16]}..."
    )
    if verify:
        raise ValueError(
            f"{shown(path)} is not MNIST's {name}: {found}; it may be of FashionMNIST, KMNIST or EMNIST, whose files "
            "have the same names. Give another root, or verify=false to take these images as they are, with "
            "a caution beside every figure"
        )
    return ImageFile(pixels, listed(path, root), f"{path.name}: {found}")


def read_published_sample(root: Path, verify: bool) -> tuple[list[NDArray[np.uint8]], tuple[str, int], str | None]:
    """Train, valid and test of the published binarisation, pixels in {0, 1} [N, 784]; the file, and a doubt about it.

    Its bits have no checksum that all agree on, so it is known by its sizes and by how much ink there is, and where.

    Raises:
      OSError: the file is not there, or cannot be read.
      ValueError: it is damaged, or is not the published sample.
    """
    path = root / "mnist_static_binarized" / "binarized_mnist_packed.npz"
    require_file(
        "binarize=static needs",
        path,
        "expected an npz file with the keys train, valid and test, each np.packbits(pixels, axis=1), uint8 [N, 98]. "
        "Give root=<the folder that holds mnist_static_binarized>, or take "
        "binarize=static_seeded, which makes such a sample from seed",
    )
    try:
        require_archive(path)
        with np.load(path, allow_pickle=False) as packed:
            bits = [np.unpackbits(packed[name], axis=1) for name in ("train", "valid", "test")]
    except Exception as error:  # a damaged archive fails in zipfile, zlib or numpy, each in its own way
        raise ValueError(f"{shown(path)} is damaged ({error}); put an intact copy in its place") from error
    if any(part.shape[1] != PIXELS or not len(part) for part in bits):
        raise ValueError(f"{shown(path)} must hold {PIXELS} pixels an image, got {[list(part.shape) for part in bits]}")
    doubt = _doubt(bits)
    if doubt and verify:
        raise ValueError(
            f"{shown(path)} is not the published sample of MNIST: {doubt}. Give another root, or "
            "verify=false to take these images as they are, with a caution beside every figure"
        )
    return bits, listed(path, root), doubt and f"{path.name}: {doubt}"


def _doubt(bits: list[NDArray[np.uint8]]) -> str | None:
    """Why images of train, valid and test in {0, 1} [N, 784] are not those of the published sample; None: they are."""
    sizes = tuple(len(part) for part in bits)
    if sizes != PUBLISHED_SIZES:
        return f"train, valid and test have {sizes} images, not {PUBLISHED_SIZES}"
    for name, part in zip(("train", "valid", "test"), bits, strict=True):
        mean = part.reshape(-1, SIDE, SIDE).mean(0)  # [28, 28]
        place, share = np.arange(SIDE), mean / mean.sum()
        spread = [np.sqrt(((place - weights @ place) ** 2) @ weights) for weights in (share.sum(1), share.sum(0))]
        measured = np.array([mean.mean(), *spread])
        if not (np.abs(measured - (INK, INK_DOWN, INK_ACROSS)) < (0.004, 0.1, 0.1)).all():
            return (
                f"{name} has {measured[0]:.1%} ink, spread {measured[1]:.2f} pixels down and {measured[2]:.2f} across, "
                f"where MNIST has {INK:.1%}, {INK_DOWN} and {INK_ACROSS}"
            )
    return None


def _download(raw: Path) -> None:
    """Fetches those of MNIST's files that are not in `raw`, all or none; never replaces one that is.

    They are fetched elsewhere and renamed into place, so that a failure leaves nothing behind and jobs that start
    at the same time never read half a file.
    """
    try:
        from torchvision.datasets import MNIST
    except Exception as error:  # a mismatched pair fails as RuntimeError, OSError, AttributeError or ImportError
        from torch import __version__

        raise ImportError(
            f"torchvision, which downloads MNIST, cannot be imported beside torch {__version__} ({error}); "
            "the two must come from one source: pip install --force-reinstall torch torchvision"
        ) from error
    waiting = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE)  # torchvision sets none: a firewall that drops packets would hang it for minutes
    try:
        with tempfile.TemporaryDirectory() as stage:
            MNIST(stage, download=True)
            raw.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(prefix="unfinished-", dir=raw) as beside:
                for name in FILES:
                    shutil.move(Path(stage, "MNIST", "raw", name), beside)
                for name in FILES:
                    if _find(raw, name) is None:
                        Path(beside, name).rename(raw / name)
    finally:
        socket.setdefaulttimeout(waiting)
