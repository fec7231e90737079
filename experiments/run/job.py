"""One training job: from its config to its result, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from omegaconf import DictConfig

from experiments.cli.context import JobContext
from experiments.cli.signals import StopRequest, is_worker
from experiments.cli.terminal import Terminal
from experiments.config.checks import require_keys, require_read
from experiments.config.identity import config_hash
from experiments.run.data import DataSettings, open_run_data
from experiments.run.directory import RunDirectory, measurements_as_json
from experiments.run.gallery import draw_gallery
from experiments.run.introduction import conclude, introduce
from experiments.run.measuring import measure
from experiments.run.parts import build_parts, cautions
from experiments.run.record import Recorder, recorded
from experiments.run.resume import resume_command
from experiments.run.stopping_rule import StoppingRule
from experiments.run.tracking import tracked_job
from experiments.tracking.guard import Guard, GuardedDrawing, GuardedObserver, whole_or_nothing
from vrnn.figures.curves import draw_curves
from vrnn.training import checkpoint
from vrnn.training.metrics import MARKS
from vrnn.training.progress import Interrupted


class TrainingJob:
    """One training: from its config to its result, whatever happens on the way.

    Args:
      cfg: the composed config.
      run: where everything is written; its result.json says how the job ended, also where it failed.
      context: of the start.
      resume: go on from the run's last checkpoint.
      stop: a file that asks for the end as a signal does, once it is there.
      stopping_rules: makes the rules that may end the training early.
      quiet: say nothing: whoever started this job shows how it stands.
    """

    def __init__(
        self,
        cfg: DictConfig,
        run: RunDirectory,
        context: JobContext,
        *,
        resume: bool,
        stop: Path | None = None,
        stopping_rules: Callable[[], Sequence[StoppingRule]] = tuple,
        quiet: bool = False,
    ):
        self.cfg, self.run, self.context, self.resume = cfg, run, context, resume
        self.identity = config_hash(cfg)
        self.seed = cfg.get("seed")
        self.is_of_multirun = context.multirun is not None
        self.stopping_rules = stopping_rules
        self.stop_request = StopRequest(stop)
        self.overrides = all_overrides(run, context.overrides, resume=resume)
        self.terminal = Terminal(f"#{context.number}  " if self.is_of_multirun else "", quiet=quiet)

    def work(self) -> int:
        """Trains, measures and draws; returns the exit code.

        Raises:
          UserError: a value in the config is wrong, training diverged, or a checkpoint cannot be read or written.
        """
        if not self.resume:
            self.run.write_overrides(self.overrides)
        keep_former = self.resume and not self.is_of_multirun
        about = {"identity": self.identity, "seed": self.seed, "keep_former": keep_former}
        with recorded(self.run, self.context, self.overrides, **about) as self.result, self.stop_request:
            if self.is_of_multirun or not self.resume:  # one that goes on has a config that may be older than some keys
                require_keys(self.cfg, "train")
                require_read(self.context.overrides, "train")
            rules = self.stopping_rules()
            self.build()
            self.introduce()
            code = 1
            try:
                code = self.train(rules)
                if not code:
                    self.conclude()
            finally:
                self.parts.tracker.close(code)
        if self.is_of_multirun and self.stop_request.signal and not is_worker():
            return self.stop_request.exit_code  # it came too late for this job, but no other is to begin
        return code

    def build(self) -> None:
        """The parts, with the data as the run knows them; keeps the config that they were built from."""
        parts, last = build_parts(self.cfg), self.run.checkpoints / "last.pt"
        settings = DataSettings.of(self.cfg)
        splits, self.notes, _ = open_run_data(self.run, settings, parts.data, resumed=self.resume and last.exists())
        self.parts = parts._replace(data=parts.data._replace(splits=splits))
        self.result["data"] = parts.data.fingerprint.digest
        self.result["tally"], self.result["skipped"] = dict(splits.tally), list(splits.skipped)
        self.result["parameters"] = parts.model.num_parameters
        self.result["cautions"] = cautions(splits, parts.model.likelihood)
        self.run.write_overrides(self.overrides)
        self.run.write_config(self.cfg)

    def introduce(self) -> None:
        """The first words, on the screen and to the tracker."""
        tracker, context = self.parts.tracker, self.context
        introduce(self.terminal, self.parts, self.run, self.seed)
        for note in self.notes:
            self.terminal.note(note)
        if notice := tracker.notice():
            self.terminal.say(f"tracking    {notice}")
        tracker.open(tracked_job(self.run.path, self.cfg, context))
        self.terminal.echo = tracker.write

    def train(self, rules: Sequence[StoppingRule]) -> int:
        """Fits the model, or goes on with it; returns 0, or the exit code where a signal stopped it."""
        run, parts, terminal = self.run, self.parts, self.terminal
        last = run.checkpoints / "last.pt"
        resumed = self.resume and last.exists()
        best = float("-inf")
        if resumed:
            progress_before = checkpoint.load(last, "cpu")["progress"]
            best = progress_before["best"]
            run.metrics.cut(progress_before["step"])
        elif self.resume:
            terminal.say("no checkpoint had been written yet: training starts again")
            run.metrics.cut(-1)
        self.result["versions"] |= parts.trainer.made_by(parts.model)
        kind = parts.objective.kind(parts.model)
        screen = GuardedObserver(terminal, "screen")
        try:
            with terminal.following(kind, parts.trainer.settings.batch_size, best):
                progress = parts.trainer.fit(
                    parts.model,
                    parts.objective,
                    parts.splits,
                    parts.optimizer,
                    parts.schedule,
                    seed=self.seed,
                    directory=run.checkpoints,
                    observers=[Recorder(run, self.result, kind), *rules, screen, parts.tracker],
                    should_stop=self.stop_request,
                    give_up=lambda: any(rule() for rule in rules),
                    resume=resumed,
                )
        except Interrupted:
            self.result["status"] = "interrupted"
            terminal.say(f"stopped; go on with: {resume_command(run)}")
            if run.is_done():
                terminal.say("            the result of the shorter training stays until then")
            return self.stop_request.exit_code
        self.result["best_step"] = progress.best_step
        for rule in [rule for rule in rules if rule.reason][:1]:
            self.result["stopped"] = rule.reason
            self.result["pruned"] = rule.is_pruner
            terminal.note(rule.reason)
        return 0

    def conclude(self) -> None:
        """Measures, draws, and tells of it."""
        measurements = measure(self.parts, self.run, self.seed)
        self.result["figures"] = measurements_as_json(measurements)
        files = self.draw()
        self.parts.tracker.show(measurements, {"parameters": self.parts.model.num_parameters}, files)
        self.parts.tracker.keep(self.run.checkpoints / "best.pt")
        with Guard("screen", "the run is done"):
            conclude(self.terminal, self.parts, self.run, measurements, files)
        self.result["status"] = "done"

    def draw(self) -> list[Path]:
        """The run's pictures and sounds, from valid: test is only measured on. One that cannot be drawn is left out."""
        run, parts = self.run, self.parts
        guard = Guard("figures", f"the run is done without them; they are drawn by experiments.sample run={run}")
        figure, curves = GuardedDrawing(parts.figure, guard), run.figures / "curves.png"
        mark = MARKS[parts.objective.kind(parts.model)]
        files: list[Path] = []
        with guard:
            files += draw_gallery(parts.model, parts.splits, figure, run.figures, split="valid", num=16, seed=self.seed)
        with guard, whole_or_nothing(curves):
            files.append(draw_curves(run.metrics.read(), curves, mark=mark))
        return files


def all_overrides(run: RunDirectory, overrides: Sequence[str], *, resume: bool) -> list[str]:
    """What would make this config again: the first start's overrides, with those of later starts."""
    previous = run.read_overrides() if resume and run.overrides_file.exists() else []
    new = [text for text in overrides if not text.startswith("resume=")]
    keys = {text.partition("=")[0].lstrip("+") for text in new}
    return [text for text in previous if text.partition("=")[0].lstrip("+") not in keys] + new
