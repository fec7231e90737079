"""Measures a run's bound on a split: python -m experiments.evaluate run=<run directory>."""

from __future__ import annotations

from omegaconf import DictConfig

from experiments.app import launch
from experiments.build import build, require_integer
from experiments.restore import restore
from experiments.run_directory import RunDirectory, figures_as_json, provenance, write_json
from experiments.terminal import console, figures_table, say
from vrnn.objectives.base import Objective
from vrnn.training.evaluation import Space, evaluate


def measure(cfg: DictConfig) -> int:
    """Evaluates, prints a table, and writes evaluations/<objective>-<K>.json in the run's directory."""
    run = RunDirectory.existing(cfg.run)
    for name, at_least in (("batch_size", 1), ("seed", 0)):
        if cfg[name] is not None:
            require_integer(name, cfg[name], at_least)
    objective: Objective = build(cfg, "objective")
    restored = restore(run, split=cfg.split, which=cfg.checkpoint, device=cfg.device, root=cfg.root)
    seed = restored.cfg.seed if cfg.seed is None else cfg.seed
    batch_size = cfg.batch_size or restored.cfg.trainer.eval_batch_size
    found = evaluate(restored.model, objective, restored.sequences, batch_size=batch_size, seed=seed)
    figures = found.figures(cfg.split, Space.of(restored.model.likelihood, restored.splits))
    suffix = "" if (cfg.split, cfg.checkpoint) == ("test", "best") else f"-{cfg.split}-{cfg.checkpoint}"
    path = run.evaluations / f"{objective.name}-{objective.num_samples}{suffix}.json"
    about = {"checkpoint": cfg.checkpoint, "step": restored.step, "seed": seed, "num_samples": objective.num_samples}
    write_json(path, {"format": 1, **about, "figures": figures_as_json(figures), **provenance()})
    for caution in (restored.splits.caution, restored.model.likelihood.caution(restored.splits.train.values)):
        if caution:
            say(f"caution: {caution}")
    console.print(figures_table(f"{objective.name}, checkpoint {cfg.checkpoint} (step {restored.step})", figures))
    say(f"written to {path}")
    return 0


if __name__ == "__main__":
    launch("evaluate", measure)
