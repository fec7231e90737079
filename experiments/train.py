"""Trains one model: python -m experiments.train [group=option] [group.key=value] [--multirun] [resume=<run>]."""

from __future__ import annotations

from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from omegaconf import DictConfig

from experiments.app import launch
from experiments.job import run_job
from experiments.resume import resumed_arguments, resumed_config
from experiments.run_directory import RunDirectory


def train(cfg: DictConfig) -> int:
    """One job; returns its exit code."""
    if cfg.resume is not None:
        run = RunDirectory.existing(cfg.resume)
        return run_job(resumed_config(run, cfg), run, resume=True)
    return run_job(cfg, RunDirectory(Path(HydraConfig.get().runtime.output_dir)), resume=False)


if __name__ == "__main__":
    launch("train", train, resumed_arguments)
