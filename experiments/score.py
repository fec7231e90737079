"""Scores every step of a run's data or of new files: python -m experiments.score run=<run directory>."""

from __future__ import annotations

from typing import Any, NoReturn

import numpy as np
import torch
from omegaconf import DictConfig

from experiments.cli.app import launch
from experiments.cli.context import JobContext
from experiments.cli.tables import show_table
from experiments.cli.terminal import say
from experiments.disk.arrays import TableFile, find_format
from experiments.disk.files import write_json
from experiments.errors import UserError
from experiments.run.directory import provenance
from experiments.run.looking import Looked, in_order, look, opened, steps_of
from vrnn.data.splits import Sequences
from vrnn.figures.scores import draw_scores
from vrnn.training.device import find_device
from vrnn.training.predictive import predictive

MAX_DIMENSIONS = 16  # up to which each is scored unasked
KEYS = ("num_samples", "dimensions", "quantile", "save")


def score(cfg: DictConfig, context: JobContext) -> int:
    """Writes scores.parquet (or npz), scores.json and scores.png; prints the threshold and, with labels, how it ranks.

    Raises:
      UserError: a value is wrong, or does not fit the run.
    """
    looked = look(cfg, whole=True)
    model, sequences = looked.restored.model, looked.restored.sequences
    dimensions = wants_dimensions(cfg, looked)
    form = find_format(cfg.save)
    reference, note = own_valid_scores(cfg, looked)
    threshold = None if reference is None else float(np.quantile(reference, cfg.quantile))
    folder = opened(cfg, looked, "scores", KEYS)
    names = names_of(looked)
    scores: list[np.ndarray] = []
    with TableFile(folder / "scores", form) as file:
        for batch in in_order(looked, sequences, cfg.memory_gb, cfg.num_samples):
            found = predictive(model, batch, num_samples=cfg.num_samples, seed=looked.seed, dimensions=dimensions)
            own = scored(found.log_px, batch.mask, None if batch.observed is None else batch.observed.any(-1))
            rows = {name: np.asarray(values) for name, values in steps_of(batch, sequences).items()}
            rows["score"] = own
            if found.dimensions is not None:
                seen = [None] * len(names) if batch.observed is None else batch.observed.unbind(-1)
                for name, nats, mask in zip(names, found.dimensions.unbind(-1), seen, strict=True):
                    rows[f"score_{name}"] = scored(nats, batch.mask, mask)
            if threshold is not None:
                rows["anomaly"] = (own > threshold).astype(np.uint8)
            file.add(rows)
            scores.append(own)
    told = np.concatenate(scores)
    labels = None if sequences.labels is None else labels_in_order(sequences)
    figures = summary(told, reference, threshold, labels, cfg.quantile)
    about = {"split": cfg.split, "checkpoint": cfg.checkpoint, "step": looked.restored.step, "seed": looked.seed}
    about |= {key: cfg[key] for key in KEYS} | {"figures": figures, "note": note}
    write_json(folder / "scores.json", {"format": 1, **about, **provenance(context)})
    draw(looked, told, reference, threshold, folder)
    title = f"One-step predictive scores, checkpoint {cfg.checkpoint} (step {looked.restored.step})"
    show_table(title, [{"": name, "value": value, "unit": unit} for name, (value, unit) in figures.items()])
    if note is not None:
        say(f"note        {note}")
    say(f"written to  {folder}: {', '.join(sorted(path.name for path in folder.glob('scores.*')))}")
    return 0


def wants_dimensions(cfg: DictConfig, looked: Looked) -> bool:
    """Whether each dimension is scored by itself.

    Raises:
      UserError: that was asked for, and the likelihood cannot.
    """
    likelihood = looked.restored.model.likelihood
    if cfg.dimensions and not likelihood.takes_missing:
        raise UserError(f"dimensions=true: a {likelihood.label} has no density of one dimension alone; leave it out")
    if cfg.dimensions is None:
        return likelihood.takes_missing and looked.restored.splits.x_dim <= MAX_DIMENSIONS
    return bool(cfg.dimensions)


