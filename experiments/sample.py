"""Draws what a run's model makes: python -m experiments.sample run=<run directory>."""

from __future__ import annotations

from typing import NoReturn

from omegaconf import DictConfig

from experiments.cli.app import launch
from experiments.cli.context import JobContext
from experiments.cli.terminal import say
from experiments.config.build import build
from experiments.config.sizes import bytes_kept, require_room_for
from experiments.disk.ownership import mark
from experiments.disk.removal import discard
from experiments.errors import UserError
from experiments.run.gallery import draw_gallery
from experiments.run.looking import claimed, look


def sample(cfg: DictConfig, context: JobContext) -> int:
    """Writes samples, reconstructions and continuations as pictures (and sounds), in a folder of this request's own."""
    looked = look(cfg)
    restored, seed = looked.restored, looked.seed
    other = restored.other
    steps = cfg.steps or int(restored.sequences.lengths.max())
    needed = bytes_kept(restored.model, cfg.num * steps)
    require_room_for(needed, "the samples", {"num": cfg.num, "steps": cfg.steps or 1})
    folder, request = claimed(cfg, looked, "samples", ("num", "steps", "prefix"))
    before = {path.name for path in folder.iterdir()} if folder.exists() else None
    mark(folder, "samples", **request)
    try:
        files = draw_gallery(
            restored.model,
            restored.splits,
            build(restored.cfg, "figures"),
            folder,
            split=cfg.split,
            num=cfg.num,
            seed=seed,
            prefix=cfg.prefix,
            steps=cfg.steps,
        )
    except UserError:
        discard(folder, before)
        raise
    for note in restored.notes:
        say(f"note: {note}")
    if other is not None:
        say(f"caution: {other.caution}")
    for path in files:
        say(str(path))
    return 0


def main() -> NoReturn:
    """The app, as `python -m experiments.sample` and as the command vrnn-sample."""
    launch("sample", sample)


if __name__ == "__main__":
    main()
