"""A multirun started twice: what is done is skipped, what was interrupted goes on, the rest begins anew."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from experiments.config.identity import config_hash
from experiments.errors import UserError
from experiments.run.directory import RunDirectory
from experiments.run.state import read_job
from tests.experiments.command_line import SMALL, WORDS, Apps, Run
from tests.faults.trees import OLD

PAIR = ("--multirun", *WORDS, *SMALL, "seed=0,1", "hydra.sweep.dir=out", "hydra.sweep.subdir=${job_name:seed}")


def contents(run: Run) -> tuple[object, ...]:
    """What a run computed."""
    return run.metrics, run.result["figures"], run.result["step"]


def test_the_second_start_of_a_multirun_skips_what_is_done(apps: Apps, tmp_path: Path):
    assert apps("train", *PAIR, cwd=tmp_path).code == 0
    runs = Run.all(tmp_path / "out")
    assert [run.path.name.rpartition("-")[0] for run in runs] == ["seed-0", "seed-1"]
    before = [(contents(run), (run.path / "result.json").stat().st_mtime_ns) for run in runs]
    ended = apps("train", *PAIR, cwd=tmp_path)
    assert ended.code == 0
    assert ended.out.count("done already") == 2
    assert before == [(contents(run), (run.path / "result.json").stat().st_mtime_ns) for run in runs]

    # One that diverged begins anew and gives the same; one that was killed, or failed otherwise, goes on.
    diverged, killed = runs
    result = {**diverged.result, "status": "failed", "error": {"kind": "Diverged", "message": "was it"}}
    (diverged.path / "result.json").write_text(json.dumps(result))
    (diverged.path / "figures" / "mine.png").touch()
    (killed.path / "result.json").unlink()
    ended = apps("train", *PAIR, cwd=tmp_path)
    assert ended.code == 0
    assert "done already" not in ended.out
    assert [contents(run) for run in runs] == [content for content, _ in before]
    assert (diverged.path / "figures" / "mine.png").exists()  # which is not the suite's

    # Another config in the same directory: what lies there is not its result, and is put aside.
    ended = apps("train", *PAIR, "trainer.max_steps=3", cwd=tmp_path)
    assert ended.code == 0
    assert ended.out.count("made with another config") == 2
    assert [run.result["step"] for run in runs] == [3, 3]
    formers = [json.loads(file.read_text())["step"] for file in (tmp_path / "out").glob("*/former-*/result.json")]
    assert formers == [4, 4]


def test_a_jobs_state_is_what_its_directory_tells(tmp_path: Path):
    cfg = RunDirectory(OLD / "finished").read_config()
    run, identity = RunDirectory(tmp_path / "job"), config_hash(cfg)
    assert read_job(run, identity).state == "waiting"
    run.write_config(cfg)
    assert read_job(run, identity).state == read_job(run).state == "interrupted"
    assert read_job(run, "another").state == "stale"
    for status in ("done", "failed", "interrupted"):
        written = {"status": status, "config_hash": identity, "identity_rule": 2, "step": 3, "figures": {}}
        run.write_result(written)
        found = read_job(run, identity)
        assert (found.run, found.state) == (run, status)
        assert written.items() <= found.result.items()
        assert read_job(run, "another").state == "stale"
    for damaged in ("", '{"st'):  # what was computed before lies in the checkpoint
        run.result_file.write_text(damaged)
        assert read_job(run, identity) == (run, "interrupted", {})
    for other in ("[]", "{}"):  # which no kill has left there
        run.result_file.write_text(other)
        with pytest.raises(UserError, match=r"result\.json: "):
            read_job(run, identity)


def test_a_root_that_says_which_data_these_are_is_part_of_the_identity():
    for target, counts in (("vrnn.data.audio.audio", True), ("vrnn.data.mnist.mnist", False)):
        first, second = (
            config_hash(OmegaConf.create({"data": {"_target_": target, "root": root}, "trainer": {}}))
            for root in ("a", "b")
        )
        assert (first != second) == counts


@pytest.mark.parametrize(
    "key", ["data.root", "data.cache", "label", "logger", "trainer.test", "trainer.log_every", "figures.side"]
)
def test_a_configs_identity_is_what_it_computes(key: str):
    cfg = OmegaConf.create({"data": {"x_dim": 3}, "trainer": {"max_steps": 3}, "seed": 0})
    other = OmegaConf.merge(cfg, OmegaConf.from_dotlist([f"{key}=1"]))
    assert config_hash(other) == config_hash(cfg)
    for change in ("data.x_dim=4", "trainer.max_steps=4", "seed=1"):
        assert config_hash(OmegaConf.merge(cfg, OmegaConf.from_dotlist([change]))) != config_hash(cfg)


@pytest.mark.parametrize(
    ("key", "same", "other"),
    [
        ("trainer.precision", "fp32", "bf16"),
        ("data.verify", True, False),
        ("data.on_bad", "error", "skip"),
        ("data.assignment", "order", "name"),
    ],
)
def test_a_key_that_was_added_leaves_the_identity_of_what_was_computed_before(key: str, same: object, other: object):
    cfg = OmegaConf.create({"data": {"x_dim": 3}, "trainer": {"max_steps": 3}, "seed": 0})
    added, changed = (OmegaConf.merge(cfg, OmegaConf.from_dotlist([f"{key}={value}"])) for value in (same, other))
    assert config_hash(added) == config_hash(cfg) != config_hash(changed)


@pytest.mark.parametrize(("key", "idle", "drawn"), [("split", "lists", "seed"), ("variant", "simplified", "raw")])
def test_how_seed_would_split_is_no_identity_where_nothing_is_split_by_seed(key: str, idle: str, drawn: str):
    for value, counts in ((idle, False), (drawn, True)):
        cfg = OmegaConf.create({"data": {key: value}, "trainer": {}})
        other = OmegaConf.merge(cfg, {"data": {"assignment": "name"}})
        assert (config_hash(cfg) != config_hash(other)) == counts
