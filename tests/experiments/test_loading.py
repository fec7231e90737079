"""Runs and sweeps as Python objects: what they say is what the files say, and what `evaluate` refuses they refuse."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch

from experiments import load_run, load_sweep
from experiments.errors import UserError
from tests.experiments.command_line import Run
from vrnn.objectives.elbo import ELBO
from vrnn.training.evaluation import evaluate
from vrnn.training.space import Space

ROOT = Path(__file__).parents[2]
OLD = ROOT / "tests" / "faults" / "old"
BOUND = "test/log_likelihood"


def test_importing_the_package_imports_no_library():
    code = "import sys, experiments; print(*{'torch', 'hydra', 'pandas', 'experiments.loading'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == []


def test_windows_is_answered_in_a_sentence():
    code = "import sys; sys.platform = 'win32'; import runpy; runpy.run_module('experiments.train')"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 1
    assert "runs on Linux and macOS" in done.stderr.splitlines()[-1]


def test_a_loaded_run_measures_what_the_run_has_measured(whole: Run):
    run = load_run(whole.path)
    assert "data" not in vars(run)  # not made before it is used
    assert run.data is run.data
    assert run.result | whole.result == run.result
    assert [{key: line[key] for key in line if key != "seconds"} for line in run.metrics] == whole.metrics
    assert run.config.latent.z_dim == run.model.z_dim == 5
    assert (run.step, run.notes) == (whole.result["best_step"], [])
    objective = ELBO(beta=lambda step: 1.0, free_nats=lambda step: 0.0)
    evaluation = evaluate(run.model, objective, run.data.test, batch_size=256, seed=run.config.seed)
    figures = evaluation.measurements("test", Space.of(run.model.likelihood, run.data), run.data.grouping)
    measured = whole.result["figures"][BOUND]
    assert figures[BOUND].value == measured["value"]
    assert figures[BOUND].standard_error == measured["standard_error"]


@pytest.mark.parametrize("name", ["best", "last"])
def test_a_loaded_model_has_the_weights_of_the_checkpoint(whole: Run, name: str):
    weights = whole.checkpoint(name)["model"]
    loaded = load_run(str(whole.path), name).model.state_dict()
    assert loaded.keys() == weights.keys()
    assert all(torch.equal(loaded[key], weights[key]) for key in weights)


def refused(apps, copy: Run, **arguments) -> str:
    """Why a run is not loaded, which is also why it is not evaluated."""
    words = [f"{key}={value}" for key, value in arguments.items()]
    ended = apps("evaluate", f"run={copy.path}", *words, cwd=copy.path.parent)
    with pytest.raises(UserError) as raised:
        _ = load_run(copy.path, **arguments).data
    assert ended.code == 1
    assert ended.err == f"error: {raised.value}\n"
    return ended.err


def test_the_config_of_a_stranger_is_refused(apps, copy: Run):
    file = copy.path / "config.yaml"
    file.write_text(file.read_text().replace("vrnn.models.vrnn.VRNN", "os.system"))
    assert "os.system" in refused(apps, copy)


def test_other_data_are_refused(apps, copy: Run):
    file = copy.path / "config.yaml"
    file.write_text(file.read_text().replace("test_sequences: 5", "test_sequences: 4"))
    assert "test_sequences" in refused(apps, copy)


def test_a_checkpoint_that_is_not_there_is_refused(apps, copy: Run):
    (copy.path / "checkpoints" / "last.pt").unlink()
    assert "last.pt" in refused(apps, copy, checkpoint="last")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"path": "nowhere"}, "nowhere: there is no such run directory"),
        ({"checkpoint": "first"}, "checkpoint='first': expected 'best' or 'last'"),
        ({"device": "tpu"}, "device=tpu"),
    ],
)
def test_an_argument_that_means_nothing_is_refused(whole: Run, arguments: dict[str, str], message: str):
    with pytest.raises(UserError, match=message):
        load_run(**{"path": whole.path, **arguments})


def test_every_number_of_a_sweep_stands_in_its_frame():
    (directory,) = OLD.glob("format1/outputs/sweeps/train-*")
    frame = load_sweep(directory)
    assert list(frame.columns[:3]) == ["latent.z_dim", "state", "reason"]
    assert set(frame["state"]) == {"done"}
    assert frame["reason"].isna().all()
    assert frame.attrs["units"]["valid/log_likelihood"] == "nats per sequence"
    for _, row in frame.iterrows():
        result = Run(Path(row["path"])).result
        for name, figure in result["figures"].items():
            assert row[name] == figure["value"]
            error = row[f"{name}/standard_error"]
            assert (None if pd.isna(error) else error) == figure["standard_error"]
        assert row["parameters"] == result["parameters"]
        assert load_run(row["path"]).model.z_dim == row["latent.z_dim"]


@pytest.mark.parametrize("version", sorted(path.name for path in OLD.iterdir() if path.is_dir()))
def test_what_earlier_versions_have_made_is_loaded(version: str, tmp_path: Path):
    folder = Path(shutil.copytree(OLD / version, tmp_path / "work"))
    (search,) = folder.glob("outputs/sweeps/search-*")
    frame = load_sweep(search)
    assert frame["optimizer.lr"].dtype.kind == "f"
    assert frame["trainer.batch_size"].dtype.kind == "i"
    assert len(frame) == 2
    (grid,) = folder.glob("outputs/sweeps/train-*")
    assert list(load_sweep(grid)["latent.z_dim"]) == [2, 3]
    (comparison,) = folder.glob("outputs/comparisons/*")
    frame = load_sweep(comparison)
    assert list(frame.columns[:2]) == ["comparison", "seed"]
    assert frame[BOUND].notna().all()
    assert load_sweep(folder)[f"iwae-3:{BOUND}"].notna().any()
    run = load_run(folder / "finished")
    with pytest.warns(UserWarning, match="kept nothing of its data"):
        assert len(run.data.test) == 5


def test_a_job_that_does_not_count_says_why(copy: Run):
    (copy.path / "result.json").unlink()
    frame = load_sweep(copy.path.parent)
    assert list(frame["state"]) == ["interrupted"]
    assert "interrupted at update 44" in frame["reason"][0]


def test_a_folder_without_jobs_is_no_sweep(tmp_path: Path):
    with pytest.raises(UserError, match="there is no sweep, comparison or run"):
        load_sweep(tmp_path)
