"""What a multirun leaves behind: four runs, each whole and by itself, and the same under a parallel launcher."""

from __future__ import annotations

import itertools
import json
import re
import shlex
import shutil
from fnmatch import fnmatch

import numpy as np
import pytest
import torch
from matplotlib.image import imread
from omegaconf import OmegaConf
from scipy.io import wavfile

from experiments.config.slugs import job_name
from experiments.disk.ownership import LOCK, MARK, RUN
from experiments.tracking.tracked import readable_config
from tests.experiments.command_line import SPEECH, Run, is_drawn

SIZES = {"train": 16, "valid": 6, "test": 5}


def config(run: Run) -> dict:
    return OmegaConf.to_container(OmegaConf.load(run.path / "config.yaml"), resolve=False)


def test_every_combination_has_a_run_of_its_own(multirun, runs):
    _, folder = multirun
    found = {(config(run)["latent"]["h_dim"], config(run)["optimizer"]["_target_"]) for run in runs}
    assert found == set(itertools.product((32, 128), ("torch.optim.Adam", "torch.optim.AdamW")))
    assert len(runs) == 4
    for run in runs:
        assert run.path.parent.parent == folder / "outputs" / "sweeps"
        assert re.fullmatch("train-[0-9a-f]{8}", run.path.parent.name)
        assert re.fullmatch(r"[A-Za-z0-9._-]{1,120}", run.path.name)
    assert [path.name for path in folder.iterdir()] == ["outputs"]


def test_the_terminal_tells_the_jobs_apart(multirun, runs):
    ended, folder = multirun
    for number in range(4):
        mine = [line.removeprefix(f"#{number}  ") for line in ended.out.splitlines() if line.startswith(f"#{number}  ")]
        (path,) = {line.split()[1] for line in mine if line.startswith("run ")}
        run = Run(folder / path)
        figure = run.result["figures"]["test/log_likelihood"]
        assert any(
            f"test bound  ≥ {figure['value']:.2f} ± {figure['standard_error']:.2f} nats" in line for line in mine
        )


def test_all_that_a_run_writes_is_known_by_name(runs):
    """Or a job that begins anew would leave it, and it would pass for what the new one wrote."""
    for run in runs:
        files = (path.relative_to(run.path).as_posix() for path in run.path.rglob("*") if path.is_file())
        rest = {name for name in files if not any(fnmatch(name, pattern) for pattern in RUN)}
        assert {name for name in rest if not name.startswith("wandb/")} == {LOCK, MARK}


def test_the_config_is_whole_and_plain(runs):
    for run in runs:
        cfg = config(run)
        assert "${" not in (run.path / "config.yaml").read_text()
        assert not OmegaConf.missing_keys(OmegaConf.create(cfg))
        assert "hydra" not in cfg
        assert cfg["data"]["train_sequences"] == SIZES["train"]
        assert cfg["model"]["x_dim"] == cfg["likelihood"]["x_dim"] == cfg["data"]["x_dim"] == 200


def test_metrics_have_every_update_and_every_validation(runs):
    for run in runs:
        assert [line["step"] for line in run.metrics if "train/loss" in line] == [1, 2, 3, 4]
        assert [(line["step"], line["epoch"]) for line in run.metrics if "valid/kl" in line] == [(2, 1), (4, 2)]
        lines = run.metrics
        assert {line.pop("kind") for line in lines if "valid/kl" in line} == {"lower_bound"}
        assert all(np.isfinite(value) for line in lines for value in line.values())


def test_the_result_says_what_was_measured_on_what_and_how(runs):
    for run in runs:
        result = run.result
        assert (result["format"], result["status"], result["error"]) == (1, "done", None)
        assert (result["seed"], result["step"]) == (0, 4)
        assert result["seconds"] > 0.0
        assert re.fullmatch("[0-9a-f]{16}", result["config_hash"])
        assert re.fullmatch("[0-9a-f]{40}", result["commit"] or "0" * 40)
        assert torch.__version__.startswith(result["versions"]["torch"])
        assert result["versions"]["time_loop"] == "compiled"
        assert result["parameters"] == sum(value.numel() for value in run.checkpoint("best")["model"].values())
        assert {"valid/log_likelihood", "valid/log_likelihood_per_step", "valid/kl"} <= result["figures"].keys()
        assert {"test/log_likelihood", "test/log_likelihood_per_step", "test/kl"} <= result["figures"].keys()
        for name, figure in result["figures"].items():
            keys = {"value", "standard_error", "count", "unit", "space", "kind", "monte_carlo_error", "over"}
            assert figure.keys() == keys
            assert figure["count"] == SIZES["valid" if name.startswith("valid/") else "test"]
            assert figure["unit"] == ("nats per step" if name.endswith("_per_step") else "nats per sequence")
            assert figure["space"] == ("raw" if "/raw_" in name else "normalized")
            if "log_likelihood" in name:
                assert figure["kind"] == ("exact" if name.startswith("reference/") else "lower_bound")
                assert figure["standard_error"] > 0.0
        bound, kl = (result["figures"][f"test/{name}"]["value"] for name in ("log_likelihood", "kl"))
        per_step = result["figures"]["test/log_likelihood_per_step"]["value"]
        assert per_step == pytest.approx(bound / 6)
        assert kl > 0.0


