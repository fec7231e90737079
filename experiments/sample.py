"""Draws what a run's model makes: python -m experiments.sample run=<run directory>."""

from __future__ import annotations

from pathlib import Path

from omegaconf import DictConfig

from experiments.app import launch
from experiments.build import build, require_integer
from experiments.gallery import draw_gallery
from experiments.restore import restore
from experiments.run_directory import RunDirectory
from experiments.terminal import say


def sample(cfg: DictConfig) -> int:
    """Writes samples, reconstructions and continuations as pictures (and sounds); those on other data lie apart."""
    run = RunDirectory.existing(cfg.run)
    require_integer("num", cfg.num, 1)
    for name, at_least in (("steps", 1), ("prefix", 1), ("seed", 0)):
        if cfg[name] is not None:
            require_integer(name, cfg[name], at_least)
    restored = restore(run, split=cfg.split, which=cfg.checkpoint, device=cfg.device, root=cfg.root)
    other = restored.other
    files = draw_gallery(
        restored.model,
        restored.splits,
        build(restored.cfg, "figures"),
        Path(cfg.output) if cfg.output else run.figures if other is None else run.path / "samples" / other.name,
        split=cfg.split,
        num=cfg.num,
        seed=restored.cfg.seed if cfg.seed is None else cfg.seed,
        prefix=cfg.prefix,
        steps=cfg.steps,
    )
    for note in restored.notes:
        say(f"note: {note}")
    if other is not None:
        say(f"caution: {other.caution}")
    for path in files:
        say(str(path))
    return 0


if __name__ == "__main__":
    launch("sample", sample)
