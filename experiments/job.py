"""One training job: from its config to its result, whatever happens on the way."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
import torch
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from experiments.build import build, check
from experiments.errors import UserError
from experiments.gallery import draw_gallery
from experiments.run_directory import RunDirectory, config_hash, figures_as_json, provenance
from experiments.signals import StopRequest
from experiments.terminal import Terminal, console, figures_table
from vrnn.data.splits import Splits
from vrnn.figures.curves import draw_curves
from vrnn.models.base import SequenceModel
from vrnn.objectives.base import Objective
from vrnn.training import checkpoint
from vrnn.training.evaluation import evaluate
from vrnn.training.metrics import MARKS, Figure
from vrnn.training.progress import Diverged, Interrupted, Observer
from vrnn.training.references import references
from vrnn.training.trainer import Trainer

NODES = (
    "data",
    "likelihood",
    "recurrence",
    "model",
    "objective",
    "optimizer",
    "schedule",
    "trainer",
    "figures",
    "logger",
)


class Recorder(Observer):
    """Writes every metric to the run's own file, which a killed process leaves whole."""

    def __init__(self, run: RunDirectory):
        self.run = run

    def log(self, metrics: dict[str, Any]) -> None:
        self.run.metrics.write(metrics)


class Job:
    """A run of one config in one directory.

    Args:
      cfg: the composed config.
      run: where everything is written.
      resume: go on from the run's last checkpoint.

    Raises:
      UserError: a value in the config is wrong; nothing was written then.
    """

    def __init__(self, cfg: DictConfig, run: RunDirectory, *, resume: bool):
        if not isinstance(cfg.seed, int) or cfg.seed < 0:
            raise UserError(f"seed={cfg.seed}: expected an integer of at least 0")
        for name, size in cfg.latent.items():
            if type(size) is not int or size < 1:
                raise UserError(f"latent.{name}={size}: expected an integer of at least 1")
        for node in NODES:
            check(cfg, node)
        self.cfg = cfg
        self.run = run
        self.resume = resume
        self.result: dict[str, Any] = {
            "format": 1,
            "status": "running",
            "error": None,
            "config_hash": config_hash(cfg),
            "seed": cfg.seed,
            "step": 0,
            "figures": {},
            **provenance(),
        }
        hydra = HydraConfig.get()
        self.terminal = Terminal(f"#{hydra.job.num}  " if hydra.mode == RunMode.MULTIRUN else "")
        self.trainer: Trainer = build(cfg, "trainer")
        self.objective: Objective = build(cfg, "objective")
        self.schedule = build(cfg, "schedule")
        self.tracker = build(cfg, "logger")
        self.figure = build(cfg, "figures")
        self.optimizer = build(cfg, "optimizer")
        self._try_optimizer()
        torch.manual_seed(cfg.seed)
        self.model: SequenceModel = build(cfg, "model")
        self.result["parameters"] = self.model.num_parameters

    def execute(self) -> int:
        """Trains, measures and draws; returns the exit code. The result is written however it ends."""
        self.run.write_config(self.cfg)
        code, started = 1, time.monotonic()
        try:
            with StopRequest() as stop:
                code = self._execute(stop)
        except KeyboardInterrupt:
            self.result["status"] = "interrupted"
            raise
        except Exception as error:
            self.result |= {"status": "failed", "error": {"kind": type(error).__name__, "message": str(error)}}
            if isinstance(error, Diverged | checkpoint.CheckpointError):
                raise UserError(str(error)) from error
            raise
        finally:
            self.result["seconds"] = time.monotonic() - started
            self.result["overrides"] = list(HydraConfig.get().overrides.task)
            self.run.write_result(self.result)
            self.tracker.close(code)
        return code

    def _execute(self, stop: StopRequest) -> int:
        splits = self._data()
        self.tracker.open(
            self.run.path,
            OmegaConf.to_container(self.cfg, resolve=True),
            name=" ".join(HydraConfig.get().overrides.task) or self.run.path.name,
            group=self.run.path.parent.name,
        )
        self._introduce(splits)
        resumed = self.resume and (self.run.checkpoints / "last.pt").exists()
        if resumed:
            last = checkpoint.load(self.run.checkpoints / "last.pt", "cpu")
            self.run.metrics.cut(last["progress"]["step"])
        elif self.resume:
            self.terminal.say("no checkpoint had been written yet: training starts again")
            self.run.metrics.cut(-1)
        kind = self.objective.kind(self.model)
        try:
            with self.terminal.following(kind, self.trainer.batch_size):
                progress = self.trainer.fit(
                    self.model,
                    self.objective,
                    splits,
                    self.optimizer,
                    self.schedule,
                    seed=self.cfg.seed,
                    directory=self.run.checkpoints,
                    observers=[Recorder(self.run), self.terminal, self.tracker],
                    should_stop=stop,
                    resume=resumed,
                )
        except Interrupted:
            self.result["status"] = "interrupted"
            self.terminal.say(f"stopped; go on with: python -m experiments.train resume={self.run}")
            return stop.exit_code
        self.result |= {"step": progress.step, "best_step": progress.best_step}
        self._measure(splits)
        self._draw(splits, MARKS[kind])
        self.result["status"] = "done"
        return 0

    def _data(self) -> Splits:
        splits: Splits = build(self.cfg, "data")
        try:
            self.model.likelihood.check(splits.train.values)
        except ValueError as error:
            raise UserError(f"these data and this likelihood do not go together: {error}") from error
        return splits

    def _introduce(self, splits: Splits) -> None:
        counts = " / ".join(f"{len(part):,}" for part in (splits.train, splits.valid, splits.test))
        self.terminal.say(f"data        {counts} sequences (train / valid / test), x_dim {splits.x_dim}")
        self.terminal.say(
            f"model       {self.model.num_parameters:,} parameters, {self.trainer.device}, seed {self.cfg.seed}"
        )
        self.terminal.say(f"run         {self.run}")
        if splits.caution:
            self.terminal.say(f"caution     {splits.caution}")

    def _measure(self, splits: Splits) -> None:
        """The best checkpoint's figures on valid, and on test where the trainer says so."""
        best = checkpoint.load(self.run.checkpoints / "best.pt", self.trainer.device)
        self.model.load_state_dict(best["model"])
        figures: dict[str, Figure] = {}
        for split in ("valid", "test") if self.trainer.test else ("valid",):
            sequences = getattr(splits, split).to(self.trainer.device)
            batch_size = self.trainer.eval_batch_size
            found = evaluate(self.model, self.objective, sequences, batch_size=batch_size, seed=self.cfg.seed)
            figures |= found.figures(split, splits.standardisation.log_det)
            if split == "test":
                np.savez(self.run.test_sequences, bounds=found.bounds.numpy(), lengths=found.lengths.numpy())
        for name, found in references(self.model.likelihood, splits).items() if self.trainer.test else ():
            figures |= found.figures(f"reference/{name}", splits.standardisation.log_det)
        self.result["figures"] = figures_as_json(figures)
        self.figures = figures

    def _draw(self, splits: Splits, mark: str) -> None:
        directory = self.run.figures
        files = draw_gallery(self.model, splits, self.figure, directory, split="valid", num=16, seed=self.cfg.seed)
        files.append(draw_curves(self.run.metrics.read(), directory / "curves.png", mark=mark))
        self.tracker.show(self.figures, files)
        self._conclude(files)

    def _conclude(self, files: list) -> None:
        """The last words: the bound beside the references, then where everything lies."""
        split = "test" if self.trainer.test else "valid"
        rows = {f"this model, {split}": self.figures[f"{split}/log_likelihood"]}
        for key, figure in self.figures.items():
            reference, _, name = key.removeprefix("reference/").partition("/")
            if key.startswith("reference/") and name == "log_likelihood":
                rows[reference] = figure
        rows[f"this model, {split}, per step"] = self.figures[f"{split}/log_likelihood_per_step"]
        if not self.terminal.label:
            console.print()
            console.print(figures_table("Log-likelihood (higher is better)", rows))
        if self.tracker.whereabouts():
            self.terminal.say(f"tracking    {self.tracker.whereabouts()}")
        self.terminal.say(f"{split} bound  {self.figures[f'{split}/log_likelihood']}")
        self.terminal.say(f"run         {self.run}")
        self.terminal.say("figures     " + " ".join(str(path.relative_to(self.run.path)) for path in files))

    def _try_optimizer(self) -> None:
        """A wrong rate or momentum is answered before the data are made."""
        try:
            self.optimizer([torch.zeros(1, requires_grad=True)])
        except (ValueError, TypeError, RuntimeError) as error:
            raise UserError(f"optimizer: {error}") from error
