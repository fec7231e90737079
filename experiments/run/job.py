"""One training job: from its config to its result, whatever happens on the way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from omegaconf import DictConfig

from experiments.cli.context import JobContext
from experiments.cli.signals import StopRequest, is_worker
from experiments.cli.terminal import Terminal
from experiments.config.checks import require_keys, require_read
from experiments.run.data import open_run_data
from experiments.run.directory import RunDirectory, measurements_as_json
from experiments.run.gallery import draw_gallery
from experiments.run.introduction import introduce
from experiments.run.measuring import measure
from experiments.run.parts import Parts, build_parts, cautions
from experiments.run.record import Recorder, recorded
from experiments.run.resume import resume_command
from experiments.run.stopping_rule import MakesStoppingRules, StoppingRule
from experiments.run.tracking import tracked_job
from experiments.tracking.guard import Guard, GuardedDrawing, GuardedObserver, whole_or_nothing
from vrnn.figures.curves import draw_curves
from vrnn.training import checkpoint
from vrnn.training.metrics import MARKS, Measurement
from vrnn.training.progress import Interrupted
from vrnn.training.references import TRUTH


def run_job(
    cfg: DictConfig,
    run: RunDirectory,
    context: JobContext,
    *,
    resume: bool,
    stop: Path | None = None,
    stopping_rules: MakesStoppingRules | None = None,
) -> int:
    """Trains, measures and draws; returns the exit code.

    Args:
      cfg: the composed config.
      run: where everything is written; its result.json says how the job ended, also where it failed.
      context: of the start.
      resume: go on from the run's last checkpoint.
      stop: a file that asks for the end as a signal does, once it is there.
      stopping_rules: makes the rules that may end the training early.

    Raises:
      UserError: a value in the config is wrong, training diverged, or a checkpoint cannot be read or written.
    """
    several = context.multirun is not None
    silent = several and cfg.multirun.view == "table"
    terminal = Terminal(f"#{context.number}  " if several else "", quiet=silent)
    overrides = all_overrides(run, context.overrides, resume=resume)
    if not resume:
        run.write_overrides(overrides)
    with (
        recorded(cfg, run, context, overrides, keep_former=resume and not several) as result,
        StopRequest(stop) as stopping,
    ):
        if several or not resume:  # a run that goes on has its own config, which may be older than some keys
            require_keys(cfg, "train")
            require_read(context.overrides, "train")
        rules = stopping_rules(cfg, run.path) if stopping_rules else []
        parts = build_parts(cfg)
        resumed = resume and (run.checkpoints / "last.pt").exists()
        splits, notes, _ = open_run_data(run, cfg, parts.data, resumed=resumed)
        parts = parts._replace(data=parts.data._replace(splits=splits))
        result["data"] = parts.data.fingerprint.digest
        result["tally"], result["skipped"] = dict(parts.splits.tally), list(parts.splits.skipped)
        result["parameters"] = parts.model.num_parameters
        result["cautions"] = cautions(parts.splits, parts.model.likelihood)
        run.write_overrides(overrides)
        run.write_config(cfg)
        introduce(terminal, parts, run, cfg.seed)
        for note in notes:
            terminal.note(note)
        if notice := parts.tracker.notice():
            terminal.say(f"tracking    {notice}")
        parts.tracker.open(tracked_job(run.path, cfg, context))
        terminal.echo = parts.tracker.write
        code = 1
        try:
            stopped = train(cfg, run, parts, terminal, result, stopping, rules, resume=resume)
            if not stopped:
                measurements = measure(parts, run, cfg.seed)
                result["figures"] = measurements_as_json(measurements)
                files = draw(parts, run, cfg.seed)
                parts.tracker.show(measurements, {"parameters": parts.model.num_parameters}, files)
                parts.tracker.keep(run.checkpoints / "best.pt")
                with Guard("screen", "the run is done"):
                    conclude(terminal, parts, run, measurements, files)
                result["status"] = "done"
            code = stopped
        finally:
            parts.tracker.close(code)
    if several and stopping.signal and not is_worker():
        return stopping.exit_code  # it came too late for this job, but no other is to begin
    return code


def all_overrides(run: RunDirectory, overrides: Sequence[str], *, resume: bool) -> list[str]:
    """What would make this config again: the first start's overrides, with those of later starts."""
    former = run.read_overrides() if resume and run.overrides_file.exists() else []
    new = [text for text in overrides if not text.startswith("resume=")]
    keys = {text.partition("=")[0].lstrip("+") for text in new}
    return [text for text in former if text.partition("=")[0].lstrip("+") not in keys] + new