def own_valid_scores(cfg: DictConfig, looked: Looked) -> tuple[np.ndarray | None, str | None]:
    """The scores of all steps of the run's own valid, and why there are none where that is so."""
    restored, sequences = looked.restored, looked.restored.splits.valid
    if restored.other is not None:
        try:
            own = cfg.copy()
            own.update(root=None, split="valid")
            trained = look(own).restored
        except UserError as error:
            return None, f"no threshold, since the run's own valid is not there: {error}"
        sequences = trained.splits.valid
    sequences = sequences.to(find_device(cfg.device))
    found = []
    for batch in in_order(looked, sequences, cfg.memory_gb, cfg.num_samples):
        nats = predictive(restored.model, batch, num_samples=cfg.num_samples, seed=looked.seed).log_px
        found.append(scored(nats, batch.mask, None if batch.observed is None else batch.observed.any(-1)))
    scores = np.concatenate(found)
    return scores[np.isfinite(scores)], None


def scored(log_px: torch.Tensor, mask: torch.Tensor, seen: torch.Tensor | None) -> np.ndarray:
    """- log p of the real steps of a batch [n], NaN where nothing was observed."""
    nats = log_px if seen is None else torch.where(seen, log_px, torch.nan)
    return -nats[mask].double().cpu().numpy()


def labels_in_order(sequences: Sequences) -> np.ndarray:
    """What all steps are marked as [n]."""
    found = [sequences.labels_of(number) for number in range(len(sequences))]
    return torch.cat([labels for labels in found if labels is not None]).numpy()


def summary(
    scores: np.ndarray,
    reference: np.ndarray | None,
    threshold: float | None,
    labels: np.ndarray | None,
    quantile: float,
) -> dict[str, tuple[float, str]]:
    """The figures of the table, each with its unit."""
    known = np.isfinite(scores)
    found = {"steps scored": (float(known.sum()), "steps")}
    found["log p(x_t | x_<t), mean"] = (-float(scores[known].mean()), "nats per step, normalized")
    if reference is not None and threshold is not None:
        found["the same on valid"] = (-float(reference.mean()), "nats per step, normalized")
        found[f"threshold: quantile {quantile:g} of valid"] = (threshold, "nats")
        found["steps above it"] = (float((scores[known] > threshold).mean()), "share")
    if labels is not None and 0 < labels[known].sum() < known.sum():
        from sklearn.metrics import average_precision_score, roc_auc_score

        marks = labels[known] > 0
        found["labelled as anomalies"] = (float(marks.mean()), "share")
        found["AUROC over steps"] = (float(roc_auc_score(marks, scores[known])), "0.5 by chance")
        found["AUPRC over steps"] = (float(average_precision_score(marks, scores[known])), "that share by chance")
        if threshold is not None:
            hits = scores[known] > threshold
            found["anomalies above the threshold"] = (float(hits[marks].mean()), "share")
            found["other steps above it"] = (float(hits[~marks].mean()), "share")
    return found


def names_of(looked: Looked) -> list[str]:
    """What the dimensions are called."""
    columns = looked.restored.cfg.data.get("columns")
    return [str(name) for name in columns] if columns else [f"x{d}" for d in range(looked.restored.splits.x_dim)]


def draw(
    looked: Looked, scores: np.ndarray, reference: np.ndarray | None, threshold: float | None, folder: Any
) -> None:
    """The picture, of the sequence with the highest score."""
    sequences = looked.restored.sequences
    starts = (sequences.lengths.cumsum(0) - sequences.lengths).tolist()
    number = int(np.searchsorted(starts, int(np.nanargmax(scores)), side="right")) - 1
    batch = sequences.batch(torch.tensor([number]), torch.Generator(sequences.device).manual_seed(looked.seed))
    x = looked.restored.splits.standardisation.inverse(batch.x[0].double())
    x = x if batch.observed is None else torch.where(batch.observed[0], x, torch.nan)
    labels = sequences.labels_of(number)
    draw_scores(
        scores,
        reference,
        threshold,
        folder / "scores.png",
        x=x.cpu().numpy(),
        own=scores[starts[number] : starts[number] + len(x)],
        labels=None if labels is None else labels.numpy(),
        columns=names_of(looked),
        name=sequences.name(number, looked.restored.splits.grouping),
    )


def main() -> NoReturn:
    """The app, as `python -m experiments.score` and as the command vrnn-score."""
    launch("score", score)


if __name__ == "__main__":
    main()
