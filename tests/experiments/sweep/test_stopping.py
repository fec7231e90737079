"""Ending a job early: the rule against the same rule by hand, whoever applies it and when."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from experiments.errors import UserError
from experiments.sweep.stopping import BOUND, StopBelow, stop_below
from tests.experiments.command_line import SMALL, WORDS, Apps, Run


def write(folder: Path, bounds: list[float]) -> None:
    """The metrics of a job that was validated after each epoch, training lines between them."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = []
    for epoch, bound in enumerate(bounds, start=1):
        lines.append({"step": 2 * epoch - 1, "epoch": epoch - 1, "train/loss": 1.0})
        lines.append({"step": 2 * epoch, "epoch": epoch, BOUND: bound})
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))


def follow(folder: Path, bounds: list[float], rule: StopBelow) -> int | None:
    """The epoch after which a job ends that has these bounds; None: it is not ended."""
    for epoch, bound in enumerate(bounds, start=1):
        rule.log({"step": 2 * epoch, "epoch": epoch, BOUND: bound})  # before the line is in the file
        write(folder, bounds[:epoch])
        if rule():
            return epoch
        rule.log({"step": 2 * epoch + 1, "epoch": epoch, "train/loss": 1.0})
    return None


def middle(values: list[float]) -> float:
    """The median."""
    values = sorted(values)
    half = len(values) // 2
    return values[half] if len(values) % 2 else (values[half - 1] + values[half]) / 2


@pytest.mark.parametrize("seed", range(40))
def test_it_is_the_median_rule(tmp_path: Path, seed: int):
    draw = random.Random(seed)
    others = [[draw.gauss(0, 1) for _ in range(draw.randint(0, 5))] for _ in range(draw.randint(0, 6))]
    own = [draw.gauss(-0.3, 1) for _ in range(5)]
    after, jobs = draw.randint(1, 4), draw.randint(1, 4)
    for number, bounds in enumerate(others):
        write(tmp_path / f"other-{number}", bounds)
    expected = None
    for epoch in range(after, 6):
        reached = [max(bounds[:epoch]) for bounds in others if len(bounds) >= epoch]
        if len(reached) >= jobs and max(own[:epoch]) < middle(reached):
            expected = epoch
            break
    rule = StopBelow(tmp_path / "own", 0.5, after, jobs)
    assert follow(tmp_path / "own", own, rule) == expected
    assert (f"ended after epoch {expected}:" in rule.reason) == (expected is not None)

    # Resumed after any epoch it decides what it has decided there.
    for epoch in range(1, (expected or 5) + 1):
        write(tmp_path / "own", own[:epoch])
        again = StopBelow(tmp_path / "own", 0.5, after, jobs)
        again.start(2 * epoch, 10)
        assert again() == (epoch == expected)


@pytest.mark.parametrize("quantile", [0.01, 0.3, 0.5, 0.99])
def test_a_quantile_of_evenly_spread_bounds_is_where_it_says_and_a_tie_ends_none(tmp_path: Path, quantile: float):
    for number in range(10):
        write(tmp_path / f"other-{number}", [float(number)])
    for place in range(11):
        rule = StopBelow(tmp_path / "own", quantile, 1, 10)
        assert (follow(tmp_path / "own", [place - 0.5], rule) == 1) == (place - 0.5 < 9.0 * quantile)
    for number in range(10):
        write(tmp_path / f"other-{number}", [1.0])
    assert follow(tmp_path / "own", [1.0], StopBelow(tmp_path / "own", quantile, 1, 10)) is None


