"""MNIST digits, read row by row or pixel by pixel.

LeCun, Bottou, Bengio, Haffner, "Gradient-based learning applied to document recognition" (1998). The published fixed
binarisation is the one of Larochelle and Murray, "The Neural Autoregressive Distribution Estimator" (2011), after
Salakhutdinov and Murray, "On the Quantitative Analysis of Deep Belief Networks" (2008).
"""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from vrnn.data.images.mnist_files import PIXELS, SIDE, read_images, read_published_sample
from vrnn.data.marks import Consent
from vrnn.data.sources.files import data_folder
from vrnn.data.splits import Sequences, Splits, Standardisation


def mnist(
    x_dim: int = SIDE,
    seed: int = 0,
    root: str | None = None,
    layout: Literal["rows", "pixels"] = "rows",
    binarize: Literal["none", "threshold", "stochastic", "static", "static_seeded"] = "stochastic",
    valid_split: Literal["last", "random", "within"] = "last",
    valid_size: int = 10_000,
    verify: Consent = True,
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
      root: the folder that holds `MNIST/raw/` with the images as torchvision lays them out, plain or as `.gz`; None:
        `data` in the working directory. Files that are not there are downloaded to it.
      layout: a step is one row of the image, or one pixel.
      binarize: see above.
      valid_split: which images of the training set validate. `last`: the last ones; `random`: chosen by `seed`;
        `within`: the last ones, which are trained on as well: for a final fit, whose settings were chosen before.
      valid_size: number of images in valid.
      verify: whether the images must be MNIST's own, known by their published checksums; False: any of 28 x 28 pixels
        in its layout, with a caution where they are others.

    Raises:
      OSError: a file cannot be read, or is not there and cannot be downloaded.
      ImportError: torchvision, which downloads files, does not work beside this torch.
      ValueError: a file is damaged or not MNIST's, or an argument does not fit the data.
    """
    expected = {"rows": SIDE, "pixels": 1}[layout]
    if x_dim != expected:
        raise ValueError(f"x_dim must be {expected} for layout={layout}, got {x_dim}; leave it to follow from layout")
    folder = data_folder(root)
    draw = None
    cautions: list[str] = []
    if binarize == "static":
        parts, file, doubt = read_published_sample(folder, verify)
        files, doubts = [file], [doubt] if doubt else []
        train, valid, test = (torch.from_numpy(part).float() for part in parts)
        if valid_split != "last" or valid_size != len(valid):
            raise ValueError(
                f"valid_split and valid_size must be last and {len(valid)} with binarize=static, whose split is "
                f"published, got {valid_split} and {valid_size}; binarize=static_seeded allows others"
            )
    else:
        read = read_images(folder, verify)
        files, doubts = [each.file for each in read], [each.doubt for each in read if each.doubt]
        images, test = (torch.from_numpy(each.pixels) for each in read)
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
        if binarize == "none":
            cautions.append(
                f"grey pixels: a Bernoulli likelihood cannot exceed -{_entropy(test):.2f} nats per image on the test "
                "set (the entropy of its pixels), and is not comparable with results on binarized MNIST"
            )
        if valid_split == "within":
            cautions.append("the validation images are among those trained on: their figures are not of unseen data")
    if doubts:
        cautions.append(f"not MNIST's own images, taken as they are (verify=false): {'; '.join(doubts)}")
    train, valid, test = (x.reshape(len(x), PIXELS // x_dim, x_dim) for x in (train, valid, test))  # [N, T, D]
    return Splits(
        train=Sequences.of_equal_length(train, draw),
        valid=Sequences.of_equal_length(valid),
        test=Sequences.of_equal_length(test),
        standardisation=Standardisation.identity(x_dim),
        caution="; ".join(cautions) or None,
        levels=None if binarize == "none" else 2,
        files=files,
        tally={"images found": len(train) + len(valid) * (valid_split != "within") + len(test)},
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
