"""An answer is not lost on its way: whatever stands in the config, and wherever it cannot be written."""

from __future__ import annotations

import errno
import json
import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from omegaconf import OmegaConf

from experiments.cli.app import answer
from experiments.cli.surroundings import answer_to, require_working_directory
from experiments.config.identity import config_hash
from experiments.disk.files import write_json, write_whole
from experiments.errors import UserError
from experiments.run import record
from experiments.run.directory import RunDirectory
from tests.conf import context
from tests.experiments.command_line import WORDS, Run
from tests.faults.test_surroundings import BROKEN, SMALLEST
from vrnn.training.metrics import MetricsFile

JOBS = ("--multirun", *SMALLEST[:-1])
UNSET = "KeyError raised while resolving interpolation: \"Environment variable 'VRNN_NOWHERE' not found\""


@contextmanager
def small_files(size: int) -> Iterator[None]:
    """No file of this process becomes larger, as on a full disk."""
    former = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, former[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, former)


# What stands in the config


def test_a_result_is_written_whatever_it_holds(tmp_path: Path):
    content = {
        "seed": OmegaConf.create([1, {"a": "${b}"}]),
        "path": Path("x"),
        "name": "lat\udce9",
        "nan": float("nan"),
    }
    write_json(tmp_path / "result.json", content)
    found = json.loads((tmp_path / "result.json").read_text(encoding="utf-8"))
    assert found == {"seed": [1, {"a": "${b}"}], "path": "x", "name": "lat\udce9", "nan": None}


def test_a_page_spells_what_is_not_utf_8(tmp_path: Path):
    write_whole(tmp_path / "page.md", "in lat\udce9 ≥")
    assert (tmp_path / "page.md").read_text(encoding="utf-8") == "in lat\\udce9 ≥"


def test_an_identity_names_the_reference_that_leads_nowhere():
    cfg = OmegaConf.create({"data": {"x": 1}, "label": "${oc.env:VRNN_NOWHERE}", "trainer": {"precision": "${a.b}"}})
    with pytest.raises(UserError, match=r"^label: KeyError raised while resolving"):
        config_hash(cfg)
    unresolved = config_hash(cfg, resolve=False)
    assert unresolved == config_hash(OmegaConf.merge(cfg, {"label": "another"}), resolve=False)  # no part of it
    assert unresolved != config_hash(OmegaConf.merge(cfg, {"trainer": {"precision": "${a.c}"}}), resolve=False)


def test_a_seed_that_is_a_list_is_answered(apps, tmp_path: Path):
    ended = apps("train", *SMALLEST, "seed=[1,2]", cwd=tmp_path)
    expected = "seed=[1, 2]: expected an integer of at least 0, got [1, 2]"
    assert ended == (1, "", f"error: {expected}\n")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("key", ["label", "data.sample_rate"])
def test_a_variable_that_is_not_set_is_answered_by_every_job(apps, tmp_path: Path, key: str):
    word = f"{key}=${{oc.env:VRNN_NOWHERE}}"
    ended = apps("train", *JOBS, "seed=0,1", word, cwd=tmp_path)
    assert ended.code == 2
    assert ended.err == "".join(f"error: seed={seed}: {word}: {key}: {UNSET}\n" for seed in (0, 1))
    (results,) = {tuple(sorted(tmp_path.glob("outputs/sweeps/*/*/result.json")))}
    assert [json.loads(file.read_text())["error"]["message"] for file in results] == [f"{word}: {key}: {UNSET}"] * 2


def test_the_only_job_of_a_multirun_answers_it_as_well(apps, tmp_path: Path):
    ended = apps("train", *JOBS, "seed=0", "label=${nowhere}", cwd=tmp_path)
    assert (ended.code, ended.err) == (1, "error: label=${nowhere}: label: Interpolation key 'nowhere' not found\n")


def test_a_comparison_answers_it_as_well(apps, tmp_path: Path):
    ended = apps("compare", *WORDS, "data.seed=${oc.env:VRNN_NOWHERE}", cwd=tmp_path)
    assert ended == (1, "", f"error: data.seed: {UNSET}\n")


# Where it cannot be written


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(errno.ENOSPC, "No space left on device", "a/b"), "a/b: No space left on device; make room, or"),
        (OSError(errno.EFBIG, "File too large"), "File too large; make room, or write elsewhere"),
        (OSError(errno.EROFS, "Read-only file system", "a"), "a: Read-only file system; mend it, or choose another"),
        (PermissionError(errno.EACCES, "Permission denied", "a"), "a: Permission denied; mend it"),
        (OSError(errno.EIO, "Input/output error", "a"), "a: Input/output error; mend it"),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
        (FileExistsError(errno.EEXIST, "File exists", "a", None, "b"), "a: File exists (to b); mend it"),
    ],
)
def test_failures_of_files_are_answered_in_one_line(error: OSError, expected: str, capsys):
    def work() -> int:
        raise error

    assert answer(work) == 1
    said = capsys.readouterr().err
    assert said.startswith(f"error: {expected}")
    assert said.count("\n") == 1