def test_what_is_no_other_job_does_not_count(tmp_path: Path):
    write(tmp_path / "own" / "former-abc", [9.0])
    write(tmp_path / "elsewhere" / "job", [9.0])
    (tmp_path / "empty").mkdir()
    write(tmp_path / "killed", [9.0])
    with (tmp_path / "killed" / "metrics.jsonl").open("a") as file:
        file.write('{"step": 3, "epo')
    assert follow(tmp_path / "own", [0.0], StopBelow(tmp_path / "own", 0.5, 1, 2)) is None
    assert follow(tmp_path / "own", [0.0], StopBelow(tmp_path / "own", 0.5, 1, 1)) == 1


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        ({"quantile": 0, "after": 1, "jobs": 1}, "multirun.stop_below.quantile=0: expected a number between 0 and 1"),
        ({"quantile": 1.0, "after": 1, "jobs": 1}, "multirun.stop_below.quantile=1.0: expected a number between"),
        ({"quantile": True, "after": 1, "jobs": 1}, "multirun.stop_below.quantile=True: expected a number"),
        ({"quantile": "0.5", "after": 1, "jobs": 1}, "multirun.stop_below.quantile=0.5: expected a number"),
        ({"quantile": float("nan"), "after": 1, "jobs": 1}, "multirun.stop_below.quantile=nan: expected a number"),
        ({"quantile": 0.5, "after": 0, "jobs": 1}, "multirun.stop_below.after=0: expected an integer of at least 1"),
        ({"quantile": 0.5, "after": 1.5, "jobs": 1}, "multirun.stop_below.after=1.5: expected an integer"),
        ({"quantile": 0.5, "after": 1, "jobs": 0}, "multirun.stop_below.jobs=0: expected an integer of at least 1"),
        ({"quantile": 0.5, "after": 1}, "expected null, or the three keys quantile, after, jobs"),
        ({"quantile": 0.5, "after": 1, "jobs": 1, "of": 2}, "expected null, or the three keys quantile, after, jobs"),
        (0.5, "multirun.stop_below=0.5: expected null, or the three keys"),
        (False, "multirun.stop_below=False: expected null, or the three keys"),
    ],
)
def test_a_rule_that_is_none_is_refused(tmp_path: Path, rule: object, expected: str):
    with pytest.raises(UserError) as caught:
        stop_below(rule, tmp_path)
    assert expected in str(caught.value)


def test_no_rule_ends_nothing(tmp_path: Path):
    assert stop_below(None, tmp_path) is None


# On the command line

SWEEP = ("--multirun", *WORDS, *SMALL, "hydra/launcher=basic", "optimizer.lr=2e-3,1e-3,1e-9,3e-3")


def test_a_job_that_was_ended_early_is_done_and_says_so(apps: Apps, tmp_path: Path):
    """A job that does not learn, after two that do: one epoch is five updates."""
    command = (*SWEEP, "trainer.max_steps=10", "multirun.stop_below={quantile:0.5,after:1,jobs:2}")
    ended = apps("train", *command, cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    found = {run.path.name.rpartition("-")[0]: run for run in Run.all(tmp_path)}
    assert {name: (run.result["status"], run.result["step"]) for name, run in found.items()} == {
        "lr-0.002": ("done", 10),
        "lr-0.001": ("done", 10),
        "lr-1e-09": ("done", 5),
        "lr-0.003": ("done", 10),
    }
    last = found["lr-1e-09"]
    assert [name for name, run in found.items() if run.result.get("stopped")] == ["lr-1e-09"]
    assert last.result["stopped"].startswith("ended after epoch 1: its best bound on valid, ")
    assert last.result["figures"]["valid/log_likelihood"]["value"] == pytest.approx(last.metrics[-1][BOUND], abs=5.0)
    status = apps("status", f"dir={last.path.parent}", cwd=tmp_path)
    assert f"optimizer.lr=1e-09: {last.result['stopped']}" in " ".join(status.out.split())


def test_a_wrong_rule_is_one_message_before_any_job(apps: Apps, tmp_path: Path):
    ended = apps("train", *SWEEP, "multirun.stop_below={quantile:2,after:1,jobs:2}", cwd=tmp_path)
    expected = "error: multirun.stop_below.quantile=2: expected a number between 0 and 1, such as 0.5\n"
    assert (ended.code, ended.err) == (1, expected)
    assert not list(tmp_path.glob("outputs/sweeps/*/lr-*"))
