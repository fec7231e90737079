"""Forecasts the end of each sequence by sample paths: python -m experiments.forecast run=<run directory> horizon=24."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
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
from experiments.run.looking import Looked, in_order, look, opened
from vrnn.batch import Batch
from vrnn.figures.lines import Lines
from vrnn.models.base import SequenceModel
from vrnn.training.evaluation import judging
from vrnn.training.forecasts import Autoregression, Naive, Quality, filled, judge

KEYS = ("horizon", "num", "season", "order", "paths", "save")
QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)
DRAWN = 3  # sequences in the picture
Reference = Callable[[Tensor, int, int, torch.Generator], Tensor]


def forecast(cfg: DictConfig, context: JobContext) -> int:
    """Writes forecasts.parquet (or npz), forecasts.json and forecasts.png; prints a row for the model and references.

    Raises:
      UserError: no sequence is longer than the horizon and the references' past, or a value is wrong.
    """
    looked = look(cfg)
    sequences, least = looked.restored.sequences, max(cfg.order, cfg.season or 1)
    longest = int(sequences.lengths.max())
    if longest < cfg.horizon + least:
        raise UserError(
            f"horizon={cfg.horizon}: expected at most {longest - least}, since the sequences of {cfg.split} have up to "
            f"{longest} steps, of which {least} must come before (order={cfg.order}, season={cfg.season})"
        )
    form = find_format(cfg.save)
    train, generator = looked.restored.splits.train, torch.Generator().manual_seed(looked.seed)
    references: dict[str, Reference] = {
        "last value": Naive(train, 1, cfg.horizon, generator).sample,
        f"autoregression of order {cfg.order}": Autoregression(train, cfg.order).sample,
    }
    if cfg.season is not None:
        references["last season"] = Naive(train, cfg.season, cfg.horizon, generator).sample
    folder = opened(cfg, looked, "forecasts", KEYS)
    with TableFile(folder / "forecasts", form) as file:
        found, drawn, skipped = forecasts(looked.restored.model, looked, cfg, references, file, least)
    rows = [{"": name, **quality.summary()} for name, quality in found.items()]
    about = {"split": cfg.split, "checkpoint": cfg.checkpoint, "step": looked.restored.step, "seed": looked.seed}
    about |= {key: cfg[key] for key in KEYS} | {"unit": "standard deviations of train", "skipped": skipped}
    about["figures"] = {name: quality.summary() for name, quality in found.items()}
    write_json(folder / "forecasts.json", {"format": 1, **about, **provenance(context)})
    draw(looked, drawn, cfg, folder / "forecasts.png")
    windows = len(sequences) - skipped
    show_table(
        f"Forecasts of the last {cfg.horizon} steps of {windows} sequences of {cfg.split}, {cfg.num} paths", rows
    )
    say("unit        standard deviations of train, lower is better; coverage: share inside the central band")
    if skipped:
        say(f"note        {skipped} sequences are too short and were left out")
    say(f"written to  {folder}: {', '.join(sorted(path.name for path in folder.glob('forecasts.*')))}")
    return 0


@judging
def forecasts(
    model: SequenceModel,
    looked: Looked,
    cfg: DictConfig,
    references: dict[str, Reference],
    file: TableFile,
    least: int,
) -> tuple[dict[str, Quality], list[tuple[Tensor, Tensor]], int]:
    """Writes the quantiles; returns how good all are, a few sequences with their paths, and how many fall out."""
    device, scale = looked.restored.sequences.device, looked.restored.splits.standardisation
    draws, cpu = (torch.Generator(place).manual_seed(looked.seed) for place in (device, "cpu"))
    found: dict[str, Quality] = {}
    drawn: list[tuple[Tensor, Tensor]] = []
    skipped = 0
    for batch in in_order(looked, looked.restored.sequences, cfg.memory_gb, cfg.num):
        kept = batch.lengths >= cfg.horizon + least
        skipped += int((~kept).sum())
        if not bool(kept.any()):
            continue
        batch = Batch(*(field[kept] for field in batch.fields))
        given = batch.lengths - cfg.horizon
        rows = (given[:, None] + torch.arange(cfg.horizon, device=device))[..., None]  # [N, H, 1]
        seen = torch.ones_like(batch.x, dtype=torch.bool) if batch.observed is None else batch.observed
        truth, observed = (field.take_along_dim(rows, 1).cpu() for field in (batch.x, seen))
        prefix = Batch(batch.x, given, batch.index, batch.observed)
        sampled = model.sample(batch.size * cfg.num, cfg.horizon, draws, prefix.repeated(cfg.num))
        paths = {"this model": sampled.view(batch.size, cfg.num, cfg.horizon, -1).cpu()}
        past, ends = filled(batch.x, batch.observed).cpu(), given.tolist()
        for name, sample in references.items():
            each = [sample(past[n : n + 1, :end], cfg.horizon, cfg.num, cpu) for n, end in enumerate(ends)]
            paths[name] = torch.cat(each)
        for name, drawn_paths in paths.items():
            found[name] = judge(drawn_paths, truth, observed).plus(found.get(name))
        raw = scale.inverse(paths["this model"].double())
        known = torch.where(observed, scale.inverse(truth.double()), torch.nan)
        file.add(table(batch, ends, raw, known, looked, cfg))
        for n in range(min(DRAWN - len(drawn), batch.size)):
            own = scale.inverse(batch.x[n, : ends[n]].cpu().double())
            own = torch.where(seen[n, : ends[n]].cpu(), own, torch.nan)
            drawn.append((torch.cat([own, known[n]]), torch.cat([own.expand(cfg.num, -1, -1), raw[n]], 1)))
    return found, drawn, skipped


def table(
    batch: Batch, ends: list[int], raw: Tensor, known: Tensor, looked: Looked, cfg: DictConfig
) -> dict[str, np.ndarray]:
    """A row for each value that is forecast: where it is, what came, and the quantiles of the paths, in raw units."""
    size, _, horizon, x_dim = raw.shape
    columns = looked.restored.cfg.data.get("columns") or [f"x{d}" for d in range(x_dim)]
    steps = np.asarray(ends)[:, None] + np.arange(horizon)
    rows: dict[str, Any] = {
        "sequence": np.repeat(batch.index.cpu().numpy(), horizon * x_dim),
        "step": np.repeat(steps.ravel(), x_dim),
        "column": np.tile(np.array([str(name) for name in columns], np.str_), size * horizon),
        "value": known.numpy().ravel(),
        "mean": raw.mean(1).numpy().ravel(),
    }
    quantiles = raw.quantile(torch.tensor(QUANTILES, dtype=raw.dtype), 1)
    rows |= {f"q{100 * q:02.0f}": each.numpy().ravel() for q, each in zip(QUANTILES, quantiles, strict=True)}
    if cfg.paths:
        rows["path"] = raw.movedim(1, -1).reshape(-1, cfg.num).numpy()
    return rows


def draw(looked: Looked, drawn: list[tuple[Tensor, Tensor]], cfg: DictConfig, path: Path) -> None:
    """The picture: what came, and the bands of the paths after what was given."""
    columns = looked.restored.cfg.data.get("columns")
    names = [str(name) for name in columns] if columns else None
    rows = {"input": [values.numpy() for values, _ in drawn]}
    rows |= {f"continuation {k + 1}": [paths[k].numpy() for _, paths in drawn] for k in range(cfg.num)}
    given = min(len(values) for values, _ in drawn) - cfg.horizon
    title = f"Forecasts of the last {cfg.horizon} steps"
    Lines(names, num_examples=DRAWN).draw(rows, path, title=title, prefix=given)


def main() -> NoReturn:
    """The app, as `python -m experiments.forecast` and as the command vrnn-forecast."""
    launch("forecast", forecast)


if __name__ == "__main__":
    main()