def test_the_result_agrees_with_the_other_files(runs):
    for run in runs:
        with np.load(run.path / "test_sequences.npz") as sequences:
            assert sequences["lengths"].tolist() == [6] * SIZES["test"]
            bounds = sequences["bounds"]
            assert str(sequences["grouping"]) == "speaker"
            speakers = {str(sequences["group_names"][number]) for number in sequences["groups"]}
        figures = run.result["figures"]
        assert bounds.mean() == pytest.approx(figures["test/log_likelihood"]["value"], rel=1e-12)
        assert all(name.startswith("speaker ") for name in speakers)
        assert len(speakers) == 5  # so that the error over speakers is that over sequences
        assert figures["test/log_likelihood"]["over"] == "5 speakers"
        assert bounds.std(ddof=1) / 5**0.5 == pytest.approx(figures["test/log_likelihood"]["standard_error"])
        valid = [line["valid/log_likelihood"] for line in run.metrics if "valid/log_likelihood" in line]
        assert figures["valid/log_likelihood"]["value"] == pytest.approx(max(valid), rel=1e-12)
        assert run.result["best_step"] == run.checkpoint("best")["step"] == 2 * (1 + int(np.argmax(valid)))
        assert run.checkpoint("last")["progress"]["step"] == 4
    assert len({run.result["config_hash"] for run in runs}) == 4
    assert len({run.result["parameters"] for run in runs}) == 2


def test_the_recorded_command_is_this_jobs_own(runs):
    for run in runs:
        python, _, module, *overrides = shlex.split(run.result["command"])
        assert (python, module) == ("python", "experiments.train")
        h_dim = config(run)["latent"]["h_dim"]
        assert f"latent={'tiny' if h_dim == 32 else 'small'}" in overrides
        assert {"trainer=debug", *SPEECH} <= set(overrides)


def test_pictures_are_drawn_and_sounds_can_be_heard(runs):
    for run in runs:
        pictures = sorted(run.path.glob("figures/*.png"))
        assert [path.stem for path in pictures] == ["continuations", "curves", "reconstructions", "samples"]
        assert all(map(is_drawn, pictures))
        sounds = sorted(run.path.glob("figures/*.wav"))
        assert len(sounds) >= 3
        for path in sounds:
            rate, samples = wavfile.read(path)
            assert rate == 16000
            assert len(samples) >= 6 * 200
            assert samples.std() > 0


