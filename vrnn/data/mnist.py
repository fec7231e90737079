"""MNIST digits, read row by row or pixel by pixel.

LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition" (1998). The published fixed
binarisation is the one of Larochelle and Murray, "The Neural Autoregressive Distribution Estimator" (2011), after
Salakhutdinov and Murray, "On the Quantitative Analysis of Deep Belief Networks" (2008).
"""

from __future__ import annotations

import math
import os
import shutil
import socket
import tempfile
from http.client import HTTPException
from pathlib import Path
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from vrnn.data.splits import Sequences, Splits, Standardisation

SIDE = 28
PIXELS = SIDE * SIDE
FILES = ("train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte")
SILENCE = 5.0  # seconds without an answer after which a server counts as out of reach


def mnist(
    x_dim: int = SIDE,
    seed: int = 0,
    root: str | None = None,
    layout: Literal["rows", "pixels"] = "rows",
    binarize: Literal["none", "threshold", "stochastic", "static", "static_seeded"] = "stochastic",
    valid_split: Literal["last", "random", "within"] = "last",
    valid_size: int = 10_000,
) -> Splits:
    """MNIST as 28 steps of 28 pixels or 784 steps of one, in row-major order, ink = 1.

    `binarize` says what x is:

    - `none`: the grey pixel / 255, in [0, 1].
    - `threshold`: 1 where the grey value is above 0.5.
    - `stochastic`: a Bernoulli draw with the grey value as its probability. Train is drawn anew at every visit; valid
      and test are drawn once, from `seed`, so that their figures do not move between epochs.
    - `static`: the published fixed sample, with its own split 50,000/10,000/10,000 and its own order. Its file is
      `<root>/mnist_static_binarized/binarized_mnist_packed.npz`: keys train, valid and test, each
      `np.packbits(pixels, axis=1)`, uint8 [N, 98].
    - `static_seeded`: one draw from `seed` for all three parts; the same test set as under `stochastic`.

    Test is MNIST's own test set; valid is taken from its training set.

    Args:
      x_dim: pixels a step; it follows from `layout` (28 or 1) and is refused if it does not.
      seed: makes the draws and the random validation set.
      root: the folder that holds `MNIST/raw/` as torchvision lays it out; None: `data` in the working directory.
        Files that are not there are downloaded to it.
      layout: a step is one row of the image, or one pixel.
      binarize: see above.
      valid_split: which images of the training set validate. `last`: the last ones; `random`: chosen by `seed`;
        `within`: the last ones, which are trained on as well: for a final fit, whose settings were chosen before.
      valid_size: number of images in valid.

    Raises:
      FileNotFoundError: the files are not there and cannot be downloaded.
      ImportError: torchvision does not work beside this torch.
      ValueError: a file is damaged, or an argument does not fit the data.
    """
    expected = {"rows": SIDE, "pixels": 1}[layout]
    if x_dim != expected:
        raise ValueError(f"x_dim must be {expected} for layout={layout}, got {x_dim}; leave it to follow from layout")
    folder = Path("data" if root is None else root).expanduser()
    draw = caution = None

    if binarize == "static":
        train, valid, test = _published_sample(folder)
        if valid_split != "last" or valid_size != len(valid):
            raise ValueError(
                f"valid_split and valid_size must be last and {len(valid)} with binarize=static, whose split is "
                f"published, got {valid_split} and {valid_size}; binarize=static_seeded allows others"
            )
    else:
        images, test = _images(folder)
        if not 1 <= valid_size < len(images):
            raise ValueError(f"valid_size must be from 1 to {len(images) - 1}, got {valid_size}")
        generator = torch.Generator().manual_seed(seed)
        order = torch.randperm(len(images), generator=generator)  # always drawn: the draws below must not depend on it
        if valid_split != "random":
            order = torch.arange(len(images))
        train = images if valid_split == "within" else images[order[:-valid_size]]
        valid = images[order[-valid_size:]]
        # Train comes last, so that valid and test are the same pixels under stochastic and static_seeded.
        test, valid = _binarized(test, binarize, generator), _binarized(valid, binarize, generator)
        train = _binarized(train, "none" if binarize == "stochastic" else binarize, generator)
        if binarize == "stochastic":
            draw = _redraw
        cautions = []
        if binarize == "none":
            cautions.append(
                f"grey pixels: a Bernoulli likelihood cannot exceed -{_entropy(test):.2f} nats per image on the test "
                "set (the entropy of its pixels), and is not comparable with results on binarized MNIST"
            )
        if valid_split == "within":
            cautions.append("the validation images are among those trained on: their figures are not of unseen data")
        caution = "; ".join(cautions) or None

    train, valid, test = (x.reshape(len(x), PIXELS // x_dim, x_dim) for x in (train, valid, test))  # [N, T, D]
    return Splits(
        train=Sequences.of_equal_length(train, draw),
        valid=Sequences.of_equal_length(valid),
        test=Sequences.of_equal_length(test),
        standardisation=Standardisation.identity(x_dim),
        caution=caution,
        levels=None if binarize == "none" else 2,
    )


def _binarized(images: Tensor, binarize: str, generator: torch.Generator) -> Tensor:
    """x [N, 784] in [0, 1], from images uint8 [N, 784]."""
    grey = images.float().div_(255)
    if binarize == "none":
        return grey
    if binarize == "threshold":
        return (grey > 0.5).float()
    return torch.bernoulli(grey, generator=generator)


def _redraw(grey: Tensor, generator: torch.Generator) -> Tensor:
    """x ~ Bernoulli(grey) [B, T, D], from grey values [B, T, D]."""
    return torch.bernoulli(grey, generator=generator)


def _entropy(grey: Tensor) -> float:
    """Mean over images of sum_pixels H(Bernoulli(grey)), in nats; grey values [N, 784].

    For a target g in [0, 1], g log p + (1 - g) log(1 - p) is highest at p = g, where it is minus this entropy.
    """
    entropy = torch.special.entr(grey) + torch.special.entr(1 - grey)
    return float(entropy.sum(dim=-1).double().mean())


def _images(root: Path) -> tuple[Tensor, Tensor]:
    """MNIST's own training and test images, uint8 [N, 784] each."""
    try:
        from torchvision.datasets import MNIST
    except Exception as error:  # a mismatched pair fails as RuntimeError, OSError, AttributeError or ImportError
        raise ImportError(
            f"torchvision, which reads MNIST, cannot be imported beside torch {torch.__version__} ({error}); "
            "the two must come from one source: pip install --force-reinstall torch torchvision"
        ) from error
    raw = root / "MNIST" / "raw"
    if not all((raw / name).is_file() for name in FILES):
        try:
            _download(raw)
        except (OSError, RuntimeError, HTTPException) as error:
            reason = str(error).strip().rpartition("\n")[2]  # torchvision lists every mirror, the last one last
            raise FileNotFoundError(
                f"MNIST is not in {raw.absolute()}: expected there, uncompressed, {', '.join(FILES)}; downloading them "
                f"failed: {reason}. Give data.root=<the folder that holds MNIST/raw>, set VRNN_DATA_DIR to it, "
                "or connect to the network"
            ) from error
    for name in FILES:
        _check_idx(raw / name)
    train, test = (MNIST(str(root), train=part).data for part in (True, False))  # uint8 [N, 28, 28]
    return train.flatten(1), test.flatten(1)


def _download(raw: Path) -> None:
    """Fetches MNIST's files into `raw`, all or none.

    They are fetched elsewhere and renamed into place, so that a failure leaves nothing behind and jobs that start
    at the same time never read half a file.
    """
    from torchvision.datasets import MNIST

    waiting = socket.getdefaulttimeout()
    socket.setdefaulttimeout(SILENCE)  # torchvision sets none: a firewall that drops packets would hang it for minutes
    try:
        with tempfile.TemporaryDirectory() as stage:
            MNIST(stage, download=True)
            raw.mkdir(parents=True, exist_ok=True)
            for name in FILES:
                part = raw / f"{name}.{os.getpid()}.part"
                shutil.move(Path(stage, "MNIST", "raw", name), part)
                part.replace(raw / name)
    finally:
        socket.setdefaulttimeout(waiting)


def _check_idx(path: Path) -> None:
    """Refuses an IDX file whose header and size are not those of MNIST images [N, 28, 28] or labels [N]."""
    sides = [SIDE, SIDE] if "idx3" in path.name else []
    head = np.fromfile(path, dtype=">u4", count=2 + len(sides)).tolist()  # magic number, N, sides
    magic = 0x0801 + len(sides)  # unsigned bytes, number of axes
    size = path.stat().st_size
    if head[:1] + head[2:] != [magic, *sides] or size != 4 * len(head) + math.prod(head[1:]):
        raise ValueError(
            f"{path.absolute()} is damaged: its {size} bytes are not an MNIST IDX file "
            f"({'images of 28 x 28 pixels' if sides else 'labels'}), cut short perhaps; delete it to have it "
            "downloaded again, or give another data.root"
        )


def _published_sample(root: Path) -> tuple[Tensor, Tensor, Tensor]:
    """Train, valid and test of the published binarisation, x in {0, 1} [N, 784]."""
    path = root / "mnist_static_binarized" / "binarized_mnist_packed.npz"
    if not path.is_file():
        raise FileNotFoundError(
            f"binarize=static needs {path.absolute()} (keys train, valid, test; np.packbits(pixels, axis=1), uint8 "
            "[N, 98]), which is not there. Give data.root=<the folder that holds mnist_static_binarized>, set "
            "VRNN_DATA_DIR to it, or take binarize=static_seeded, which makes such a sample from data.seed"
        )
    try:
        with np.load(path, allow_pickle=False) as packed:
            bits = [np.unpackbits(packed[name], axis=1) for name in ("train", "valid", "test")]
    except Exception as error:  # a damaged archive fails in zipfile, zlib or numpy, each in its own way
        raise ValueError(f"{path.absolute()} is damaged ({error}); put an intact copy in its place") from error
    if any(part.shape[1] != PIXELS for part in bits):
        raise ValueError(f"{path.absolute()} must hold {PIXELS} pixels an image, got {[b.shape[1] for b in bits]}")
    train, valid, test = (torch.from_numpy(part).float() for part in bits)
    return train, valid, test
