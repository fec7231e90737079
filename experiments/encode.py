"""Writes the latents of a run's sequences: python -m experiments.encode run=<run directory>."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import torch
from omegaconf import DictConfig
from torch import Tensor

from experiments.cli.app import launch
from experiments.cli.context import JobContext
from experiments.cli.tables import show_table
from experiments.cli.terminal import say
from experiments.disk.arrays import TableFile, find_format
from experiments.disk.files import write_json
from experiments.errors import UserError
from experiments.run.directory import provenance
from experiments.run.looking import Looked, in_order, look, opened, steps_of
from vrnn.figures.latents import draw_latents
from vrnn.training.evaluation import judging
from vrnn.training.latents import Usage
from vrnn.training.noise import keyed_noise

MAX_POINTS = 20_000  # steps that the picture is made of


def encode(cfg: DictConfig, context: JobContext) -> int:
    """Writes latents.parquet (or npz), latents.json and latents.png; prints what each dimension carries.

    Raises:
      UserError: the model has no latent variables, or a value is wrong.
    """
    looked = look(cfg)
    if not looked.restored.model.z_dim:
        raise UserError(f"{looked.run}: its model has no latent variables, so there is nothing to encode")
    form = find_format(cfg.save)
    folder = opened(cfg, looked, "latents", ("what", "save"))
    with TableFile(folder / "latents", form) as file:
        usage, points, colours = written(looked.restored.model, looked, cfg, file)
    rows = usage.rows()
    colour_by = next((name for name in ("label", "group") if name in colours), "step")
    picture = folder / "latents.png"
    if len(points) > 2:
        draw_latents(points, colours[colour_by], picture, kl=usage.kl, active=usage.active, colour_by=colour_by)
    about = {"split": cfg.split, "checkpoint": cfg.checkpoint, "step": looked.restored.step, "seed": looked.seed}
    about |= {
        "what": cfg.what,
        "active_units": int(usage.active.sum()),
        "kl": float(usage.kl.sum()),
        "dimensions": rows,
    }
    write_json(folder / "latents.json", {"format": 1, **about, **provenance(context)})
    title = f"Latents of {cfg.split}, checkpoint {cfg.checkpoint} (step {looked.restored.step})"
    show_table(title, rows[:20], more=len(rows) - 20)
    say(
        f"active      {int(usage.active.sum())} of {len(rows)} dimensions; KL {float(usage.kl.sum()):.4g} nats per step"
    )
    if usage.warning is not None:
        say(f"caution     {usage.warning}")
    say(f"written to  {folder}: {', '.join(sorted(path.name for path in folder.glob('latents.*')))}")
    return 0


@judging
def written(model: Any, looked: Looked, cfg: DictConfig, file: TableFile) -> tuple[Usage, np.ndarray, dict[str, Any]]:
    """Writes the latents; returns how they are used, and some steps' means [n, Z] with what is known of these steps."""
    sequences, usage = looked.restored.sequences, Usage(model.z_dim)
    every = max(1, int(sequences.lengths.sum()) // MAX_POINTS)
    kept: list[np.ndarray] = []
    known: dict[str, list[np.ndarray]] = {}
    for batch in in_order(looked, sequences, cfg.memory_gb):
        noise = keyed_noise(looked.seed, batch, 1, model.z_dim)
        found = model.infer(batch, noise)
        usage.add(found, batch.mask)
        mean = found.posterior if cfg.what == "sample" else model.encode(batch, torch.zeros_like(noise))
        fields = {"mean": mean.loc, "std": mean.scale, "sample": found.z}
        if cfg.what != "all":
            fields = {cfg.what: fields[cfg.what]}
        rows = {name: np.asarray(values) for name, values in steps_of(batch, sequences).items()}
        file.add(rows | {name: real(values, batch.mask) for name, values in fields.items()})
        kept.append(real(mean.loc, batch.mask)[::every])
        for name, values in rows.items():
            known.setdefault(name, []).append(values[::every])
    return usage, np.concatenate(kept), {name: np.concatenate(values) for name, values in known.items()}


def real(values: Tensor, mask: Tensor) -> np.ndarray:
    """The real steps of values [B, T, ...], end to end [n, ...]."""
    return values[mask].float().cpu().numpy()


def main() -> NoReturn:
    """The app, as `python -m experiments.encode` and as the command vrnn-encode."""
    launch("encode", encode)


if __name__ == "__main__":
    main()
