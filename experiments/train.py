"""Trains one model: python -m experiments.train [group=option] [group.key=value] [--multirun] [resume=<run>]."""

from __future__ import annotations

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from experiments.app import launch
from experiments.job import run_job
from experiments.jobs import run_or_continue
from experiments.resume import resumed_arguments, resumed_config
from experiments.run_directory import RunDirectory
from experiments.sweeps import Sweep


def train(cfg: DictConfig) -> int:
    """One job; returns its exit code."""
    if cfg.resume is not None:
        run = RunDirectory.existing(cfg.resume)
        return run_job(resumed_config(run, cfg), run, resume=True)
    run = RunDirectory(Path(HydraConfig.get().runtime.output_dir))
    if HydraConfig.get().mode == RunMode.MULTIRUN:
        return run_or_continue(cfg, run)
    return run_job(cfg, run, resume=False)


if __name__ == "__main__":
    sweep = Sweep()
    launch("train", train, lambda arguments: sweep.prepare(resumed_arguments(arguments)))
