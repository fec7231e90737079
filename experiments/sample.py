"""Draws what a run's model makes: python -m experiments.sample run=<run directory>."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NoReturn

from omegaconf import DictConfig

from experiments.cli.app import launch
from experiments.cli.context import JobContext
from experiments.cli.terminal import say
from experiments.config.build import build
from experiments.config.sizes import bytes_kept, require_room_for
from experiments.disk.ownership import MEASURED_LATER, claim, mark, read_mark
from experiments.disk.removal import discard
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.run.gallery import draw_gallery
from experiments.run.restore import Restored, restore

ELSEWHERE = "give another output, an empty folder or a new one"


def sample(cfg: DictConfig, context: JobContext) -> int:
    """Writes samples, reconstructions and continuations as pictures (and sounds), in a folder of this request's own."""
    run = RunDirectory.existing(cfg.run)
    claim(run.path, "run", "give the directory of a run that experiments.train made", written=MEASURED_LATER)
    restored = restore(run, cfg)
    other = restored.other
    steps = cfg.steps or int(restored.sequences.lengths.max())
    require_room_for(cfg, bytes_kept(restored.model, cfg.num * steps), "the samples", ["num", "steps"])
    seed = restored.cfg.seed if cfg.seed is None else cfg.seed
    folder, asked = claimed(cfg, run, restored, seed)
    before = {path.name for path in folder.iterdir()} if folder.exists() else None
    mark(folder, "samples", **asked)
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


def claimed(cfg: DictConfig, run: RunDirectory, restored: Restored, seed: int) -> tuple[Path, dict[str, Any]]:
    """The folder for what is asked for, that of cfg.output or one in the run's samples/, and what is asked for.

    Raises:
      UserError: it holds something else, as it would the samples of another request.
    """
    asked: dict[str, Any] = {"split": cfg.split, "checkpoint": cfg.checkpoint, "step": restored.step, "seed": seed}
    asked |= {"num": cfg.num, "steps": cfg.steps, "prefix": cfg.prefix}
    asked["on"] = None if restored.other is None else restored.other.name
    words = [cfg.split, cfg.checkpoint, f"{restored.step}", f"seed{seed}", f"num{cfg.num}"]
    words += [f"{name}{cfg[name]}" for name in ("steps", "prefix") if cfg[name] is not None]
    words += [] if asked["on"] is None else [asked["on"]]
    folder = Path(str(cfg.output)) if cfg.output else run.path / "samples" / "-".join(words)
    claim(folder, "samples", ELSEWHERE)
    about = {"run": str(run.path.resolve()), **asked} if cfg.output else asked  # a run may be moved with all it holds
    former = read_mark(folder)
    if former and {key: former.get(key) for key in about} != about:
        raise UserError(f"output={cfg.output}: holds what was drawn for another request; {ELSEWHERE}")
    return folder, about


def main() -> NoReturn:
    """The app, as `python -m experiments.sample` and as the command vrnn-sample."""
    launch("sample", sample)


if __name__ == "__main__":
    main()