def test_what_is_no_failure_of_a_file_keeps_its_traceback(capsys):
    def work() -> int:
        raise ConnectionResetError("lost")

    assert answer_to(ConnectionResetError(errno.ECONNRESET, "lost")) is None
    assert answer(work) == 1
    assert "Traceback" in capsys.readouterr().err


def test_a_link_to_nothing_is_named_wherever_it_stands(tmp_path: Path):
    (tmp_path / "link").symlink_to("nowhere")
    found = answer_to(OSError(errno.EEXIST, "File exists", str(tmp_path / "link" / "train")))
    assert found.startswith(f"{tmp_path}/link/train: {tmp_path}/link is a link to nowhere, which is not there; ")


def test_a_full_disk_is_told_with_the_file_and_leaves_the_former_one(tmp_path: Path):
    file = tmp_path / "result.json"
    write_whole(file, "former")
    with small_files(20), pytest.raises(OSError, match="File too large") as caught:
        write_whole(file, "x" * 21)
    assert caught.value.filename == str(file)
    assert file.read_text() == "former"
    assert [path.name for path in tmp_path.iterdir()] == ["result.json"]
    with small_files(20), pytest.raises(OSError, match="File too large") as caught:
        MetricsFile(tmp_path / "metrics.jsonl").write({"text": "x" * 21})
    assert caught.value.filename == str(tmp_path / "metrics.jsonl")


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunDirectory:
    """A run directory whose result cannot be written."""
    monkeypatch.setattr(record, "provenance", lambda context: {})
    run = RunDirectory(tmp_path)

    def write_result(result: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", str(run.result_file))

    monkeypatch.setattr(run, "write_result", write_result)
    return run


ABOUT = {"identity": "0", "seed": 0, "keep_former": False}


def test_a_mistake_is_answered_though_its_result_cannot_be_written(run: RunDirectory, capsys):
    with pytest.raises(UserError, match=r"^seed=-1: "), record.recorded(run, context(), [], **ABOUT):
        raise UserError("seed=-1: expected another")
    said = capsys.readouterr().err
    assert said.startswith(f"warning: the result could not be written ({run.result_file}: No space left on device)")


def test_a_run_whose_result_cannot_be_written_is_not_done(run: RunDirectory):
    with (
        pytest.raises(OSError, match="No space left on device"),
        record.recorded(run, context(), [], **ABOUT) as result,
    ):
        result["status"] = "done"


def test_whatever_ends_a_run_is_its_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(record, "provenance", lambda context: {})
    run = RunDirectory(tmp_path)
    for error, kind in ((SystemExit(3), "SystemExit"), (OSError(errno.ENOSPC, "No space", "a"), "OSError")):
        with (
            pytest.raises(type(error)),
            record.recorded(run, context(), [], **ABOUT),
        ):
            raise error
        result = run.read_result()
        assert (result["status"], result["error"]["kind"]) == ("failed", kind)
        assert ("traceback" in result["error"]) == (kind == "SystemExit")


def test_a_multirun_whose_reader_is_gone_does_all_its_jobs(apps, tmp_path: Path):
    ended = apps("train", *JOBS, "seed=0,1", cwd=tmp_path, before=BROKEN)
    assert (ended.code, ended.out) == (0, "")
    assert "Traceback" not in ended.err
    assert [run.result["status"] for run in Run.all(tmp_path / "outputs")] == ["done", "done"]
    assert [run.result["step"] for run in Run.all(tmp_path / "outputs")] == [6, 6]
    (page,) = tmp_path.glob("outputs/sweeps/*/sweep.html")
    assert "seed" in page.read_text()


def test_the_working_directory_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder = tmp_path / "a${b}"
    folder.mkdir()
    monkeypatch.chdir(tmp_path)
    require_working_directory()
    os.chdir(folder)
    with pytest.raises(UserError, match="holds '\\$\\{'"):
        require_working_directory()


def test_a_reference_is_told_and_kept_as_it_was_typed(apps, tmp_path: Path):
    ended = apps("train", *SMALLEST, "label=${oc.env:NOT_SET}", "hydra.run.dir=run", cwd=tmp_path)
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert ended.err.startswith("error: label=${oc.env:NOT_SET}: ")
    assert not (tmp_path / "run").exists()
    ended = apps("train", *SMALLEST, "label=${oc.env:HOME}", "hydra.run.dir=run", cwd=tmp_path)
    assert ended.code == 0, ended.err
    assert "label=${oc.env:HOME}" in (tmp_path / "run" / "overrides.yaml").read_text()
