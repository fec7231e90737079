"""Pictures (and sounds) of what a model makes: prior samples, reconstructions, continuations."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from experiments.errors import UserError
from vrnn.data.splits import Sequences, Splits
from vrnn.models.base import SequenceModel
from vrnn.training.evaluation import judging
from vrnn.training.noise import keyed_noise


@judging
def draw_gallery(
    model: SequenceModel,
    splits: Splits,
    figure: Any,
    directory: Path,
    *,
    split: str,
    num: int,
    seed: int,
    prefix: int | None = None,
    steps: int | None = None,
) -> list[Path]:
    """Draws samples.png, reconstructions.png and continuations.png, and what else the figure writes.

    Args:
      model: on any device.
      splits: gives inputs, and the way back to raw space.
      figure: how these data are drawn, see `vrnn.figures`.
      directory: where the files go.
      split: the split that inputs are taken from, evenly spread over it.
      num: sequences to draw.
      seed: of all draws.
      prefix: steps that a continuation is given; None: half of the shortest input.
      steps: steps of a prior sample; None: as long as the inputs.

    Returns:
      The files written.
    """
    device = next(model.parameters()).device
    sequences: Sequences = getattr(splits, split)
    paths = getattr(figure, "num_paths", 1)
    num = min(num, figure.num_examples) if paths > 1 else num  # bands take many draws of each
    index = torch.linspace(0, len(sequences) - 1, min(num, len(sequences))).long()
    batch = sequences.to(device).batch(index, torch.Generator(device).manual_seed(seed))
    generator = torch.Generator(device).manual_seed(seed)
    lengths = batch.lengths.tolist()
    if prefix is not None and prefix >= min(lengths):
        raise UserError(f"prefix={prefix}: expected fewer steps than the {min(lengths)} of the shortest sequence here")

    def raw(x: Tensor, ends: list[int], observed: Tensor | None = None) -> list[np.ndarray]:
        x = splits.pictured(x)
        x = (x if observed is None else torch.where(observed, x, torch.nan)).cpu()
        return [sequence[:end].numpy() for sequence, end in zip(x, ends, strict=True)]

    directory.mkdir(parents=True, exist_ok=True)
    if getattr(figure, "draws_nothing", False):
        return []
    inputs = raw(batch.x, lengths, batch.observed)
    drawn = model.sample(batch.size, steps or batch.steps, generator)
    ends = [steps] * batch.size if steps else lengths
    files = figure.draw({"sample": raw(drawn, ends)}, directory / "samples.png", title="Samples from the model")

    noises = keyed_noise(seed, batch, paths, model.z_dim).unflatten(0, (-1, paths)).unbind(1)  # [B, T, Z] each
    reconstructions = (model.reconstruct(batch, noise) for noise in noises)
    # Without latent variables there is nothing to reconstruct from: the mean is that of the next step.
    name = "reconstruction" if model.z_dim else "prediction"
    title = "Posterior reconstructions (means)" if model.z_dim else "Predictions of each step from those before (means)"
    rows = {"input": inputs}
    if paths == 1:
        rows[name] = raw(next(reconstructions).mean, lengths)
    else:
        title = title.replace("(means)", "(draws)")
        for number, distribution in enumerate(reconstructions, 1):
            rows[f"{name} {number}"] = raw(distribution.sample(generator), lengths)
    files += figure.draw(rows, directory / "reconstructions.png", title=title)

    given = prefix or max(1, min(lengths) // 2)
    start = next(batch.chunks(given))
    rest = max(batch.steps - given, 1)
    rows = {"input": inputs}
    for number in range(1, max(2, paths) + 1):
        continued = torch.cat([start.x, model.sample(batch.size, rest, generator, start)], 1)
        rows[f"continuation {number}"] = raw(continued, [max(length, given + 1) for length in lengths])
    title = f"Continuations of the first {given} steps"
    files += figure.draw(rows, directory / "continuations.png", title=title, prefix=given)
    return files
