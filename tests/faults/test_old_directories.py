"""What earlier versions have written is gone on with: `old/README.md` says how each directory was made."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.data.recording_files import clip, write_audio
from tests.experiments.command_line import Run, is_drawn

OLD = Path(__file__).parent / "old"
WORDS = (
    "data=handwriting",
    "data.sample_rate=10",
    "data.words_per_writer=2",
    "data.train_sequences=24",
    "data.valid_sequences=6",
    "data.test_sequences=5",
)
SMALL = (*WORDS, "latent.z_dim=2", "latent.h_dim=8", "latent.width=8", "trainer=debug", "logger=none")
GMM = "likelihood.num_components=2"


@pytest.fixture(params=sorted(path.name for path in OLD.iterdir() if path.is_dir()))
def old(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A working directory with everything that a version has left in it."""
    return Path(shutil.copytree(OLD / request.param, tmp_path / "work"))


def value(content: dict, name: str = "test/log_likelihood") -> float:
    return content["figures"][name]["value"]


def written(directory: Path) -> dict[str, int]:
    """When each result below a directory was written."""
    return {str(file.relative_to(directory)): file.stat().st_mtime_ns for file in directory.rglob("result.json")}


def test_a_finished_run_is_measured_drawn_and_trained_on(apps, old):
    run = Run(old / "finished")
    before = run.result
    ended = apps("evaluate", "run=finished", cwd=old)
    assert ended.code == 0, ended.err
    (file,) = (run.path / "evaluations").glob("elbo-1*.json")
    assert value(json.loads(file.read_text())) == pytest.approx(value(before), rel=1e-4)  # another CPU rounds otherwise
    assert run.result == before

    assert "note: this run kept nothing of its data" in ended.out

    ended = apps("sample", "run=finished", "num=3", cwd=old)
    assert ended.code == 0, ended.err
    assert "note: this run kept nothing of its data" in ended.out
    assert is_drawn(next(run.path.rglob("samples.png")))

    ended = apps("train", "resume=finished", "trainer.max_steps=6", cwd=old)
    assert ended.code == 0, ended.err
    assert "note        this run kept nothing of its data" in ended.out
    assert (run.result["status"], run.result["step"]) == ("done", 6)
    assert [line["step"] for line in run.metrics if "train/loss" in line] == [1, 2, 3, 4, 5, 6]

    ended = apps("train", "run_from=finished", "seed=4", "hydra.run.dir=another", cwd=old)
    assert ended.code == 0, ended.err
    assert Run(old / "another").result["seed"] == 4


def test_an_interrupted_run_goes_on_from_its_checkpoint(apps, old):
    run = Run(old / "interrupted")
    step = run.checkpoint("last")["progress"]["step"]
    ended = apps("train", "resume=interrupted", f"trainer.max_steps={step + 3}", cwd=old)
    assert ended.code == 0, ended.err
    assert (run.result["status"], run.result["step"]) == ("done", step + 3)
    assert [line["step"] for line in run.metrics if "train/loss" in line] == list(range(1, step + 4))


def test_a_run_on_recordings_keeps_the_split_that_it_was_trained_on(apps, old):
    for number in range(12):
        write_audio(old / "recordings" / f"{number:02}.wav", clip(number, 900 + 70 * number, 8000), 8000)
    run = Run(old / "audio")
    ended = apps("evaluate", "run=audio", cwd=old)
    assert ended.code == 0, ended.err
    (file,) = (run.path / "evaluations").glob("elbo-1*.json")
    found = json.loads(file.read_text())["figures"]["test/log_likelihood"]
    expected = run.result["figures"]["test/log_likelihood"]
    assert found["value"] == pytest.approx(expected["value"], rel=1e-4)
    assert found["count"] == expected["count"]  # of another split it would be another number of sequences

    ended = apps("train", "resume=audio", "trainer.max_steps=6", cwd=old)
    assert ended.code == 0, ended.err
    assert (run.result["status"], run.result["step"]) == ("done", 6)
    assert run.result["figures"]["test/log_likelihood"]["count"] == expected["count"]


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("train-*", ("--multirun", *SMALL, GMM, "seed=0", "latent.z_dim=2,3", "hydra/launcher=basic")),
        ("search-*", ("sweep=search", *SMALL, GMM, "hydra.sweeper.n_trials=2", "hydra/launcher=basic")),
    ],
)
def test_a_finished_sweep_is_found_again_and_told_of(apps, old, name, command):
    (sweep,) = (old / "outputs" / "sweeps").glob(name)
    before = written(sweep)
    ended = apps("train", *command, cwd=old)
    assert ended.code == 0, ended.err
    assert "2 done already" in ended.out
    assert (written(sweep), len(before)) == (before, 2)
    assert "valid/log_likelihood" in (sweep / "sweep.csv").read_text()
    assert [path.name for path in (old / "outputs" / "sweeps").iterdir()].count(sweep.name) == 1

    ended = apps("status", f"dir={sweep}", cwd=old)
    assert ended.code == 0, ended.err
    assert "2 done" in ended.out


def test_a_finished_comparison_is_found_again_and_told_of(apps, old):
    (comparison,) = (old / "outputs" / "comparisons").iterdir()
    before = written(comparison)
    command = (*SMALL, "rows=[rnn_gauss,vrnn_gauss]", "seeds=2", "num_samples=2", "jobs=1")
    ended = apps("compare", *command, cwd=old)
    assert ended.code == 0, ended.err
    assert "4 jobs, 4 done already" in ended.out
    assert (written(comparison), len(before)) == (before, 4)
    assert "VRNN-Gauss" in (comparison / "comparison.md").read_text()