def train(
    cfg: DictConfig,
    run: RunDirectory,
    parts: Parts,
    terminal: Terminal,
    result: dict[str, Any],
    stop: StopRequest,
    rules: Sequence[StoppingRule],
    *,
    resume: bool,
) -> int:
    """Fits the model, or goes on with it; returns 0, or the exit code where a signal stopped it."""
    last = run.checkpoints / "last.pt"
    resumed = resume and last.exists()
    if resumed:
        run.metrics.cut(checkpoint.load(last, "cpu")["progress"]["step"])
    elif resume:
        terminal.say("no checkpoint had been written yet: training starts again")
        run.metrics.cut(-1)
    result["versions"] |= parts.trainer.made_by(parts.model)
    kind = parts.objective.kind(parts.model)
    screen = GuardedObserver(terminal, "screen")
    try:
        with terminal.following(kind, parts.trainer.settings.batch_size):
            progress = parts.trainer.fit(
                parts.model,
                parts.objective,
                parts.splits,
                parts.optimizer,
                parts.schedule,
                seed=cfg.seed,
                directory=run.checkpoints,
                observers=[Recorder(run, result, kind), *rules, screen, parts.tracker],
                should_stop=stop,
                give_up=lambda: any(rule() for rule in rules),
                resume=resumed,
            )
    except Interrupted:
        result["status"] = "interrupted"
        terminal.say(f"stopped; go on with: {resume_command(run)}")
        if run.is_done():
            terminal.say("            the result of the shorter training stays until then")
        return stop.exit_code
    result["best_step"] = progress.best_step
    for rule in [rule for rule in rules if rule.reason][:1]:
        result["stopped"] = rule.reason
        result["pruned"] = rule.is_pruner
        terminal.note(rule.reason)
    return 0


def draw(parts: Parts, run: RunDirectory, seed: int) -> list[Path]:
    """The run's pictures and sounds, from valid: test is only measured on. One that cannot be drawn is left out."""
    guard = Guard("figures", f"the run is done without them; they are drawn by experiments.sample run={run}")
    figure, curves = GuardedDrawing(parts.figure, guard), run.figures / "curves.png"
    mark = MARKS[parts.objective.kind(parts.model)]
    files: list[Path] = []
    with guard:
        files += draw_gallery(parts.model, parts.splits, figure, run.figures, split="valid", num=16, seed=seed)
    with guard, whole_or_nothing(curves):
        files.append(draw_curves(run.metrics.read(), curves, mark=mark))
    return files


def conclude(
    terminal: Terminal, parts: Parts, run: RunDirectory, measurements: dict[str, Measurement], files: list[Path]
) -> None:
    """The last words: the bound beside its references, then where everything lies."""
    split = "test" if parts.trainer.settings.test else "valid"
    rows = {f"this model, {split}": measurements[f"{split}/log_likelihood"]}
    for key, measurement in measurements.items():
        kind, _, rest = key.partition("/")
        reference, _, name = rest.partition("/")
        if (kind, name) == ("reference", "log_likelihood"):
            rows[reference] = measurement
    if f"{split}/gap" in measurements:
        rows[f"gap to {TRUTH}"] = measurements[f"{split}/gap"]
    for words in ("per step", "per step by sequence"):
        if (name := f"{split}/log_likelihood_{words.replace(' ', '_')}") in measurements:
            rows[f"this model, {split}, {words}"] = measurements[name]
    terminal.table("Log-likelihood (higher is better)", rows)
    if parts.tracker.whereabouts():
        terminal.say(f"tracking    {parts.tracker.whereabouts()}")
    terminal.say(f"{split} bound  {measurements[f'{split}/log_likelihood']}")
    terminal.say(f"run         {run}")
    pictures = [path.name for path in files if path.suffix == ".png"]
    others = Counter(path.suffix[1:] for path in files if path.suffix != ".png")
    sounds = "".join(f" and {number} {suffix}" for suffix, number in others.items())
    terminal.say(f"figures     {run}/{run.figures.name}/: {' '.join(pictures)}{sounds}")
