"""What is told of the data at the start of a run, and kept in its result."""

from __future__ import annotations

import json

import numpy as np

from experiments.run.introduction import skipped_lines, tally_lines
from tests.data.recording_files import clip, write_audio
from tests.experiments.command_line import Run

SMALL = ("data=audio", "data.root=sounds", "data.sample_rate=8000", "data.x_dim=20", "data.num_frames=10")
NET = ("latent.z_dim=2", "latent.h_dim=8", "latent.width=8", "trainer=debug", "logger=none", "figures.num_examples=1")


def test_a_tally_is_a_line_for_each_thing_that_is_counted():
    tally = {"files found": 12_345, "files used": 12_000, "samples cut at ends": 1, "files hidden": 2}
    assert tally_lines(tally) == ["files       12,345 found, 12,000 used, 2 hidden", "samples     1 cut at ends"]
    assert tally_lines({}) == []


def test_a_long_tally_keeps_to_80_columns():
    lines = tally_lines({f"files bad (for reason number {number})": number for number in range(9)})
    assert max(map(len, lines)) <= 80
    assert [line[:12].strip() for line in lines] == ["files"] + [""] * (len(lines) - 1)


def test_the_first_few_files_that_are_skipped_are_named():
    assert skipped_lines([]) == []
    assert skipped_lines(["a is silent", "b"]) == ["skipped     a is silent", "skipped     b"]
    assert skipped_lines([*"abcde"])[2:] == ["skipped     c", "skipped     and 2 more, which result.json names"]


def test_a_run_tells_what_became_of_its_files_and_so_does_whoever_measures_it(apps, tmp_path):
    for number in range(9):
        part = ("train", "valid", "test")[number % 3]
        write_audio(tmp_path / "sounds" / part / f"{number}.wav", clip(number, 990, 8000), 8000)
    write_audio(tmp_path / "sounds" / "test" / "still.wav", np.zeros(900, np.int16), 8000)
    command = ("data.split=folders", *SMALL, *NET, "hydra.run.dir=run")
    ended = apps("train", *command, cwd=tmp_path)
    assert ended.code == 1
    assert ended.err.count("\n") == 1
    assert "sounds/test/still.wav is silent: every sample is 0 (data.on_bad=skip leaves out" in ended.err

    ended = apps("train", *command, "data.on_bad=skip", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "\nfiles       10 found, 9 used, 1 bad (silent)\nsamples     1,710 cut at ends\n" in ended.out
    tally = {"files found": 10, "files used": 9, "files bad (silent)": 1, "samples cut at ends": 1710}
    result = Run(tmp_path / "run").result
    assert (result["tally"], len(result["skipped"])) == (tally, 1)
    assert "sounds/test/still.wav is silent: every sample is 0" in result["skipped"][0]
    assert f"\nskipped     {result['skipped'][0]}\n" in ended.out

    ended = apps("evaluate", "run=run", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "files       10 found, 9 used, 1 bad (silent)\n" in ended.out
    (file,) = (tmp_path / "run" / "evaluations").glob("*.json")
    assert json.loads(file.read_text())["tally"] == tally
