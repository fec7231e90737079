"""What a person sees: every number whole at any width, and lines that fit 80 columns."""

from __future__ import annotations

import pytest
from rich.console import Console

from experiments.cli import terminal
from vrnn.training.metrics import Measurement

MEASURED = {
    "this model, test": Measurement(-1234567.89, 1234.56, 512, "nats per sequence", "normalized", "lower_bound"),
    "linear predictor of order 64": Measurement(-10461.8, 513.71, 512, "nats per sequence", "normalized", "exact"),
}


@pytest.mark.parametrize("width", [50, 60, 80, 120])
def test_no_number_is_cut(width: int, capsys: pytest.CaptureFixture[str]):
    Console(width=width).print(terminal.measurements_table("Log-likelihood", MEASURED))
    text = capsys.readouterr().out
    for number in ("≥ -1,234,567.89", "1,234.56", "-10,461.80", "513.71"):
        assert number in text
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert text.rstrip().endswith("normalized space, 512 sequences")


def test_what_rows_do_not_share_has_a_column(capsys: pytest.CaptureFixture[str]):
    other = Measurement(1.0, None, 7, "nats per step", "raw", "exact", over="3 speakers")
    Console(width=120).print(terminal.measurements_table("Log-likelihood", {**MEASURED, "other": other}))
    text = capsys.readouterr().out
    assert "space" in text.splitlines()[2]
    assert "sequences" in text.splitlines()[2]
    assert text.rstrip().endswith("± s.e. over sequences, 3 speakers")


def test_lines_of_training_fit_80_columns_and_know_the_best_before(monkeypatch: pytest.MonkeyPatch):
    said: list[str] = []
    screen = terminal.Terminal(every=-1.0, quiet=True)
    screen.echo = said.append
    screen.following("lower_bound", 64, best=-12_000.0)
    screen.start(0, 100_000)
    for step in (100, 200):
        now = {"epoch": 1, "step": step, "seconds": step / 1.1}
        screen.log(now | {"train/log_likelihood": -1_234_567.891})
        screen.log(now | {"valid/log_likelihood": -12_345.0 + step * 2, "valid/kl": 1_234.5})
    header, train, first, _, second = said
    assert max(map(len, said)) <= 80
    assert header.split() == ["epoch", "update", "nats/sequence", "KL,", "nats", "sequences/s", "left"]
    assert train.split() == ["100/100000", "train", "≥", "-1,234,567.89", "25", "h", "14", "min"]
    assert first.split() == ["1", "100/100000", "valid", "≥", "-12,145.00", "1,234.50", "25", "h", "14", "min"]
    assert second.split()[-1] == "best"