def test_sample_draws_what_the_run_itself_drew(apps, runs, tmp_path):
    ended = apps("sample", f"run={runs[0].path}", "output=again", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    again = {path.name: path for path in (tmp_path / "again").iterdir() if path.name != MARK}
    assert set(ended.out.split()) == {f"again/{name}" for name in again}
    former = {path.name: path for path in runs[0].path.glob("figures/*") if path.name != "curves.png"}
    assert again.keys() == former.keys()
    for name, path in again.items():
        if path.suffix == ".png":
            assert np.array_equal(imread(path), imread(former[name]))
        else:
            assert path.suffix == ".wav"
            assert np.array_equal(wavfile.read(path)[1], wavfile.read(former[name])[1])


def test_every_job_is_one_wandb_run_with_its_config_and_its_figures(runs):
    found = {run: run.wandb() for run in runs}
    assert all(len(folders) == 1 for folders in found.values())
    assert len({folder["run_id"] for (folder,) in found.values()}) == 4
    for run, (folder,) in found.items():
        assert (folder["state"], folder["exit_code"], folder["project"]) == ("finished", 0, "vrnn")
        choices = folder["config"].pop("choices")
        assert folder["config"] == json.loads(json.dumps(readable_config(OmegaConf.create(config(run)))))
        for name, figure in run.result["figures"].items():
            assert folder["summary"][name] == pytest.approx(figure["value"]), name
        assert folder["summary"]["train/loss"] == pytest.approx(run.metrics[-2]["train/loss"])
        assert {f"figures/{path.name}" for path in run.path.glob("figures/*")} <= folder["summary"].keys()
        size = "tiny" if config(run)["latent"]["h_dim"] == 32 else "small"
        assert f"latent={size}" in folder["name"].split()
        assert choices.items() >= {"latent": size, "model": "vrnn", "data": "speech"}.items()
        assert folder["notes"].startswith("python -m experiments.train ")
        assert folder["summary"]["parameters"] == run.result["parameters"]


def test_charts_are_over_updates_and_the_screen_is_logged(runs):
    records = runs[0].wandb_records()
    defined = [record["metric"] for record in records if record["type"] == "metric"]
    hidden = {metric.get("name", "*"): metric["options"].get("hidden", False) for metric in defined}
    assert hidden == {"step": True, "*": False, "epoch": True, "seconds": True}
    assert {metric["step_metric"] for metric in defined if metric.get("name") != "step"} == {"step"}
    (started,) = [record["run"] for record in records if record["type"] == "run"]
    assert started["job_type"] == "train"
    lines = [record["output_logger"]["line"] for record in records if record["type"] == "output_logger"]
    assert any(line.split()[:4] == ["1", "2/4", "valid", "≥"] for line in lines), lines


def test_an_evaluation_is_added_to_the_runs_own_wandb_run(apps, runs, tmp_path):
    copy = Run(tmp_path / "run")
    shutil.copytree(runs[0].path, copy.path)
    ended = apps("evaluate", "run=run", "objective=iwae", "objective.num_samples=2", cwd=tmp_path)
    assert (ended.code, ended.err) == (0, "")
    assert "tracking    Weights & Biases, offline; upload with: wandb sync run/wandb/offline-run-" in ended.out
    trained, evaluated = copy.wandb()
    for key in ("run_id", "name", "notes", "config"):
        assert evaluated[key] == trained[key]
    figures = json.loads((copy.path / "evaluations" / "iwae-2.json").read_text())["figures"]
    expected = {f"iwae-2/{name}": figure["value"] for name, figure in figures.items()}
    expected |= {name: figure["value"] for name, figure in copy.result["figures"].items()}
    assert {name: evaluated["summary"][name] for name in expected} == pytest.approx(expected)


@pytest.mark.slow
def test_parallel_jobs_find_what_serial_ones_do(apps, runs, tmp_path):
    """Two jobs at a time; the two with a rate of -1 are told, and cost the others nothing."""
    swept = ("hydra/launcher=joblib", "optimizer=adam,adamw", "optimizer.lr=2e-3,-1", "trainer.test=true")
    ended = apps("train", "--multirun", *SPEECH, "trainer=debug", "latent=tiny", *swept, cwd=tmp_path)
    assert ended.code == 2
    told = {line for line in ended.err.splitlines() if line.endswith(": optimizer: Invalid learning rate: -1")}
    assert told == set(ended.err.splitlines())
    assert {line.partition(": optimizer: ")[0] for line in told} == {
        f"error: optimizer={name} optimizer.lr=-1" for name in ("adam", "adamw")
    }
    assert "Traceback" not in ended.err
    statuses = [json.loads(path.read_text())["status"] for path in tmp_path.rglob("result.json")]
    assert sorted(statuses) == ["done", "done", "failed", "failed"]

    def by_optimizer(runs: list[Run]) -> dict[str, Run]:
        return {config(run)["optimizer"]["_target_"]: run for run in runs if config(run)["latent"]["h_dim"] == 32}

    serial, parallel = by_optimizer(runs), by_optimizer(Run.all(tmp_path))
    assert parallel.keys() == serial.keys()
    for name, run in parallel.items():
        assert run.metrics == serial[name].metrics
        assert run.result["figures"] == serial[name].result["figures"]
        (folder,) = run.wandb()
        assert folder["exit_code"] == 0


def test_a_jobs_name_says_what_it_is_and_is_its_own():
    def name(*overrides: str) -> str:
        return job_name(_root_=OmegaConf.create({"hydra": {"overrides": {"task": list(overrides)}}}))

    assert name("optimizer.lr=0.002", "seed=3").startswith("lr-0.002_seed-3-")
    assert name("optimizer.lr=0.002", "seed=3") == name("seed=3", "optimizer.lr=0.002")
    assert name("data.root=/some/where") != name("data.root=/some.where")
    assert name("model.prior=[8,8]", "+x=a b/c='d'") != name()
    for overrides in ([f"a.key_{number}=1" for number in range(50)], ["+x='ü/*?\\'"], []):
        assert re.fullmatch(r"[A-Za-z0-9._-]{6,120}", name(*overrides))


def test_a_bad_job_of_a_multirun_is_told_and_the_others_finish(apps, tmp_path):
    swept = ("latent.width=0,8,abc", "hydra.sweep.dir=sweep", "hydra.sweep.subdir=${hydra:job.num}")
    ended = apps("train", "--multirun", *SPEECH, "trainer=debug", "latent=tiny", "logger=none", *swept, cwd=tmp_path)
    assert ended.code == 1
    assert "Traceback" not in ended.err
    assert ended.err.startswith("error: latent.width=0: expected an integer of at least 1, got 0\n")
    assert "error: latent.width=abc: expected an integer of at least 1, got 'abc'\n" in ended.err
    bad, good, text = (Run(tmp_path / "sweep" / str(number)).result for number in range(3))
    assert (good["status"], bad["status"], text["status"]) == ("done", "failed", "failed")
    assert bad["error"]["message"] == "latent.width=0: expected an integer of at least 1, got 0"
    assert not (tmp_path / "sweep" / "0" / "checkpoints").exists()
